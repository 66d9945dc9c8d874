"""The loop under faults, on the in-memory log: every record is scored once, published once, whatever happens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from structlog.typing import EventDict

from fraud.contracts.inbound import OPTIONAL_FIELDS
from fraud.contracts.outbound import Alert, Decision
from fraud.decoding.batch import Batch
from fraud.decoding.decoder import Decoded, Decoder
from fraud.features.encoder import Encoded
from fraud.features.risk_tables import RiskTables
from fraud.history.history import HistoryConfig
from local.testbed.bundles import AMOUNT, AmountModel, FixedModels
from local.testbed.events import at_us, outcome, raw, transaction
from runtime.errors import Misconfigured, OffsetsLost, Refused, TooManyDeadLetters, Unprocessable
from service.bootstrap import Adapters, Service, compose
from service.observability.metrics import Metrics
from service.outputs.dead_letters import MAX_KEY
from service.ports import Channel, Float32s, ModelSource, Snapshot, SnapshotStore
from service.runner import REFUSALS, Unfinished
from service.settings import Settings
from tests.support.memory_log import MemoryBroker, MemoryControls, MemoryLog, MemorySnapshots

CONFIG = HistoryConfig(max_entities=1 << 12, max_entries=1 << 14, max_bucketed=1 << 8, recent_capacity=1 << 12)


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[EventDict]]:
    """The log, which would otherwise show the whole history with every traceback."""
    with capture_logs() as captured:
        yield captured


@dataclass
class SteppingClock:
    """Time that passes by a little with every look."""

    seconds: float = 0.0
    step: float = 0.01
    looks: int = field(default=0)

    def now_us(self) -> int:
        return at_us() + int(self.monotonic() * 1e6)

    def monotonic(self) -> float:
        self.looks += 1
        self.seconds += self.step
        return self.seconds


def service(
    broker: MemoryBroker,
    *,
    models: ModelSource | None = None,
    snapshots: SnapshotStore | None = None,
    instance: str = "one",
    batch: int = 10,
    controls: MemoryControls | None = None,
    **settings: object,
) -> tuple[Service, CollectorRegistry]:
    registry = CollectorRegistry()
    adapters = Adapters(
        MemoryLog(broker, instance_id=instance, batch_records=batch),
        models or FixedModels(),
        snapshots or MemorySnapshots(),
        SteppingClock(),
        controls or MemoryControls(),
    )
    return compose(Settings(**settings), adapters, Metrics(registry), CONFIG), registry  # type: ignore[arg-type]


def run_until(running: Service, done: Callable[[], bool], *, polls: int = 1000) -> None:
    """Runs the service until the condition holds, which is looked at whenever the loop turns."""
    log = running.runner._log
    poll = log.poll
    turns = iter(range(polls))

    def watched(timeout: float) -> object:
        if done():
            running.stop.request()
        elif next(turns, None) is None:
            raise AssertionError("the loop turned often and the condition never held")
        return poll(timeout)

    log.poll = watched  # type: ignore[method-assign, assignment]
    try:
        running.runner.run()
    finally:
        log.poll = poll  # type: ignore[method-assign]


def scored(broker: MemoryBroker) -> list[str]:
    return [msgspec.json.decode(message.value)["transaction_id"] for message in broker.published[Channel.DECISIONS]]


def crcs(broker: MemoryBroker) -> dict[str, int]:
    decisions = [msgspec.json.decode(message.value) for message in broker.published[Channel.DECISIONS]]
    return {decision["transaction_id"]: decision["features_crc"] for decision in decisions}


def filled(count: int = 35, *, partitions: int = 1) -> MemoryBroker:
    broker = MemoryBroker(partitions)
    for i in range(count):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i), partition=i % partitions)
    return broker


def all_done(broker: MemoryBroker) -> Callable[[], bool]:
    return lambda: all(broker.positions.get(p) == broker.end(p) for p in range(broker.partitions) if broker.end(p))


def undisturbed(count: int = 35) -> dict[str, int]:
    """The features of an uninterrupted run."""
    broker = filled(count)
    running, _ = service(broker)
    run_until(running, all_done(broker))
    return crcs(broker)


def test_every_record_is_scored_once_in_order() -> None:
    broker = filled()
    running, registry = service(broker)
    run_until(running, all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(35)]
    assert registry.get_sample_value("fraud_transactions_total", {"action": "allow"}) == 35


@pytest.mark.parametrize("faults", [["before"], ["after"], ["before", "after", "before", "before", "after"]])
def test_a_commit_of_unknown_fate_neither_loses_nor_doubles(faults: list[str]) -> None:
    broker = filled()
    broker.faults[:] = faults  # type: ignore[assignment]
    running, registry = service(broker)
    run_until(running, all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(35)]
    assert crcs(broker) == undisturbed()
    assert registry.get_sample_value("fraud_transactions_retried_total") == len(faults)


def positions_at_each_batch(running: Service, broker: MemoryBroker) -> list[int | None]:
    """What was committed whenever a batch began to be scored; filled while the service runs."""
    seen: list[int | None] = []
    process = running.pipeline.process

    def watched(*args: object, **options: object) -> object:
        seen.append(broker.positions.get(0))
        return process(*args, **options)  # type: ignore[arg-type]

    running.pipeline.process = watched  # type: ignore[method-assign, assignment]
    return seen


def test_where_as_much_waits_the_next_batch_is_scored_while_one_is_committed() -> None:
    broker = filled(35)
    running, _ = service(broker, batch=10)
    seen = positions_at_each_batch(running, broker)
    run_until(running, all_done(broker))
    assert seen == [None, None, 10, 30]  # 25, 15, 5 and 0 waited
    assert crcs(broker) == undisturbed()


@pytest.mark.parametrize("fault", ["before", "after"])
def test_what_was_scored_meanwhile_is_left_to_whoever_took_the_partition_over(fault: str) -> None:
    broker = filled(40, partitions=2)
    running, _ = service(broker, batch=5)
    other, _ = service(broker, batch=5, instance="two")
    process, moments = running.pipeline.process, []

    def watched(*args: object, **options: object) -> object:
        if broker.positions == {} and len(running.pipeline.partitions) == 2:
            result = process(*args, **options)  # type: ignore[arg-type]
            if running.runner._committer._commit is not None:  # the second batch: the first is under way
                broker.faults[:] = [fault]  # type: ignore[list-item]
                broker.join("two")
                moments.append("taken over")
            return result
        return process(*args, **options)  # type: ignore[arg-type]

    running.pipeline.process = watched  # type: ignore[method-assign, assignment]
    run_until(running, lambda: broker.positions.get(0) == 20)
    assert moments == ["taken over"]
    assert broker.positions.get(1, 0) == 0
    run_until(other, all_done(broker))
    assert sorted(scored(broker)) == sorted(f"t{i}" for i in range(40))


def test_a_new_instance_goes_on_with_the_same_features() -> None:
    broker = filled(20)
    first, _ = service(broker)
    run_until(first, all_done(broker))
    for i in range(20, 35):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i))
    second, _ = service(broker, instance="two")
    broker.leave("one")
    run_until(second, all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(35)]
    assert crcs(broker) == undisturbed()


def test_a_snapshot_and_the_records_since_give_the_same_features_as_the_whole_log() -> None:
    broker, snapshots = filled(20), MemorySnapshots()
    first, _ = service(broker, snapshots=snapshots)
    run_until(first, all_done(broker))  # saves a snapshot when it stops
    for i in range(20, 28):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i))
    broker.leave("one")
    middle, _ = service(broker, instance="two")  # has snapshots of its own: leaves the first one's behind
    run_until(middle, all_done(broker))
    for i in range(28, 35):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i))
    broker.leave("two")
    last, _ = service(broker, instance="three", snapshots=snapshots)
    run_until(last, all_done(broker))
    found = snapshots.newest(0, 34)
    assert found is not None
    assert found.position == 20
    assert crcs(broker) == undisturbed()


def test_snapshots_beyond_a_position_that_was_set_back_are_discarded() -> None:
    broker, snapshots = filled(20), MemorySnapshots()
    run_until(service(broker, snapshots=snapshots)[0], all_done(broker))
    broker.leave("one")
    broker.positions[0] = 10
    again, _ = service(broker, snapshots=snapshots, instance="two")
    run_until(again, lambda: 0 in again.pipeline.partitions)
    kept = snapshots.newest(0, 99)
    assert kept is not None
    assert kept.position < 20


def test_one_kafka_timestamp_of_the_far_future_does_not_shorten_a_replay() -> None:
    broker = filled(20)
    broker.produce(raw(transaction(20)), key=b"c", timestamp_us=at_us(20) + 174 * 365 * 86_400_000_000)
    run_until(service(broker)[0], all_done(broker))
    for i in range(21, 35):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i))
    broker.leave("one")
    run_until(service(broker, instance="two")[0], all_done(broker))
    assert crcs(broker) == undisturbed()


def test_a_partition_that_another_instance_takes_over_is_dropped_and_scored_there() -> None:
    broker = filled(40, partitions=2)
    one, _ = service(broker, batch=5)
    run_until(one, lambda: broker.positions.get(1, 0) >= 10)
    two, _ = service(broker, instance="two", batch=5)
    two.runner._log.poll(0)  # joins and so takes one partition
    run_until(two, lambda: all(broker.positions.get(p) == 20 for p in two.runner._log.assignment().partitions))
    broker.leave("two")
    run_until(service(broker, batch=5)[0], all_done(broker))
    assert sorted(scored(broker)) == sorted(f"t{i}" for i in range(40))


def test_a_commit_after_ownership_passed_on_is_left_to_the_new_owner() -> None:
    broker = filled(10)
    running, _ = service(broker)
    log = running.runner._log
    commit = log.commit
    stolen: list[bool] = []

    def overtaken(outputs: object) -> object:
        if not stolen:
            stolen.append(True)
            other, _ = service(broker, instance="two")
            broker.leave("one")
            run_until(other, all_done(broker))
            broker.leave("two")
        return commit(outputs)  # type: ignore[arg-type]

    log.commit = overtaken  # type: ignore[method-assign, assignment]
    run_until(running, lambda: bool(stolen) and all_done(broker)())
    assert scored(broker) == [f"t{i}" for i in range(10)]


def test_dead_letters_carry_the_raw_bytes_and_where_they_came_from() -> None:
    broker = MemoryBroker()
    broker.produce(raw(transaction(0)), key=b"c", timestamp_us=at_us())
    broker.produce(b'{"type": "transaction"', key=b"key", timestamp_us=at_us(), headers=[("trace", b"7")])
    broker.produce(None, key=b"key", timestamp_us=at_us())
    running, registry = service(broker)
    run_until(running, all_done(broker))
    first, second = broker.published[Channel.DEAD_LETTERS]
    assert (first.key, first.value) == (b"key", b'{"type": "transaction"')
    headers = dict(first.headers)
    assert (headers["reason"], headers["source_offset"], headers["trace"]) == (b"not_json", b"1", b"7")
    assert (second.value, dict(second.headers)["reason"]) == (b"", b"empty")
    assert scored(broker) == ["t0"]
    assert registry.get_sample_value("fraud_dead_letters_total", {"reason": "not_json"}) == 1


def test_payments_with_invalid_optional_fields_are_scored_counted_and_marked() -> None:
    broker = MemoryBroker()
    for event in (
        transaction(0, ip="", attributes={"agent": "x" * 257, "a": 1}, amount="900.00"),
        transaction(1),
        outcome(1, avs=7),
        transaction(2, tz_offset_min=9999),
    ):
        broker.produce(raw(event), key=b"c", timestamp_us=at_us(3))
    running, registry = service(broker)
    run_until(running, all_done(broker))
    decisions = [Decision.model_validate_json(message.value) for message in broker.published[Channel.DECISIONS]]
    assert [decision.ignored for decision in decisions] == [["ip", "attributes"], None, ["tz_offset_min"]]
    (alert,) = [Alert.model_validate_json(message.value) for message in broker.published[Channel.ALERTS]]
    assert alert.ignored == ["ip", "attributes"]
    assert (alert.transaction.ip, alert.transaction.attributes) == (None, {"a": 1})
    assert not broker.published[Channel.DEAD_LETTERS]
    counted = {
        name: registry.get_sample_value("fraud_fields_ignored_total", {"field": name}) for name in OPTIONAL_FIELDS
    }
    wrong = ("ip", "attributes", "avs", "tz_offset_min")
    assert counted == dict.fromkeys(OPTIONAL_FIELDS, 0) | dict.fromkeys(wrong, 1)


def test_a_repeated_transaction_is_scored_once_and_a_conflicting_one_is_a_dead_letter() -> None:
    broker = MemoryBroker()
    for event in (transaction(0), transaction(0), transaction(0, amount="21.00")):
        broker.produce(raw(event), key=b"c", timestamp_us=at_us())
    running, registry = service(broker)
    run_until(running, all_done(broker))
    assert scored(broker) == ["t0"]
    assert registry.get_sample_value("fraud_duplicates_total") == 1
    assert [dict(message.headers)["reason"] for message in broker.published[Channel.DEAD_LETTERS]] == [b"conflict"]


def test_outcomes_change_history_and_give_no_output() -> None:
    broker = MemoryBroker()
    broker.produce(raw(transaction(0)), timestamp_us=at_us())
    broker.produce(raw(outcome(0, kind="declined")), timestamp_us=at_us())
    broker.produce(raw(transaction(1, customer_id="c0", card_id="card0")), timestamp_us=at_us(2))
    running, registry = service(broker)
    run_until(running, all_done(broker))
    assert scored(broker) == ["t0", "t1"]
    assert registry.get_sample_value("fraud_records_total", {"kind": "outcome"}) == 1


def test_most_records_dead_stops_before_the_commit() -> None:
    broker = MemoryBroker()
    for _ in range(3_000):
        broker.produce(b"broken", timestamp_us=at_us())
    running, _ = service(broker, batch=600)
    with pytest.raises(TooManyDeadLetters) as stopped:
        run_until(running, all_done(broker))
    assert stopped.value.code == 3
    assert broker.positions[0] == 600
    assert len(broker.published[Channel.DEAD_LETTERS]) == 600


def test_the_cap_can_be_turned_off() -> None:
    broker = MemoryBroker()
    for _ in range(3_000):
        broker.produce(b"broken", timestamp_us=at_us())
    running, _ = service(broker, batch=600, deadletter_cap="off")
    run_until(running, all_done(broker))
    assert len(broker.published[Channel.DEAD_LETTERS]) == 3_000


def test_an_error_in_the_pipeline_stops_without_committing() -> None:
    class Broken(AmountModel):
        def score(self, features: Float32s) -> tuple[Float32s, Float32s]:  # noqa: ARG002 - as the port has it
            raise FloatingPointError("no")

    broker = filled(5)
    running, _ = service(broker, models=FixedModels(Broken()))
    with pytest.raises(Unprocessable, match=r"payments\.transactions\.v1-0@0 .*FloatingPointError") as stopped:
        run_until(running, all_done(broker))
    assert stopped.value.code == 1
    assert broker.positions == {}
    assert scored(broker) == []


def test_a_broker_that_is_away_is_waited_for_and_fails_readiness_only() -> None:
    broker = filled(5)
    running, _ = service(broker)
    seen: list[str | None] = []

    def turn() -> bool:
        seen.append(running.health.unready)
        broker.away = 3 <= len(seen) < 6
        return all_done(broker)() and not broker.away and len(seen) > 8

    running.stop.wait = lambda _: None  # type: ignore[method-assign, assignment]
    run_until(running, turn)
    assert "waiting for the broker" in seen
    assert running.health.stuck() is None
    assert scored(broker) == [f"t{i}" for i in range(5)]


def test_a_stop_that_cannot_finish_the_batch_in_time_leaves_it_uncommitted() -> None:
    broker = filled(5)
    running, _ = service(broker, shutdown=5)
    log = running.runner._log

    def commit(outputs: object) -> object:
        broker.away = True
        running.stop.request()
        return MemoryLog.commit(log, outputs)  # type: ignore[arg-type]

    log.commit = commit  # type: ignore[method-assign, assignment]
    running.stop.wait = lambda _: None  # type: ignore[method-assign, assignment]
    with pytest.raises(Unfinished) as stopped:
        run_until(running, lambda: False)
    assert stopped.value.code == 1
    assert broker.positions == {}


def test_a_log_that_no_longer_holds_what_comes_next_stops_and_names_the_range() -> None:
    broker = filled(30)
    broker.positions[0] = 5
    running, _ = service(broker)
    running.runner._log.bounds = lambda _: (12, 30)  # type: ignore[method-assign, assignment]
    with pytest.raises(OffsetsLost, match="offsets 5 to 11"):
        run_until(running, all_done(broker))


def test_a_shadow_is_written_down_and_never_alerts() -> None:
    broker = filled(3)
    running, registry = service(broker, models=FixedModels(AmountModel(1), AmountModel(2, half=1.0)))
    run_until(running, all_done(broker))
    decision = msgspec.json.decode(broker.published[Channel.DECISIONS][0].value)
    assert decision["model_version"] == 1
    assert decision["shadow"]["model_version"] == 2
    assert decision["shadow"]["action"] != "allow"
    assert broker.published[Channel.ALERTS] == []
    assert registry.get_sample_value("fraud_shadow_would_alert_total") == 3
    assert registry.get_sample_value("fraud_shadow_agreement_total", {"result": "differ"}) == 3


def test_models_are_swapped_between_two_batches() -> None:
    broker, models = filled(30), FixedModels(AmountModel(1))
    running, _ = service(broker, models=models)
    batches = positions_at_each_batch(running, broker)

    def turn() -> bool:
        if batches:
            models.models = FixedModels(AmountModel(2)).models
        return all_done(broker)()

    run_until(running, turn)
    versions = [msgspec.json.decode(m.value)["model_version"] for m in broker.published[Channel.DECISIONS]]
    assert versions == [1] * 10 + [2] * 20


def test_a_stop_during_a_long_restore_ends_it_and_the_next_start_begins_again() -> None:
    broker = filled(40)
    run_until(service(broker)[0], all_done(broker))
    for i in range(40, 45):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i))
    broker.leave("one")
    stopped, _ = service(broker, instance="two", batch=5)
    replay = stopped.runner._log.replay

    def replayed(partition: int, start: int, end: int) -> object:
        for records in replay(partition, start, end):
            stopped.stop.request()
            yield records

    stopped.runner._log.replay = replayed  # type: ignore[method-assign, assignment]
    run_until(stopped, lambda: False)
    assert stopped.pipeline.partitions == {}
    broker.leave("two")
    run_until(service(broker, instance="three")[0], all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(45)]
    assert crcs(broker) == undisturbed(45)


class Poisoned(AmountModel):
    """Raises on one amount, as a graph may."""

    def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
        if (features[:, AMOUNT] == 666).any():
            raise FloatingPointError("no")
        return super().score(features)


def with_poison(at: int, count: int = 35, *, partitions: int = 1) -> MemoryBroker:
    broker = MemoryBroker(partitions)
    for i in range(count):
        event = transaction(i, amount="666.00") if i == at else transaction(i)
        broker.produce(raw(event), key=b"c", timestamp_us=at_us(i), partition=i % partitions)
    return broker


@pytest.mark.parametrize("at", [0, 13, 34])
def test_a_record_that_cannot_be_scored_stops_the_service_which_names_it(at: int) -> None:
    broker = with_poison(at)
    running, _ = service(broker, models=FixedModels(Poisoned()))
    with pytest.raises(Unprocessable, match=rf"payments\.transactions\.v1-0@{at} "):
        run_until(running, all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(at)], "all before it is committed, and nothing behind it"
    assert broker.positions.get(0, 0) == at
    assert broker.published[Channel.DEAD_LETTERS] == []


@pytest.mark.parametrize(("at", "partitions"), [(0, 1), (13, 1), (34, 1), (13, 3)])
def test_a_record_that_cannot_be_scored_is_set_aside_and_the_histories_are_as_if_nothing_had_been(
    at: int, partitions: int
) -> None:
    broker = with_poison(at, partitions=partitions)
    running, registry = service(broker, models=FixedModels(Poisoned()), set_aside="on")
    run_until(running, all_done(broker))
    assert sorted(scored(broker)) == sorted(f"t{i}" for i in range(35) if i != at)
    (letter,) = broker.published[Channel.DEAD_LETTERS]
    facts = dict(letter.headers)
    assert (facts["reason"], facts["detail"]) == (b"unprocessable", b"FloatingPointError")
    assert (int(facts["source_partition"]), int(facts["source_offset"])) == (at % partitions, at // partitions)
    assert registry.get_sample_value("fraud_dead_letters_total", {"reason": "unprocessable"}) == 1
    calm = with_poison(at, partitions=partitions)
    run_until(service(calm)[0], all_done(calm))
    assert crcs(broker).items() <= crcs(calm).items()


def test_an_error_that_passes_by_itself_costs_a_restore_and_nothing_else() -> None:
    class Once(AmountModel):
        left = 1

        def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
            if self.left:
                self.left -= 1
                raise MemoryError
            return super().score(features)

    broker = filled()
    running, _ = service(broker, models=FixedModels(Once()))
    run_until(running, all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(35)]
    assert crcs(broker) == undisturbed()


class Stumbling:
    """A decoder that fails on one message whatever stands beside it."""

    def __init__(self, decoder: Decoder, on: bytes) -> None:
        self._decoder, self._on, self.rates = decoder, on, decoder.rates

    def decode(self, values: Sequence[bytes | None], timestamps_us: Sequence[int]) -> Decoded:
        if self._on in values:
            raise RecursionError("no")
        return self._decoder.decode(values, timestamps_us)


def stumbling(broker: MemoryBroker, on: bytes, **settings: object) -> Service:
    running, _ = service(broker, **settings)  # type: ignore[arg-type]
    running.pipeline._decoder = Stumbling(running.pipeline._decoder, on)  # type: ignore[assignment]
    return running


def test_a_record_that_cannot_be_decoded_stops_the_service_which_names_it() -> None:
    broker = filled()
    with pytest.raises(Unprocessable, match=r"payments\.transactions\.v1-0@13 .*RecursionError"):
        run_until(stumbling(broker, raw(transaction(13))), all_done(broker))
    assert broker.positions == {0: 10}


def test_a_record_that_cannot_be_decoded_is_set_aside_in_every_replay_too() -> None:
    broker, on = filled(20), raw(transaction(13))
    run_until(stumbling(broker, on, set_aside="on"), all_done(broker))
    (letter,) = broker.published[Channel.DEAD_LETTERS]
    assert letter.value == on
    assert dict(letter.headers)["reason"] == b"unprocessable"
    assert dict(letter.headers)["source_offset"] == b"13"
    broker.leave("one")
    for i in range(20, 35):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i))
    run_until(stumbling(broker, on, instance="two"), all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(35) if i != 13]


def test_the_loop_beats_between_the_steps_of_a_batch() -> None:
    broker = filled(30, partitions=3)
    running, _ = service(broker)
    beats: list[str] = []
    beat = running.health.beat
    running.pipeline._beat = lambda: beats.append("batch") or beat()  # type: ignore[func-returns-value]
    run_until(running, all_done(broker))
    assert len(beats) >= 3 * 3 + 1, "decode, features and output of each partition, and after scoring"


def test_what_was_polled_together_with_a_new_assignment_is_not_processed_twice() -> None:
    broker = filled(35)
    broker.produce(b"broken", timestamp_us=at_us(40))
    running, _ = service(broker, batch=36)
    log = running.runner._log
    poll = log.poll
    early = broker.read(0, 0, 36)

    def polled(timeout: float) -> object:
        found = poll(timeout)
        return [early] if not found and running.runner._epoch is None else found

    log.poll = polled  # type: ignore[method-assign, assignment]
    run_until(running, all_done(broker))
    assert scored(broker) == [f"t{i}" for i in range(35)]
    assert len(broker.published[Channel.DEAD_LETTERS]) == 1
    assert running.pipeline.partitions[0].encoder.history.events == 35


def test_records_that_a_history_has_taken_in_are_refused() -> None:
    broker = filled(10)
    running, _ = service(broker)
    run_until(running, all_done(broker))
    again = broker.read(0, 9, 10)
    assert again is not None
    with pytest.raises(AssertionError, match="partition 0 stands at 10 and gets records from 9 on"):
        running.pipeline.process([again], FixedModels().current(), 0)


def test_messages_that_the_broker_will_never_take_stop_the_service_with_the_topic_and_their_size() -> None:
    broker = filled(5)
    running, _ = service(broker)
    unready: list[str | None] = []

    def publish(*_: object) -> object:
        unready.append(running.health.unready)
        raise Refused("dlq refuses messages (MessageSizeTooLargeError), the largest of 1048700 bytes")

    running.runner._log._publish = publish  # type: ignore[attr-defined]
    running.stop.wait = lambda _: None  # type: ignore[method-assign, assignment]
    with pytest.raises(Misconfigured, match=r"dlq refuses .* 1048700 bytes; refused 5 times") as stopped:
        run_until(running, lambda: False)
    assert stopped.value.code == 2
    assert unready == [None] + ["the last commit is in doubt"] * (REFUSALS - 1)
    assert broker.positions == {}


def test_a_batch_that_another_instance_took_over_is_not_counted() -> None:
    broker = filled(20)
    running, registry = service(broker)
    log = running.runner._log
    commit = log.commit
    stolen: list[bool] = []

    def overtaken(outputs: object) -> object:
        if not stolen:
            stolen.append(True)
            other, _ = service(broker, instance="two")
            broker.leave("one")
            run_until(other, all_done(broker))
            broker.leave("two")
        return commit(outputs)  # type: ignore[arg-type]

    log.commit = overtaken  # type: ignore[method-assign, assignment]
    run_until(running, lambda: bool(stolen) and all_done(broker)())
    assert registry.get_sample_value("fraud_transactions_total", {"action": "allow"}) == 0


def test_a_key_of_any_length_fits_beside_its_dead_letter() -> None:
    broker = MemoryBroker()
    for last in b"ab":
        broker.produce(b"broken", key=b"k" * 1_000_000 + bytes([last]), timestamp_us=at_us())
    run_until(service(broker)[0], all_done(broker))
    one, two = broker.published[Channel.DEAD_LETTERS]
    assert len(one.key or b"") == len(two.key or b"") == MAX_KEY
    assert one.key != two.key
    assert dict(one.headers)["truncated"] == b"true"


def test_a_record_without_a_value_of_its_own_is_a_dead_letter_that_says_why() -> None:
    broker = filled(3)
    running, _ = service(broker)
    poll = running.runner._log.poll

    def unread(timeout: float) -> object:
        return [
            replace(records, values=[*records.values[:1], None, *records.values[2:]], unread={1: "too much of it"})
            for records in poll(timeout)
        ]

    running.runner._log.poll = unread  # type: ignore[method-assign, assignment]
    run_until(running, all_done(broker))
    (letter,) = broker.published[Channel.DEAD_LETTERS]
    facts = dict(letter.headers)
    assert (facts["reason"], facts["detail"], facts["source_offset"]) == (b"too_large", b"too much of it", b"1")
    assert facts["truncated"] == b"true"


def test_a_restore_beats_around_each_snapshot_and_polls_long_enough_to_join() -> None:
    broker, snapshots = filled(20, partitions=2), MemorySnapshots()
    run_until(service(broker, snapshots=snapshots)[0], all_done(broker))
    broker.leave("one")
    for i in (20, 21):
        broker.produce(raw(transaction(i)), key=b"c", timestamp_us=at_us(i), partition=i % 2)
    running, _ = service(broker, snapshots=snapshots, instance="two")
    seen: list[str] = []
    newest, stay, poll = snapshots.newest, running.runner._stay, running.runner._log.poll

    def read(partition: int, at_most: int) -> Snapshot | None:
        seen.append(f"read {partition}")
        return newest(partition, at_most)

    def alive() -> None:
        seen.append("beat")
        stay()

    timeouts: list[float] = []

    def polled(timeout: float) -> object:
        timeouts.append(timeout)
        return poll(timeout)

    snapshots.newest = read  # type: ignore[method-assign]
    running.runner._stay = alive  # type: ignore[method-assign]
    running.runner._log.poll = polled  # type: ignore[method-assign, assignment]
    run_until(running, all_done(broker))
    assert seen == ["beat", "read 0", "beat", "beat", "read 1", "beat"]
    assert min(timeouts) > 0


def test_a_history_that_fails_on_a_record_stops_the_service_whatever_the_setting() -> None:
    broker = filled()
    running, _ = service(broker, set_aside="on")
    pipeline = running.pipeline
    adopt = pipeline.adopt

    def adopted(partition: int, *rest: object) -> None:
        adopt(partition, *rest)  # type: ignore[arg-type]
        encoder = pipeline.partitions[partition].encoder
        encode = encoder.encode

        def failing(batch: Batch, risk: RiskTables | None = None) -> Encoded:
            if (batch.amount == transaction_amount).any():
                raise ValueError("no")
            return encode(batch, risk)

        encoder.encode = failing  # type: ignore[method-assign]

    transaction_amount = 666_000_000
    broker._input[0][13] = replace(broker._input[0][13], value=raw(transaction(13, amount="666.00")))
    pipeline.adopt = adopted  # type: ignore[method-assign, assignment]
    with pytest.raises(Unprocessable, match=r"payments\.transactions\.v1-0@13 .*ValueError"):
        run_until(running, all_done(broker))
    assert broker.positions == {0: 13}
    broker.positions[0] = 20  # as if somebody had moved it
    with pytest.raises(Unprocessable, match="partition 0, offsets 10 to 19: their history cannot be restored"):
        run_until(running, all_done(broker))


def test_an_outage_that_raises_nothing_is_told_once_and_so_is_its_end(lines: list[EventDict]) -> None:
    broker = filled()
    running, _ = service(broker)
    log, turns = running.runner._log, iter(range(20))
    log.joined = lambda: not 5 <= next(turns, 20) < 12  # type: ignore[method-assign]
    run_until(running, lambda: next(turns, 20) == 20)
    changes = [(line["event"], line.get("reason")) for line in lines if "ready" in line["event"]]
    assert changes == [("ready", None), ("not ready", "not a member of the consumer group"), ("ready", None)]
