"""How often the value of each own category was seen: a small counter for each value, in a set-associative memory.

A value may be in one of VALUE_WAYS places that its hash names; where all are taken, the one that was not seen for
longest makes room. So there is neither a list to keep nor a sweep, nothing in the arrays leads anywhere, and what is
forgotten follows from the log alone. Counts are by whole buckets, as those of merchants (`buckets`).
"""

import numpy as np

from fraud.history.kernel.compiled import compiled
from fraud.history.kernel.event_measures import EVENT_MEASURES, Columns
from fraud.history.kernel.layout import BUCKETS, VALUE_PLACES, VALUE_WAYS, Int, State
from fraud.history.kernel.measures import Scratch
from fraud.units import DAY_US

SPANS = (DAY_US, 30 * DAY_US)
SPAN_NAMES = ("24h", "30d")
_WIDTHS = np.array([span // BUCKETS for span in SPANS], np.int64)
_LENGTHS = np.array(SPANS, np.int64)
_SPANS = len(SPANS)
_SETS = VALUE_PLACES // VALUE_WAYS
_MOST = np.uint32(0xFFFFFFFF)
_ATTRIBUTE_AT = len(EVENT_MEASURES)


@compiled
def read_values(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """Write after the event's own measures how often the value of each category was seen; missing without a value."""
    values, categories = scratch.values, state.value_keys.shape[0]
    first = columns.attributes.shape[1] - categories
    at = _ATTRIBUTE_AT + columns.attributes.shape[1]
    time = columns.time[row]
    for category in range(categories):
        key = _key(columns, row, first + category)
        place = _find(state, category, key) if key != 0 else np.int64(-1)
        scratch.value_places[category] = place
        for span in range(_SPANS):
            if key == 0:
                values[at] = np.nan
            else:
                values[at] = float(_seen(state, category, place, span, time)) if place >= 0 else 0.0
            at += 1


@compiled
def count_values(state: State, columns: Columns, row: Int, until: Int, scratch: Scratch) -> None:
    """Count the event's values, at `until` at the latest; `read_values` of the same event comes first."""
    categories = state.value_keys.shape[0]
    first = columns.attributes.shape[1] - categories
    time = min(columns.time[row], until)
    for category in range(categories):
        key = _key(columns, row, first + category)
        if key == 0:
            continue
        place = scratch.value_places[category]
        if place < 0:
            place = _make_room(state, category, key)
        lasts = state.value_lasts
        if lasts[category, place] > until:  # before the first events agreed on the time
            lasts[category, place] = time
        lasts[category, place] = max(lasts[category, place], time)
        for span in range(_SPANS):
            _count(state, category, place, span, time, until)


@compiled
def _key(columns: Columns, row: Int, column: Int) -> Int:
    value = columns.attributes[row, column]
    return np.int64(value) if value == value else np.int64(0)  # noqa: PLR0124 - NaN is not itself


@compiled
def _find(state: State, category: Int, key: Int) -> Int:
    first = (key % _SETS) * VALUE_WAYS
    for place in range(first, first + VALUE_WAYS):
        if state.value_keys[category, place] == key:
            return place
    return -1


@compiled
def _make_room(state: State, category: Int, key: Int) -> Int:
    """A blank place for a value: a free one of its set, else that of the value with the oldest last event."""
    first = (key % _SETS) * VALUE_WAYS
    chosen = first
    for place in range(first, first + VALUE_WAYS):
        if state.value_keys[category, place] == 0:
            chosen = place
            break
        if state.value_lasts[category, place] < state.value_lasts[category, chosen]:
            chosen = place
    state.value_keys[category, chosen] = key
    state.value_lasts[category, chosen] = 0
    for span in range(_SPANS):
        state.value_heads[category, chosen, span] = 0
        for bucket in range(BUCKETS + 1):
            state.value_counts[category, chosen, span, bucket] = 0
    return chosen


@compiled
def _seen(state: State, category: Int, place: Int, span: Int, time: Int) -> Int:
    head = np.int64(state.value_heads[category, place, span])
    newest = min(time // _WIDTHS[span], head)
    oldest = max((time - _LENGTHS[span]) // _WIDTHS[span], head - BUCKETS)
    total = np.int64(0)
    for number in range(oldest, newest + 1):
        total += np.int64(state.value_counts[category, place, span, number & BUCKETS])
    return total


@compiled
def _count(state: State, category: Int, place: Int, span: Int, time: Int, until: Int) -> None:
    number = time // _WIDTHS[span]
    head = np.int64(state.value_heads[category, place, span])
    counts = state.value_counts
    if head * _WIDTHS[span] > until:
        head = number - BUCKETS - 1
    if number > head:
        for fresh in range(max(head + 1, number - BUCKETS), number + 1):
            counts[category, place, span, fresh & BUCKETS] = 0
        state.value_heads[category, place, span] = number
    elif number < head - BUCKETS:
        return
    if counts[category, place, span, number & BUCKETS] < _MOST:
        counts[category, place, span, number & BUCKETS] += 1
