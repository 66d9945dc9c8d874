"""The loop under faults, on the in-memory log: every record is scored once, published once, whatever happens."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from fraud.history import HistoryConfig
from service.adapters.memory import MemoryBroker, MemoryLog, MemorySnapshots
from service.bootstrap import Adapters, Service, compose
from service.errors import OffsetsLost, TooManyDeadLetters
from service.metrics import Metrics
from service.ports import Channel, Float32s, ModelSource, SnapshotStore
from service.runner import Unfinished
from service.settings import Settings
from tests.bundles import AmountModel, FixedModels
from tests.events import at_us, outcome, raw, transaction

CONFIG = HistoryConfig(max_entities=1 << 12, max_entries=1 << 14, max_bucketed=1 << 8, recent_capacity=1 << 12)


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
    **settings: object,
) -> tuple[Service, CollectorRegistry]:
    registry = CollectorRegistry()
    adapters = Adapters(
        MemoryLog(broker, instance_id=instance, batch_records=batch),
        models or FixedModels(),
        snapshots or MemorySnapshots(),
        SteppingClock(),
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
    with pytest.raises(FloatingPointError):
        run_until(running, all_done(broker))
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

    def turn() -> bool:
        if broker.positions.get(0, 0) >= 10:
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


def test_an_outage_that_raises_nothing_is_told_once_and_so_is_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    broker = filled()
    running, _ = service(broker)
    log, turns = running.runner._log, iter(range(20))
    log.joined = lambda: not 5 <= next(turns, 20) < 12  # type: ignore[method-assign]
    run_until(running, lambda: next(turns, 20) == 20)
    said = capsys.readouterr().out
    assert said.count("not a member of the consumer group") == 1
    assert said.count("ready") == 3, "ready, not ready, ready"
