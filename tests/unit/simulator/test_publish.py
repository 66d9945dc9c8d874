from itertools import pairwise

import pytest

from simulator.config import SimulationConfig
from simulator.output.publish import Message, messages, publish
from simulator.output.resume import known_by, missing
from simulator.simulation import simulate


class Recorder:
    """A producer that remembers, and by whose clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[tuple[float, Message]] = []
        self.flushed = 0

    def send(self, message: Message) -> None:
        self.sent.append((self.now, message))

    def flush(self) -> None:
        self.flushed += 1

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    return list(messages(simulate(SimulationConfig(transactions=400, days=5))))


def test_records_are_keyed_by_customer_and_stamped_with_event_time(stream: list[Message]) -> None:
    assert all(before.timestamp_ms <= after.timestamp_ms for before, after in pairwise(stream))
    for message in stream:
        assert b'"customer_id":"' + message.key + b'"' in message.value


def test_labels_travel_between_the_events_among_which_they_are_received() -> None:
    simulation = simulate(SimulationConfig(transactions=2_000, days=60, base_rate=0.02))
    mixed = list(messages(simulation, labels=True))
    assert all(before.timestamp_ms <= after.timestamp_ms for before, after in pairwise(mixed))
    labels = [message for message in mixed if message.is_label]
    assert 5 < len(labels) < simulation.labels.num_rows
    assert all(b'"transaction_id":"' + label.key + b'"' in label.value for label in labels)
    assert [message for message in mixed if not message.is_label] == list(messages(simulation))


def test_everything_is_sent_in_order_and_flushed(stream: list[Message]) -> None:
    recorder = Recorder()
    told: list[int] = []
    count = publish(iter(stream), recorder, rate=0, progress=told.append, clock=recorder.clock, sleep=recorder.sleep)
    assert count == len(stream) == sum(told)
    assert [message for _, message in recorder.sent] == stream
    assert recorder.flushed == 1
    assert recorder.now == 100.0


def test_the_rate_is_kept_within_a_tick(stream: list[Message]) -> None:
    recorder = Recorder()
    publish(iter(stream), recorder, rate=200, clock=recorder.clock, sleep=recorder.sleep)
    for index, (at, _) in enumerate(recorder.sent):
        assert at - 100 == pytest.approx(index / 200, abs=0.021)


def test_nothing_to_send_is_still_flushed() -> None:
    recorder = Recorder()
    assert publish(iter([]), recorder, rate=10, clock=recorder.clock, sleep=recorder.sleep) == 0
    assert recorder.flushed == 1


def test_a_stop_ends_it_between_two_records_even_while_it_waits(stream: list[Message]) -> None:
    recorder = Recorder()
    until = 100.0 + 7.5 / 200
    count = publish(
        iter(stream),
        recorder,
        rate=200,
        clock=recorder.clock,
        sleep=recorder.sleep,
        stopped=lambda: recorder.now >= until,
    )
    assert count == len(recorder.sent) < len(stream)
    assert all(at < until for at, _ in recorder.sent)
    assert recorder.flushed == 1


def test_a_stream_that_is_sent_again_goes_on_where_it_ended(stream: list[Message]) -> None:
    there = {known_by(message.value) for message in [*stream[:100], stream[150]]}
    assert list(missing(iter(stream), there)) == [*stream[100:150], *stream[151:]]
    assert list(missing(iter(stream), {known_by(message.value) for message in stream})) == []
