"""The hot path: for each event in log order, read its features, then take it into the history.

A plain sequential loop over integers, compiled by Numba. Nothing depends on how the log is cut into batches.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.batch import CATEGORIES, ENTITIES
from fraud.kernel.arena import new_row, new_slot
from fraud.kernel.buckets import count, read_buckets, recount
from fraud.kernel.columns import Columns, read_event
from fraud.kernel.compiled import compiled
from fraud.kernel.layout import DAY, KINDS, Counter, Int, Limits, State
from fraud.kernel.measures import (
    ACTIVE_DAYS,
    ATTEMPTS,
    COUNT,
    NEW,
    NEW_FIRST,
    NEW_SECOND,
    REFUNDS,
    SHARED,
    SINCE_LAST,
    Scratch,
)
from fraud.kernel.recent import content_of, expire, is_quiet, remember, transaction_key
from fraud.kernel.ring import log_amount, push, read_ring, settle
from fraud.kernel.table import find, mix, tag
from fraud.kernel.tidy import is_bucketed

_EVENTS, _WATERMARK = Counter.EVENTS, Counter.WATERMARK
SCORE, OUTCOME, DUPLICATE, CONFLICT = 0, 1, 2, 3

_ENTITIES = len(ENTITIES)
_KINDS = len(KINDS)
_CUSTOMER, _CARD, _BIN, _DEVICE, _IP, _EMAIL, _PHONE, _ADDRESS, _MERCHANT = range(_ENTITIES)
_COUNTRY = CATEGORIES.index("shipping_country")
_PARTNERS = np.array(
    [
        [_DEVICE, _CARD],  # customer
        [_MERCHANT, _DEVICE],  # card
        [0, 0],  # bin: none
        [_CARD, _CUSTOMER],  # device
        [_CARD, _CUSTOMER],  # ip
        [_CARD, _CUSTOMER],  # email
        [_CARD, _CUSTOMER],  # phone
        [_CARD, _CUSTOMER],  # shipping address
        [0, 0],  # merchant: none
    ],
    np.int64,
)
"""Whose distinct counts an entity's ring keeps. The second is also its degree; a card has none."""
_STATUS_OF_KIND = np.array([0, 1, 2, 1, 3, 4], np.int64)
"""`layout.Status` by `fraud.batch.Kind`: authorised and captured are approved."""
_ZERO = np.uint64(0)


class Plan(NamedTuple):
    """Which measure goes to which column: for kind k the pairs from starts[k] to starts[k + 1]; then the event's."""

    starts: npt.NDArray[np.int64]
    measures: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]


@compiled
def advance(
    state: State,
    limits: Limits,
    columns: Columns,
    start: Int,
    stop: Int,
    plan: Plan,
    scratch: Scratch,
    features: npt.NDArray[np.float32],
    status: npt.NDArray[np.uint8],
    late: npt.NDArray[np.bool_],
) -> None:
    """Read and update, event by event.

    Args:
        state: changed in place.
        limits: caps and spans.
        columns: n events in log order.
        start: the first row to take.
        stop: the row after the last.
        plan: what to write where.
        scratch: work space.
        features: out, float32 [n, d]; planned columns of scored rows are written, the others left alone.
        status: out, uint8 [n]: SCORE, OUTCOME, DUPLICATE or CONFLICT.
        late: out, bool [n]: event time before the partition's newest.
    """
    counters = state.counters
    for row in range(start, stop):
        counters[_EVENTS] += 1
        status[row] = _classify(state, limits, columns, row)
        if status[row] > OUTCOME:
            continue
        late[row] = columns.time[row] < counters[_WATERMARK]
        counters[_WATERMARK] = max(counters[_WATERMARK], columns.time[row])
        expire(state, limits.dedupe)
        if status[row] == OUTCOME:
            _settle(state, columns, row, scratch)
        else:
            _locate(state, columns, row, scratch)
            log = log_amount(columns.amount[row])
            _read(state, limits, columns, row, log, plan, scratch, features)
            _update(state, limits, columns, row, log, scratch)


@compiled
def _classify(state: State, limits: Limits, columns: Columns, row: Int) -> Int:
    if columns.kind[row] != 0:
        return OUTCOME
    index = find(state.recent_table, state.recents, transaction_key(columns.transaction[row]))
    now = max(state.counters[_WATERMARK], columns.time[row])
    if index < 0 or state.recents[index]["seen"] < now - limits.dedupe:
        return SCORE
    return DUPLICATE if state.recents[index]["content"] == content_of(columns, row) else CONFLICT


@compiled
def _locate(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """The keys of the event's entities and pairs, 0 where absent, and their slots, -1 where unknown."""
    ids, keys, found = columns.ids[row], scratch.keys, scratch.found
    country = np.uint64(columns.categories[row, _COUNTRY])
    for kind in range(_ENTITIES):
        keys[kind] = mix(ids[kind], np.uint64(kind + 1)) if ids[kind] != _ZERO else _ZERO
    keys[_ENTITIES] = _pair(ids[_CUSTOMER], ids[_MERCHANT], _ENTITIES)
    keys[_ENTITIES + 1] = _pair(ids[_CUSTOMER], ids[_DEVICE], _ENTITIES + 1)
    keys[_ENTITIES + 2] = _pair(ids[_CUSTOMER], country, _ENTITIES + 2)
    keys[_ENTITIES + 3] = _pair(ids[_CARD], ids[_DEVICE], _ENTITIES + 3)
    for kind in range(_KINDS):
        found[kind] = find(state.table, state.slots, keys[kind]) if keys[kind] != _ZERO else -1


@compiled
def _pair(left: np.uint64, right: np.uint64, kind: Int) -> np.uint64:
    if left == _ZERO or right == _ZERO:
        return _ZERO
    salt = np.uint64(kind + 1)
    return mix(mix(left, salt) ^ right, salt)


@compiled
def _read(
    state: State,
    limits: Limits,
    columns: Columns,
    row: Int,
    log: Int,
    plan: Plan,
    scratch: Scratch,
    features: npt.NDArray[np.float32],
) -> None:
    """Write the planned features of one event."""
    for kind in range(_KINDS):
        if plan.starts[kind] < plan.starts[kind + 1]:
            _measure(state, limits, columns, row, log, kind, scratch)
            _write(plan, kind, scratch, features, row)
    read_event(columns, row, scratch)
    _write(plan, _KINDS, scratch, features, row)


@compiled
def _write(plan: Plan, kind: Int, scratch: Scratch, features: npt.NDArray[np.float32], row: Int) -> None:
    for i in range(plan.starts[kind], plan.starts[kind + 1]):
        features[row, plan.columns[i]] = scratch.values[plan.measures[i]]


@compiled
def _measure(state: State, limits: Limits, columns: Columns, row: Int, log: Int, kind: Int, scratch: Scratch) -> None:
    """All measures of one entity or pair: missing without an id, zeros when unknown, only `shared` when shared."""
    values, time, index = scratch.values, columns.time[row], scratch.found[kind]
    values[:COUNT] = np.nan
    if scratch.keys[kind] == _ZERO:
        return
    first, second = _partners(columns, row, kind)
    if index < 0 or time - state.slots[index]["last"] >= limits.horizon:
        _write_unknown(values, first, second)
        return
    slot = state.slots[index]
    if kind < _ENTITIES and _is_shared(state, limits, index, time):
        values[SHARED] = 1.0
        return
    if kind >= _ENTITIES:
        if slot["last"] <= time:
            values[SINCE_LAST] = (time - slot["last"]) / 3_600_000_000.0
    elif is_bucketed(kind):
        if slot["order"] != 0:
            read_buckets(state, np.int64(slot["block"]), time, slot["last"], log, scratch)
    else:
        read_ring(state, index, time, log, first, second, limits.horizon, scratch)
    days = _active_days(state, index, time, limits.horizon)
    values[ACTIVE_DAYS] = days
    values[NEW] = 1.0 if days == 0 else 0.0
    values[SHARED] = 0.0


@compiled
def _partners(columns: Columns, row: Int, kind: Int) -> tuple[np.uint32, np.uint32]:
    if kind >= _ENTITIES or is_bucketed(kind):
        return np.uint32(0), np.uint32(0)
    return tag(columns.ids[row, _PARTNERS[kind, 0]]), tag(columns.ids[row, _PARTNERS[kind, 1]])


@compiled
def _write_unknown(values: npt.NDArray[np.float64], first: np.uint32, second: np.uint32) -> None:
    values[ATTEMPTS : REFUNDS + 1] = 0.0
    values[ACTIVE_DAYS] = 0.0
    values[NEW] = 1.0
    values[SHARED] = 0.0
    if first != 0:
        values[NEW_FIRST] = 1.0
    if second != 0:
        values[NEW_SECOND] = 1.0


@compiled
def _bits_at(bits: Int, gap: Int) -> Int:
    """A bitmap of days as seen `gap` days later (earlier when negative)."""
    if gap >= 32 or gap <= -32:
        return 0
    return (bits << gap) & 0xFFFFFFFF if gap >= 0 else bits >> -gap


@compiled
def _active_days(state: State, index: Int, time: Int, horizon: Int) -> Int:
    """On how many of the horizon's days, today's among them, the entity was seen."""
    slot = state.slots[index]
    bits = _bits_at(np.int64(slot["active"]), time // DAY - slot["last"] // DAY)
    bits &= (1 << (horizon // DAY)) - 1
    days = 0
    while bits != 0:
        bits &= bits - 1
        days += 1
    return days


@compiled
def _busy_days(state: State, limits: Limits, index: Int, gap: Int) -> Int:
    """The bitmap of busy days as it stands `gap` days after the newest event."""
    slot = state.slots[index]
    busy = np.int64(slot["busy"])
    if gap <= 0:
        return busy
    return _bits_at((busy << 1) | (slot["today"] >= limits.degree_cap), gap - 1) & 0x7F


@compiled
def _is_shared(state: State, limits: Limits, index: Int, time: Int) -> bool:
    """Whether enough of the 7 whole days before were busy: a burst of one day never makes an entity shared."""
    bits = _busy_days(state, limits, index, time // DAY - state.slots[index]["last"] // DAY)
    days = 0
    while bits != 0:
        bits &= bits - 1
        days += 1
    return days >= limits.busy_days


@compiled
def _update(state: State, limits: Limits, columns: Columns, row: Int, log: Int, scratch: Scratch) -> None:
    """Take one attempt into the history."""
    time, amount, transaction = columns.time[row], columns.amount[row], columns.transaction[row]
    quiet = is_quiet(state, limits, columns, row)
    remember(state, transaction_key(transaction), time, amount, content_of(columns, row), quiet)
    for kind in range(_KINDS):
        if scratch.keys[kind] == _ZERO:
            continue
        index = scratch.found[kind]
        if index < 0:
            index = new_slot(state, scratch.keys[kind], kind)
            if index < 0:
                continue
        first, second = _partners(columns, row, kind)
        if is_bucketed(kind):
            _update_row(state, index, time, amount, log, quiet)
        elif kind < _ENTITIES:
            _roll_degree(state, limits, index, kind, time, second)
            push(state, index, time, amount, tag(transaction), first, second, log, quiet, limits.ring, limits.horizon)
        _touch(state, index, time)


@compiled
def _update_row(state: State, index: Int, time: Int, amount: Int, log: Int, quiet: Int) -> None:
    slot = state.slots[index]
    if slot["order"] == 0:
        row = new_row(state)
        if row < 0:
            return
        slot["block"] = row
        slot["order"] = 1
    count(state, np.int64(slot["block"]), time, amount, log, quiet)


@compiled
def _touch(state: State, index: Int, time: Int) -> None:
    """Note the day and the newest event time."""
    slot = state.slots[index]
    if slot["active"] == 0:
        slot["active"] = 1
        slot["last"] = time
        return
    gap = time // DAY - slot["last"] // DAY
    if gap > 0:
        slot["active"] = _bits_at(np.int64(slot["active"]), gap) | 1
    elif gap > -32:
        slot["active"] = np.int64(slot["active"]) | (1 << -gap)
    slot["last"] = max(slot["last"], time)


@compiled
def _roll_degree(state: State, limits: Limits, index: Int, kind: Int, time: Int, partner: np.uint32) -> None:
    """Count a partner that the ring does not hold as new today; close the days that have passed."""
    slot = state.slots[index]
    if kind == _CARD or slot["active"] == 0:
        slot["today"] = partner != 0
        return
    gap = time // DAY - slot["last"] // DAY
    if gap > 0:
        slot["busy"] = _busy_days(state, limits, index, gap)
        slot["today"] = 0
    if (
        gap >= 0
        and partner != 0
        and slot["today"] < 0xFFFF
        and not _holds(state, index, partner, time - limits.horizon)
    ):
        slot["today"] += 1


@compiled
def _holds(state: State, index: Int, partner: np.uint32, expired: Int) -> bool:
    """Whether the ring has seen the partner after `expired`."""
    slot = state.slots[index]
    block = np.int64(slot["block"])
    for i in range(np.int64(slot["length"])):
        entry = state.entries[block + i]
        if entry["second"] == partner and entry["time"] > expired:
            return True
    return False


@compiled
def _settle(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """Note what became of an attempt wherever it is remembered."""
    _locate(state, columns, row, scratch)
    transaction = columns.transaction[row]
    after = _STATUS_OF_KIND[columns.kind[row]]
    index = find(state.recent_table, state.recents, transaction_key(transaction))
    for kind in range(_ENTITIES):
        slot = scratch.found[kind]
        if slot < 0:
            continue
        if not is_bucketed(kind):
            settle(state, slot, tag(transaction), after)
        elif index >= 0 and state.slots[slot]["order"] != 0:
            record = state.recents[index]
            recount(
                state,
                np.int64(state.slots[slot]["block"]),
                record["time"],
                record["amount"],
                np.int64(record["quiet"]),
                np.int64(record["status"]),
                after,
            )
    if index >= 0:
        state.recents[index]["status"] = after
