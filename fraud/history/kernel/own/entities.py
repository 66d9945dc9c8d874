"""The shop's own entities: a ring and a row of buckets each.

Nobody knows how busy a declared entity is. Attempts, declines and money come from the buckets, which do not saturate
however many payments a store has; distinct customers and cards and the times come from the ring, the last attempts. It
has no degree: an own entity is never shared.

What became of an attempt is counted by the record of the attempt (`dedupe`), not by the outcome's `attributes`:
producers repeat ids in outcomes, but hardly hundreds of fields, and a decline that nobody counts is silent. So it
counts while the transaction is remembered, as for merchants and bins; the ring needs no outcomes at all.
"""

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.batch import ENTITIES
from fraud.history.kernel.allocator import new_slot
from fraud.history.kernel.buckets import count_event, read_buckets, recount_attempt
from fraud.history.kernel.event_measures import Columns
from fraud.history.kernel.hash_table import find, mix, tag
from fraud.history.kernel.layout import MAX_OWN, OWN_RINGS, OWN_ROWS, Counter, Int, Limits, State
from fraud.history.kernel.measures import (
    ACTIVE_DAYS,
    ATTEMPTS,
    COUNT,
    FIRST,
    NEW,
    NEW_FIRST,
    NEW_SECOND,
    REFUNDS,
    SHARED,
    SINCE_FIRST,
    SINCE_LAST,
    SMALL,
    Scratch,
)
from fraud.history.kernel.prefetch import ask_for
from fraud.history.kernel.ring import push, read_ring
from fraud.history.kernel.sharing import active_days, touch

_SALT = Counter.SALT
_CARD, _CUSTOMER = ENTITIES.index("card"), ENTITIES.index("customer")
_ZERO = np.uint64(0)


@compiled
def locate_own(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """Keys and slots of the event's own entities, and their memory on its way; see `entities`."""
    secret = np.uint64(state.counters[_SALT])
    for own in range(columns.own_ids.shape[1]):
        held = columns.own_ids[row, own]
        for part in range(2):
            place = own + part * MAX_OWN
            key = mix(held ^ secret, np.uint64(OWN_RINGS + place + 1)) if held != _ZERO else _ZERO
            scratch.own_keys[place] = key
            scratch.own_found[place] = find(state.table, state.slots, key) if key != _ZERO else -1
        ring, bucketed = scratch.own_found[own], scratch.own_found[own + MAX_OWN]
        if ring >= 0:
            ask_for(state.entries, np.int64(state.slots[ring]["block"]), np.int64(state.slots[ring]["length"]))
        if bucketed >= 0 and state.slots[bucketed]["order"] != 0:
            ask_for(state.buckets, np.int64(state.slots[bucketed]["block"]), 1)
            ask_for(state.bucket_logs, np.int64(state.slots[bucketed]["block"]), 1)


@compiled
def measure_own(state: State, limits: Limits, columns: Columns, row: Int, log: Int, own: Int, scratch: Scratch) -> None:
    """All measures of one own entity: missing without an id, zeros when unknown."""
    values, kept, time = scratch.values, scratch.kept, columns.time[row]
    values[:COUNT] = np.nan
    if scratch.own_keys[own] == _ZERO:
        return
    values[SHARED] = 0.0
    first, second = tag(columns.ids[row, _CARD]), tag(columns.ids[row, _CUSTOMER])
    ring, bucketed = scratch.own_found[own], scratch.own_found[own + MAX_OWN]
    kept[:] = np.nan
    kept[FIRST:SMALL] = 0.0
    kept[NEW_FIRST], kept[NEW_SECOND] = _new(first), _new(second)
    days = np.int64(0)
    if ring >= 0 and time - state.slots[ring]["last"] < limits.horizon:
        read_ring(state, ring, time, log, first, second, limits.horizon, scratch)
        _copy(values, kept, 0, COUNT)
        days = np.int64(active_days(state, ring, time, limits.horizon))
    values[ATTEMPTS:FIRST] = 0.0
    values[SMALL] = values[REFUNDS] = 0.0
    if bucketed >= 0 and state.slots[bucketed]["order"] != 0:
        slot = state.slots[bucketed]
        if time - slot["last"] < limits.horizon:
            read_buckets(state, np.int64(slot["block"]), time, slot["last"], log, scratch)
    _copy(kept, values, FIRST, SMALL)
    _copy(kept, values, SINCE_LAST, SINCE_FIRST + 1)
    _copy(kept, values, NEW_FIRST, NEW_SECOND + 1)
    values[ACTIVE_DAYS] = days
    values[NEW] = 1.0 if days == 0 else 0.0
    values[SHARED] = 0.0


@compiled
def _copy(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64], start: Int, stop: Int) -> None:
    """One by one: a slice of an array into another would make an array."""
    for place in range(start, stop):
        target[place] = source[place]


@compiled
def _new(partner: np.uint32) -> float:
    return np.nan if partner == 0 else 1.0


@compiled
def update_own(
    state: State, limits: Limits, columns: Columns, row: Int, log: Int, quiet: Int, until: Int, scratch: Scratch
) -> None:
    """Take one attempt in; `locate_own` of the same event comes first."""
    time, amount, transaction = columns.time[row], columns.amount[row], columns.transaction[row]
    first, second = tag(columns.ids[row, _CARD]), tag(columns.ids[row, _CUSTOMER])
    for own in range(columns.own_ids.shape[1]):
        if scratch.own_keys[own] == _ZERO:
            continue
        ring = _slot(state, scratch, own)
        if ring >= 0:
            push(state, ring, time, amount, tag(transaction), first, second, log, quiet, limits.ring, limits.horizon)
            touch(state, ring, time)
        bucketed = _slot(state, scratch, own + MAX_OWN)
        if bucketed >= 0:
            count_event(state, bucketed, time, amount, log, quiet, until)


@compiled
def _slot(state: State, scratch: Scratch, place: Int) -> Int:
    index = scratch.own_found[place]
    return index if index >= 0 else new_slot(state, scratch.own_keys[place], OWN_RINGS + place)


@compiled
def remember_own(state: State, index: Int, scratch: Scratch) -> None:
    """Note in the record of a transaction whose outcomes will be counted."""
    for own in range(state.recent_own.shape[1]):
        state.recent_own[index, own] = scratch.own_keys[own + MAX_OWN]


@compiled
def settle_own(state: State, index: Int, after: Int) -> None:
    """Move the attempt of a record from its status to another in the buckets of its own entities."""
    for own in range(state.recent_own.shape[1]):
        key = state.recent_own[index, own]
        slot = find(state.table, state.slots, key) if key != _ZERO else -1
        # Keys of a snapshot from outside may be of anything.
        if slot >= 0 and state.slots[slot]["kind"] == OWN_ROWS + own + 1:
            recount_attempt(state, slot, index, after)
