"""The gateway before a real scorer and a real broker."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from benchmarks.gateway import rounds
from benchmarks.gateway.stack import stack
from local.broker.address import KafkaAddress
from local.testbed.bundles import serve, write_bundle
from local.testbed.events import outcome
from local.testbed.gateway_run import GatewayRun, payments
from local.testbed.scorer_run import ScorerRun
from service.adapters.kafka.group import Reader

pytestmark = pytest.mark.kafka

PATIENT = {"X-Deadline-Ms": "5000"}
"""No test asserts how fast it is: the machine may be busy."""


@pytest.fixture(scope="module")
def run(broker: KafkaAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayRun]:
    folder = tmp_path_factory.mktemp("gateway")
    write_bundle(folder / "models", 1)
    serve(folder / "models", 1)
    scorer = ScorerRun(broker.bootstrap_servers, folder.name, folder, folder / "models")
    secrets = folder / "webhooks.json"
    secrets.write_text(json.dumps({"stripe": [{"shop": "shop-1", "secret": "whsec_1"}]}))
    service = scorer.service()
    service.start()
    made = GatewayRun(scorer, folder / "gateway", {"gateway_webhooks_file": str(secrets)})
    service.ready()
    yield made
    made.close()
    scorer.close()


def client(run: GatewayRun) -> httpx.Client:
    headers = {"Authorization": f"Bearer {run.key}", **PATIENT}
    return httpx.Client(base_url=f"http://127.0.0.1:{run.port}", headers=headers, timeout=30)


def records(run: GatewayRun, topic: str) -> list[tuple[bytes | None, bytes, dict[str, bytes]]]:
    with closing(Reader(run.scorer.cluster, topic)) as reader:
        return [
            (key, value or b"", dict(headers))
            for found in reader.replay(0, *reader.bounds(0))
            for key, value, headers in zip(found.keys, found.values, found.headers, strict=True)
        ]


def test_answers_are_the_decisions_of_the_topic_through_restarts_and_ids_reach_alerts(run: GatewayRun) -> None:
    bodies = [
        {**msgspec.json.decode(body), "amount": "900.00" if number == 3 else "20.00"}
        for number, body in enumerate(payments(6, prefix="answered"))
    ]
    with run.process() as gateway, client(run) as http:
        gateway.ready()
        answers = [http.post("/v1/payments", json=body, headers={"X-Request-Id": "req-9"}).json() for body in bodies]
        assert not any(answer["fallback"] for answer in answers)
        assert http.post("/v1/payments", json=bodies[0]).json() == answers[0]
    decisions = run.decisions()
    for answer in answers:
        (decision,) = decisions[answer["transaction_id"]]
        assert {name: decision[name] for name in ("action", "score", "scored_at")} == {
            name: answer[name] for name in ("action", "score", "scored_at")
        }
    flagged = answers[3]
    assert flagged["action"] != "allow"
    assert flagged["reasons"]
    ((_, alert, headers),) = records(run, run.scorer.names["alerts_topic"])
    assert (json.loads(alert)["alert_id"], headers["request-id"]) == (flagged["alert_id"], b"req-9")
    assert json.loads(alert)["transaction"]["shop_id"] == "shop-1"
    with run.process() as gateway, client(run) as http:
        gateway.ready()
        assert [http.post("/v1/payments", json=body).json() for body in bodies] == answers
        assert http.post("/v1/payments", json={**bodies[0], "amount": "1.00"}).status_code == 409
        assert http.get(flagged["decision"]).json()["decision"] == flagged
    assert set(run.sent().values()) == {1}


def test_outcomes_labels_and_disputes_reach_their_topics(run: GatewayRun) -> None:
    label = {"label_id": "l1", "transaction_id": "t1", "verdict": "genuine", "source": "analyst"}
    label["occurred_at"] = "2025-06-01T00:00:00Z"
    now = int(time.time())  # noqa: TID251 - the signature's time is checked against the gateway's clock
    thing = {"payment_intent": "pi_1", "reason": "fraudulent"}
    notice = json.dumps(
        {"id": "evt_1", "type": "charge.dispute.created", "created": now, "data": {"object": thing}}
    ).encode()
    odd = json.dumps({"id": "evt_2", "type": "customer.created", "created": now, "data": {"object": {}}}).encode()
    with run.process() as gateway, client(run) as http:
        gateway.ready()
        assert http.post("/v1/outcomes", json=outcome(1, event_time=datetime.now(UTC).isoformat())).status_code == 202
        assert http.post("/v1/labels", json=[label]).json()["accepted"] == 1
        for body in (notice, odd):
            made = hmac.new(b"whsec_1", b"%d." % now + body, hashlib.sha256).hexdigest()
            answer = http.post("/v1/disputes/stripe", content=body, headers={"Stripe-Signature": f"t={now},v1={made}"})
            assert answer.status_code == 200
    sent = records(run, run.scorer.names["labels_topic"])
    assert {json.loads(value)["label_id"] for _, value, _ in sent} == {"l1", "stripe:evt_1"}
    ((_, kept, headers),) = records(run, run.disputes)
    assert (kept, headers["kind"]) == (odd, b"customer.created")
    assert any(
        json.loads(value)["type"] == "outcome" for _, value, _ in records(run, run.scorer.names["transactions_topic"])
    )


def test_a_second_process_cannot_take_the_journal(run: GatewayRun) -> None:
    with run.process() as first:
        first.ready()
        second = run.process()
        second.start()
        assert second.wait() == 2
        assert "FRAUD_GATEWAY_JOURNAL" in second.last_line()


def test_kills_and_an_absent_broker_lose_and_double_nothing() -> None:
    """The short version of `make bench-gateway`: gateway, scorer and broker are killed once each, the broker frozen."""
    with stack() as s:
        figures = {
            figure.name: figure.value
            for figure in (
                *rounds.kills(s, rounds=3, rate=40.0, seconds=4.0),
                *rounds.broker_away(s, rate=40.0, deadline_ms=500),
                *rounds.exactness(s, count=200, rate=40.0),
            )
        }
    nothing = [name for name in figures if name.startswith(("lost", "doubled", "mismatches", "repeated"))]
    assert len(nothing) == 9
    assert {name: figures[name] for name in nothing if figures[name]} == {}
    assert figures["fallbacks with the broker away"] > 0
