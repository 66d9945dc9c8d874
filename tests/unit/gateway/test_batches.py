"""Outcomes and labels over HTTP: each accepted or refused by itself, and kept whatever becomes of Kafka."""

import asyncio
from pathlib import Path

import msgspec

from fraud.contracts.inbound import Label
from gateway.keys import Scope
from local.testbed.events import outcome
from tests.support.gateways import shop


def label(number: int = 0, /, **fields: object) -> dict[str, object]:
    return {
        "label_id": f"l{number}",
        "transaction_id": f"t{number}",
        "verdict": "genuine",
        "source": "analyst",
        "occurred_at": "2026-01-05T09:00:00Z",
        **fields,
    }


def test_labels_are_accepted_one_by_one_and_refused_with_reasons(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            answer = await s.post(
                "/v1/labels", [label(1), label(2, verdict="fraud"), label(1), label(1, source="chargeback")]
            )
            body = answer.json()
            assert (answer.status_code, body["accepted"], body["repeated"]) == (202, 1, 1)
            assert [(one["item"], one["reason"]) for one in body["refused"]] == [(1, "invalid_label"), (3, "conflict")]
            assert "verdict" in body["refused"][0]["detail"]
            await s.until(lambda: bool(s.scorer.sent))
            (message,) = s.scorer.sent
            assert (message.topic, message.key) == ("labels", b"t1")
            Label.model_validate(msgspec.json.decode(message.value))

    asyncio.run(scenario())


def test_one_label_alone_is_refused_by_the_status(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            assert (await s.post("/v1/labels", label(1))).status_code == 202
            assert (await s.post("/v1/labels", label(1))).json() == {"accepted": 0, "repeated": 1, "refused": []}
            assert (await s.post("/v1/labels", label(1, source="chargeback"))).status_code == 409
            assert (await s.post("/v1/labels", label(2, verdict=None))).status_code == 422
            assert (await s.post("/v1/labels", [])).status_code == 400
            assert (await s.post("/v1/labels", b"[{")).status_code == 400

    asyncio.run(scenario())


def test_outcomes_join_the_payments_topic_under_their_customer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            answer = await s.post("/v1/outcomes", [outcome(1), outcome(2, kind="vanished")])
            assert answer.json()["accepted"] == 1
            assert answer.json()["refused"][0]["reason"] == "invalid_field"
            await s.until(lambda: bool(s.scorer.sent))
            (message,) = s.scorer.sent
            assert (message.topic, message.key) == ("in", b"c1")
            assert b'"shop_id":"shop-1"' in message.value

    asyncio.run(scenario())


def test_what_was_accepted_without_kafka_is_delivered_once_it_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, open_=False) as s:
            assert (await s.post("/v1/labels", label(1))).status_code == 202
            assert not s.scorer.sent
        async with shop(tmp_path) as s:
            await s.until(lambda: bool(s.scorer.sent))
            assert s.scorer.sent[0].topic == "labels"
            assert (await s.post("/v1/labels", label(1))).json()["repeated"] == 1

    asyncio.run(scenario())


def test_a_batch_costs_as_many_requests_as_it_has_items(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            key = s.key_of("shop-1", Scope.LABELS, rate=5.0)
            assert (await s.post("/v1/labels", [label(n) for n in range(8)], key=key)).status_code == 202
            assert (await s.post("/v1/labels", [label(n) for n in range(8)], key=key)).status_code == 429

    asyncio.run(scenario())
