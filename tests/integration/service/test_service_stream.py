"""One service on a real broker: what goes in comes out, valid under the contracts, and nothing else does."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from fraud.contracts.inbound import Reason
from fraud.contracts.outbound import Alert, DeadLetter, Decision, alert_id
from fraud.models.bundle import MANIFEST
from local.broker.address import KafkaAddress
from local.service_process import ServiceProcess
from local.testbed.bundles import serve, write_bundle
from local.testbed.delivery_check import check_delivery
from local.testbed.events import raw, transaction
from local.testbed.scorer_run import ScorerRun
from service.adapters.kafka.group import Reader
from service.outputs.dead_letters import MARGIN, MAX_VALUE
from service.ports import Headers
from simulator.output.malformed import malformed_with_reasons, partly_invalid

pytestmark = pytest.mark.kafka

Message = tuple[bytes | None, bytes, Headers]


class Stream:
    """A running service with its own topics."""

    def __init__(self, scorer: ScorerRun, service: ServiceProcess) -> None:
        self.scorer = scorer
        self.service = service
        self._producer = KafkaProducer(bootstrap_servers=scorer.servers, linger_ms=5)

    def send(self, values: Sequence[bytes], *, key: bytes = b"key", headers: Headers = ()) -> None:
        """Sends and waits until the service has committed behind all of it."""
        topic = self.scorer.names["transactions_topic"]
        futures = [self._producer.send(topic, value, key, list(headers)) for value in values]
        self._producer.flush()
        end = futures[-1].get(10).offset + 1
        self.scorer.until_moved(end - 1)
        assert self.service.code is None, self.service.last_line()

    def read(self, name: str) -> list[Message]:
        """Everything that was committed to one of the outputs."""
        with closing(Reader(self.scorer.cluster, self.scorer.names[name])) as reader:
            return [
                (key, value or b"", headers)
                for records in reader.replay(0, *reader.bounds(0))
                for key, value, headers in zip(records.keys, records.values, records.headers, strict=True)
            ]

    def close(self) -> None:
        self._producer.close()


@pytest.fixture(scope="module")
def stream(broker: KafkaAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    folder = tmp_path_factory.mktemp("stream")
    models = folder / "models"
    for version in (1, 2):
        write_bundle(models, version)
    serve(models, 1)
    scorer = ScorerRun(broker.bootstrap_servers, folder.name, folder, models)
    service = scorer.service()
    service.start()
    service.ready()
    made = Stream(scorer, service)
    yield made
    made.close()
    scorer.close()


def test_a_flagged_transaction_becomes_an_alert_that_carries_everything(stream: Stream) -> None:
    event = transaction(1, transaction_id="flagged", customer_id="alice", amount="900.00")
    stream.send([raw(event)], key=b"alice", headers=[("traceparent", b"00-1"), ("correlation", b"42")])
    ((key, value, headers),) = [m for m in stream.read("alerts_topic") if b'"flagged"' in m[1]]
    alert = Alert.model_validate_json(value)
    assert key == b"alice"
    assert dict(headers) == {"traceparent": b"00-1", "correlation": b"42"}
    assert alert.alert_id == alert_id("flagged", "pre_auth")
    assert alert.action != "allow"
    assert alert.score == pytest.approx(900 / 1400, abs=1e-4)
    assert alert.reasons[0].code == "amount"
    assert alert.model_version == 1
    assert alert.transaction.amount == "900.00"
    assert alert.source.topic == stream.scorer.names["transactions_topic"]


def test_every_transaction_has_one_decision(stream: Stream) -> None:
    stream.send([raw(transaction(i, transaction_id=f"decided-{i}")) for i in range(50)])
    decisions = [Decision.model_validate_json(value) for _, value, _ in stream.read("decisions_topic")]
    ids = [decision.transaction_id for decision in decisions if decision.transaction_id.startswith("decided")]
    assert ids == [f"decided-{i}" for i in range(50)]
    assert all(decision.propensity == 1.0 for decision in decisions)


def test_ten_thousand_malformed_messages_are_set_aside_and_the_valid_ones_between_them_scored(stream: Stream) -> None:
    broken = malformed_with_reasons(7, 10_000)
    values: list[bytes] = []
    for number, (message, _) in enumerate(broken):
        values.append(message)
        if number % 10 == 0:
            values.append(raw(transaction(number, transaction_id=f"between-{number}")))
    stream.send(values)
    letters = stream.read("dlq_topic")
    told = [DeadLetter.from_headers(list(headers)) for _, _, headers in letters]
    assert Counter((value, letter.reason) for (_, value, _), letter in zip(letters, told, strict=True)) == Counter(
        broken
    )
    scored = [value for _, value, _ in stream.read("decisions_topic") if b'"between-' in value]
    assert len(scored) == 1_000
    assert stream.service.metric("fraud_dead_letters_total") == 10_000
    assert '"event": "dead letters"' in stream.service.log.read_text()


def test_a_thousand_payments_with_invalid_optional_fields_are_all_scored(stream: Stream) -> None:
    made = partly_invalid(7, 1_000)
    letters = len(stream.read("dlq_topic"))
    stream.send([value for value, _ in made])
    expected = Counter(tuple(sorted(ignored)) for _, ignored in made)
    marks = [Decision.model_validate_json(value).ignored for _, value, _ in stream.read("decisions_topic")]
    assert Counter(tuple(sorted(ignored)) for ignored in marks if ignored) == expected
    assert len(stream.read("dlq_topic")) == letters


def test_a_record_as_large_as_the_broker_takes_is_cut_in_the_dead_letters_and_the_stream_goes_on(
    stream: Stream,
) -> None:
    large = b"{" + b"x" * 1_047_000
    stream.send([large, raw(transaction(0, transaction_id="after-the-large-one"))], key=b"large")
    ((value, headers),) = [(value, headers) for key, value, headers in stream.read("dlq_topic") if key == b"large"]
    letter = DeadLetter.from_headers(list(headers))
    assert (letter.reason, letter.truncated) == (Reason.TOO_LARGE, True)
    assert value == large[: len(value)]
    assert len(value) == MAX_VALUE - MARGIN
    assert (letter.size, letter.sha256) == (len(large), hashlib.sha256(large).hexdigest())
    assert any(b'"after-the-large-one"' in value for _, value, _ in stream.read("decisions_topic"))


def test_a_promoted_model_takes_over_without_a_restart_and_a_broken_one_does_not(stream: Stream) -> None:
    models, service = stream.scorer.models, stream.service
    serve(models, 2)
    _until(lambda: service.metric("fraud_model_swaps_total") >= 1)
    stream.send([raw(transaction(0, transaction_id="by-two"))])
    (models / "1" / MANIFEST).write_text("{}")
    serve(models, 1)
    _until(lambda: service.metric("fraud_model_swaps_total") >= 2)
    stream.send([raw(transaction(0, transaction_id="still-by-two"))])
    serve(models, 2)  # what a rollback does
    decisions = [Decision.model_validate_json(value) for _, value, _ in stream.read("decisions_topic")]
    by = {decision.transaction_id: decision.model_version for decision in decisions}
    assert by["by-two"] == by["still-by-two"] == 2
    assert "refused" in service.log.read_text()


def _until(done: object, tries: int = 200) -> None:
    import time

    assert callable(done)
    for _ in range(tries):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("never happened")


def test_sigterm_finishes_and_a_restart_goes_on_with_the_same_features(stream: Stream) -> None:
    scorer, service = stream.scorer, stream.service
    with scorer.load(rate=300):
        scorer.until_moved(scorer.committed() + 300)
        assert service.stop() == 0, service.last_line()
        snapshots = list((scorer.folder / "snapshots").rglob("*.npz"))
        assert snapshots
        service.start()
        service.ready()
        assert '"source": "snapshot"' in service.log.read_text()
        scorer.until_moved(scorer.committed() + 300)
    scorer.until_caught_up()
    assert service.stop() == 0
    delivery = check_delivery(scorer)
    assert delivery.clean, delivery


def test_the_log_is_json_on_every_line(stream: Stream) -> None:
    import json

    path: Path = stream.service.log
    for line in path.read_text().splitlines():
        if not line.startswith(("WARNING: All log messages before absl", "I0000")):  # TensorFlow's own, at its import
            assert "event" in json.loads(line)
