"""How often the value of each own category was seen: a small counter for each value, in a set-associative memory.

A value may be in one of VALUE_WAYS places that its hash names; where all are taken, the one that was not seen for
longest makes room. So there is neither a list to keep nor a sweep, nothing in the arrays leads anywhere, and what is
forgotten follows from the log alone. Counts are by whole buckets, as those of merchants (`buckets`).

A hundred categories are a hundred counters an event: a counter lies in one piece, and what depends on the event's time
alone is computed once.
"""

import numpy as np

from fraud.compiled import compiled
from fraud.history.kernel.event_measures import EVENT_MEASURES, Columns
from fraud.history.kernel.layout import (
    BUCKETS,
    VALUE_COUNTS,
    VALUE_HEADS,
    VALUE_LAST,
    VALUE_PLACES,
    VALUE_WAYS,
    Int,
    State,
)
from fraud.history.kernel.measures import Scratch
from fraud.history.kernel.prefetch import ask_for_bytes
from fraud.units import DAY_US, MINUTE_US

SPAN_NAMES = ("24h", "30d")
_DAY, _MONTH = 0, 1
_DAY_WIDTH, _MONTH_WIDTH = DAY_US // BUCKETS, 30 * DAY_US // BUCKETS
_SETS = VALUE_PLACES // VALUE_WAYS
_MOST = np.iinfo(np.int32).max
_ATTRIBUTE_AT = len(EVENT_MEASURES)


@compiled
def read_values(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """Write after the event's own measures how often the value of each category was seen; missing without a value."""
    values, categories = scratch.values, state.value_keys.shape[0]
    first = columns.attributes.shape[1] - categories
    at = _ATTRIBUTE_AT + columns.attributes.shape[1]
    day, month = columns.time[row] // _DAY_WIDTH, columns.time[row] // _MONTH_WIDTH
    size = state.value_counts.strides[1]
    for category in range(categories):
        key = _key(columns, row, first + category)
        place = _find(state, category, key) if key != 0 else np.int64(-1)
        scratch.value_places[category] = place
        if place >= 0:
            ask_for_bytes(state.value_counts, (category * VALUE_PLACES + place) * size, size)
    for category in range(categories):
        place = scratch.value_places[category]
        if place >= 0:
            values[at] = _seen(state, category, place, _DAY, day)
            values[at + 1] = _seen(state, category, place, _MONTH, month)
        else:
            values[at] = values[at + 1] = np.nan if _key(columns, row, first + category) == 0 else 0.0
        at += 2


@compiled
def count_values(state: State, columns: Columns, row: Int, until: Int, scratch: Scratch) -> None:
    """Count the event's values, at `until` at the latest; `read_values` of the same event comes first."""
    categories = state.value_keys.shape[0]
    first = columns.attributes.shape[1] - categories
    time = min(columns.time[row], until)
    minute, last_minute = time // MINUTE_US, until // MINUTE_US
    day, last_day = time // _DAY_WIDTH, until // _DAY_WIDTH
    month, last_month = time // _MONTH_WIDTH, until // _MONTH_WIDTH
    for category in range(categories):
        key = _key(columns, row, first + category)
        if key == 0:
            continue
        place = scratch.value_places[category]
        if place < 0:
            place = _make_room(state, category, key)
        last = np.int64(state.value_counts[category, place, VALUE_LAST])
        # One after `until` was noted before the first events agreed on the time.
        state.value_counts[category, place, VALUE_LAST] = minute if last > last_minute else max(last, minute)
        _count(state, category, place, _DAY, day, last_day)
        _count(state, category, place, _MONTH, month, last_month)


@compiled
def _key(columns: Columns, row: Int, column: Int) -> Int:
    value = columns.attributes[row, column]
    return np.int64(value) if value == value else np.int64(0)  # noqa: PLR0124 - NaN is not itself


@compiled
def _find(state: State, category: Int, key: Int) -> Int:
    first = (key & (_SETS - 1)) * VALUE_WAYS
    for place in range(first, first + VALUE_WAYS):
        if state.value_keys[category, place] == key:
            return place
    return -1


@compiled
def _make_room(state: State, category: Int, key: Int) -> Int:
    """A blank place for a value: a free one of its set, else that of the value with the oldest last event."""
    first = (key & (_SETS - 1)) * VALUE_WAYS
    counts = state.value_counts
    chosen = first
    for place in range(first, first + VALUE_WAYS):
        if state.value_keys[category, place] == 0:
            chosen = place
            break
        if counts[category, place, VALUE_LAST] < counts[category, chosen, VALUE_LAST]:
            chosen = place
    state.value_keys[category, chosen] = key
    for part in range(counts.shape[2]):
        counts[category, chosen, part] = 0
    counts[category, chosen, VALUE_LAST] = -_MOST
    return chosen


@compiled
def _seen(state: State, category: Int, place: Int, span: Int, number: Int) -> Int:
    """The sum of the buckets from `number - BUCKETS` to `number`: a span is BUCKETS of them."""
    counts = state.value_counts
    start = VALUE_COUNTS + span * (BUCKETS + 1)
    head = np.int64(counts[category, place, VALUE_HEADS + span])
    total = np.int64(0)
    if number == head:  # as of most values: all of them, which needs no look at each one's number
        for bucket in range(BUCKETS + 1):
            total += np.int64(counts[category, place, start + bucket])
        return total
    for held in range(max(number, head) - BUCKETS, min(number, head) + 1):
        total += np.int64(counts[category, place, start + (held & BUCKETS)])
    return total


@compiled
def _count(state: State, category: Int, place: Int, span: Int, number: Int, last: Int) -> None:
    counts = state.value_counts
    start = VALUE_COUNTS + span * (BUCKETS + 1)
    head = np.int64(counts[category, place, VALUE_HEADS + span])
    if number != head:
        if head > last:  # set before the first events agreed on the time
            head = np.int64(number - BUCKETS - 1)
        if number > head:
            for fresh in range(max(head + 1, number - BUCKETS), number + 1):
                counts[category, place, start + (fresh & BUCKETS)] = 0
            counts[category, place, VALUE_HEADS + span] = number
        elif number < head - BUCKETS:
            return
    if counts[category, place, start + (number & BUCKETS)] < _MOST:
        counts[category, place, start + (number & BUCKETS)] += 1
