import numpy as np
import pytest

from service.observability.record_latency import LONGEST_US, RecordLatency
from service.ports import Records

S = 1_000_000
NOW = 1_700_000_000 * S
YEAR = 365 * 86_400 * S


def records(first: int, count: int, *, stamped: int, partition: int = 0) -> Records:
    return Records(
        partition, range(first, first + count), [stamped] * count, [None] * count, [b""] * count, [()] * count
    )


def latencies(waiting: RecordLatency, polled: Records, at: int) -> list[float]:
    return [float(x) for x in waiting.latencies(polled, at)]


def test_honest_timestamps_are_taken_as_they_are() -> None:
    waiting, polled = RecordLatency(), records(0, 2, stamped=NOW + S)
    waiting.look([], {0: 0}, NOW)
    waiting.look([polled], {0: 0}, NOW + 2 * S)
    assert latencies(waiting, polled, NOW + 3 * S) == [2.0, 2.0]


def test_a_record_has_not_waited_longer_than_since_the_last_look_that_did_not_find_it() -> None:
    waiting, polled = RecordLatency(), records(0, 1, stamped=NOW - YEAR)
    for second in (0, 1, 2):
        waiting.look([], {0: 0}, NOW + second * S)
    waiting.look([polled], {0: 0}, NOW + 3 * S)
    assert latencies(waiting, polled, NOW + 4 * S) == [pytest.approx(3.0)], (
        "two looks back: the last may have missed it"
    )


def test_in_a_backlog_the_bound_follows_the_looks_that_the_position_has_passed() -> None:
    waiting = RecordLatency()
    waiting.look([], {0: 0}, NOW)
    offset = 0
    for second in range(1, 61):  # ten come a second, ten are taken a second, and five always wait
        polled = records(offset, 10, stamped=NOW - YEAR)
        offset += 10
        waiting.look([polled], {0: 5}, NOW + second * S)
        assert waiting.longest(NOW + second * S) <= 3
        assert max(latencies(waiting, polled, NOW + second * S)) <= 4


def test_a_growing_backlog_is_told_as_it_grows() -> None:
    waiting = RecordLatency()
    waiting.look([], {0: 0}, NOW)
    for second in range(1, 61):
        waiting.look([records(second - 1, 1, stamped=NOW)], {0: second * 99}, NOW + second * S)
    assert waiting.longest(NOW + 60 * S) > 50
    waiting.look([records(60, 60 * 99, stamped=NOW)], {0: 0}, NOW + 61 * S)
    assert waiting.longest(NOW + 61 * S) == 0


def test_what_waited_at_the_takeover_has_its_timestamp_or_nothing() -> None:
    waiting = RecordLatency()
    old, new = records(0, 1, stamped=NOW - LONGEST_US), records(1, 1, stamped=NOW - 60 * S)
    waiting.look([old], {0: 1}, NOW)
    assert latencies(waiting, old, NOW) == []
    waiting.look([new], {0: 0}, NOW + S)
    assert latencies(waiting, new, NOW + S) == [61.0]
    later = records(2, 1, stamped=NOW - YEAR)
    waiting.look([later], {0: 0}, NOW + 2 * S)
    assert latencies(waiting, later, NOW + 2 * S) == [2.0], "it was not there when the partition was taken over"


def test_a_partition_that_goes_or_is_read_again_is_known_no_more() -> None:
    waiting, again = RecordLatency(), records(0, 5, stamped=NOW - YEAR)
    waiting.look([], {0: 0}, NOW)
    waiting.look([again], {0: 0}, NOW + S)
    waiting.look([again], {0: 0}, NOW + 2 * S)
    assert latencies(waiting, again, NOW + 2 * S) == []
    waiting.look([], {}, NOW + 3 * S)
    assert waiting.longest(NOW + 9 * S) == 0
    assert latencies(waiting, again, NOW + 9 * S) == []


def test_nothing_polled_has_no_latency() -> None:
    assert np.asarray(RecordLatency().latencies(records(0, 0, stamped=0), NOW)).shape == (0,)
