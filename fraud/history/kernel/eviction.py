"""Keeping the history within its caps, at log positions that depend on the number of records alone."""

import numpy as np

from fraud.compiled import compiled, compiled_with_arrays
from fraud.history.kernel.allocator import free_slot, known_at
from fraud.history.kernel.layout import BUCKETED, KINDS, OWN_RINGS, OWN_ROWS, SLACK, Counter, Int, Limits, State

_SLOT_TOP, _SLOTS_USED, _SWEEP = Counter.SLOT_TOP, Counter.SLOTS_USED, Counter.SWEEP
_ENTRIES_USED, _ROWS_USED = Counter.ENTRIES_USED, Counter.ROWS_USED
_EVICTED, _OWN_EVICTED = Counter.EVICTED, Counter.OWN_EVICTED
_WATERMARK = Counter.WATERMARK
_BIN, _MERCHANT = (KINDS.index(name) for name in BUCKETED)
_NEVER = np.iinfo(np.int64).min
_SWEEP_FACTOR = 16
"""Slots looked at per record; the whole history is swept many times within any horizon."""
_SHARE = 8
"""One in so many goes when a cap is reached: rarely enough to be cheap, little enough to hurt little."""
_ALL, _BUILT_IN = -1, -2
"""What may go: anything; merchants and bins; else the own entities of one kind, so that none of these pushes out
another's counters: whoever pays chooses their ids."""


@compiled
def is_bucketed(kind: Int) -> bool:
    """Whether a kind keeps bucketed counters."""
    return bool(kind in (_BIN, _MERCHANT) or kind >= OWN_ROWS)


@compiled_with_arrays
def tidy(state: State, limits: Limits) -> None:
    """Forget the idle; then, where a cap is passed, the entities with the oldest last event."""
    counters = state.counters
    _sweep(state, counters[_WATERMARK] - limits.horizon - SLACK, limits.tidy_every * _SWEEP_FACTOR)
    share, built_in = limits.max_bucketed // _SHARE, counters[_ROWS_USED]
    for own in range(state.recent_own.shape[1]):
        rows = counters[known_at(OWN_ROWS + own)]
        built_in -= rows
        if rows > limits.max_bucketed:
            _evict(state, OWN_ROWS + own, rows - limits.max_bucketed + share)
    if built_in > limits.max_bucketed:
        _evict(state, _BUILT_IN, built_in - limits.max_bucketed + share)
    if counters[_SLOTS_USED] > limits.max_entities:
        _evict(state, _ALL, counters[_SLOTS_USED] - limits.max_entities + limits.max_entities // _SHARE)
    elif counters[_ENTRIES_USED] > limits.max_entries:
        _evict(state, _ALL, counters[_SLOTS_USED] // _SHARE)


@compiled_with_arrays
def _sweep(state: State, idle: Int, steps: Int) -> None:
    """Look at the next slots and free those whose last event is before `idle`: they read as unknown already."""
    counters = state.counters
    top = counters[_SLOT_TOP]
    for _ in range(min(steps, top)):
        index = counters[_SWEEP] if counters[_SWEEP] < top else 0
        counters[_SWEEP] = index + 1
        slot = state.slots[index]
        if slot["kind"] != 0 and slot["last"] <= idle:
            free_slot(state, index, is_bucketed(np.int64(slot["kind"]) - 1))


@compiled_with_arrays
def _evict(state: State, group: Int, wanted: Int) -> None:
    """Free `wanted` entities of a group, oldest last event first, equal ones in slot order.

    Those of a wrong clock, which would never be old, go before all others.
    """
    counters = state.counters
    latest = counters[_WATERMARK] + SLACK
    top = counters[_SLOT_TOP]
    lasts = np.empty(top, np.int64)
    n = 0
    for index in range(top):
        if _may_go(state, index, group):
            lasts[n] = _last_of(state, index, latest)
            n += 1
    wanted = min(wanted, n)
    if wanted <= 0:
        return
    bound = np.partition(lasts[:n], wanted - 1)[wanted - 1]
    ties = wanted - np.sum(lasts[:n] < bound)
    for index in range(top):
        last = _last_of(state, index, latest)
        if not _may_go(state, index, group) or last > bound:
            continue
        if last == bound:
            if ties == 0:
                continue
            ties -= 1
        kind = np.int64(state.slots[index]["kind"]) - 1
        counters[_EVICTED + kind if kind < OWN_RINGS else _OWN_EVICTED + kind - OWN_RINGS] += 1
        free_slot(state, index, is_bucketed(kind))


@compiled_with_arrays
def _last_of(state: State, index: Int, latest: Int) -> Int:
    last = np.int64(state.slots[index]["last"])
    return last if last <= latest else _NEVER


@compiled_with_arrays
def _may_go(state: State, index: Int, group: Int) -> bool:
    kind = np.int64(state.slots[index]["kind"]) - 1
    if group == _BUILT_IN:
        return bool(kind in (_BIN, _MERCHANT))
    return bool(kind >= 0 and group in (_ALL, kind))
