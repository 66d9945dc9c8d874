"""The hot path: for each event in log order, read its features, then take it into the history.

A plain sequential loop over integers, compiled by Numba. Nothing depends on how the log is cut into batches.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.batch import ENTITIES, Kind
from fraud.history.kernel.allocator import new_slot
from fraud.history.kernel.buckets import count_event, read_buckets, recount_attempt
from fraud.history.kernel.dedupe import content_of, expire, is_quiet, remember, transaction_key
from fraud.history.kernel.entities import ask, locate, partners
from fraud.history.kernel.event_measures import Columns, read_event
from fraud.history.kernel.eviction import is_bucketed
from fraud.history.kernel.hash_table import find, tag
from fraud.history.kernel.layout import KINDS, Counter, Int, Limits, State, Status
from fraud.history.kernel.measures import (
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
from fraud.history.kernel.own.entities import locate_own, measure_own, remember_own, settle_own, update_own
from fraud.history.kernel.own.values import count_values, read_values
from fraud.history.kernel.ring import log_amount, push, read_ring, settle
from fraud.history.kernel.sharing import active_days, is_shared, roll_degree, touch
from fraud.history.kernel.watermark import counted_until, follow
from fraud.units import HOUR_US

_EVENTS, _NEWEST, _TAIL = Counter.EVENTS, Counter.NEWEST, Counter.RECENT_TAIL
SCORE, OUTCOME, DUPLICATE, CONFLICT = 0, 1, 2, 3

_ENTITIES = len(ENTITIES)
_KINDS = len(KINDS)
_STATUS_OF: Final = {
    Kind.TRANSACTION: Status.PENDING,
    Kind.AUTHORISED: Status.APPROVED,
    Kind.DECLINED: Status.DECLINED,
    Kind.CAPTURED: Status.APPROVED,
    Kind.VOIDED: Status.VOIDED,
    Kind.REFUNDED: Status.REFUNDED,
}
_STATUS_OF_KIND = np.array([_STATUS_OF[kind] for kind in sorted(Kind)], np.int64)
_TRANSACTION = int(Kind.TRANSACTION)
_ZERO = np.uint64(0)
_HOUR = float(HOUR_US)


class Plan(NamedTuple):
    """Which measure goes to which column: for kind k the pairs from starts[k] to starts[k + 1].

    After KINDS come the own entities, then the event itself.
    """

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
    ahead: npt.NDArray[np.bool_],
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
        late: out, bool [n]: event time before the newest that was counted.
        ahead: out, bool [n]: event time further ahead of the watermark than anything is counted.
    """
    counters = state.counters
    for row in range(start, stop):
        counters[_EVENTS] += 1
        status[row] = _classify(state, columns, row)
        if status[row] > OUTCOME:
            continue
        time = columns.time[row]
        follow(counters, time)
        until = counted_until(counters)
        late[row], ahead[row] = time < counters[_NEWEST], time > until
        counters[_NEWEST] = max(counters[_NEWEST], min(time, until))
        expire(state, limits.dedupe)
        if status[row] == OUTCOME:
            _settle(state, columns, row, scratch)
        else:
            locate(state, columns, row, scratch)
            locate_own(state, columns, row, scratch)
            ask(state, scratch)
            log = log_amount(columns.amount[row])
            _read(state, limits, columns, row, log, plan, scratch, features)
            _update(state, limits, columns, row, log, scratch)


@compiled
def look_up(state: State, limits: Limits, columns: Columns, kind: Int, scratch: Scratch) -> Int:
    """All measures of one entity of the first row, as an event of that time would read them; its slot, -1 unknown.

    Changes nothing but the scratch, in whose `values` they are.
    """
    locate(state, columns, 0, scratch)
    _measure(state, limits, columns, 0, 0, kind, scratch)
    return scratch.found[kind]


@compiled
def _classify(state: State, columns: Columns, row: Int) -> Int:
    if columns.kind[row] != _TRANSACTION:
        return OUTCOME
    index = find(state.recent_table, state.recents, transaction_key(state, columns.transaction[row]))
    if index < 0:
        return SCORE
    return DUPLICATE if state.recents[index]["content"] == content_of(columns, row) else CONFLICT


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
    owned = columns.own_ids.shape[1]
    for own in range(owned):
        measure_own(state, limits, columns, row, log, own, scratch)
        _write(plan, _KINDS + own, scratch, features, row)
    read_event(columns, row, scratch)
    read_values(state, columns, row, scratch)
    _write(plan, _KINDS + owned, scratch, features, row)


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
    first, second = partners(columns, row, kind)
    if index < 0 or time - state.slots[index]["last"] >= limits.horizon:
        _write_unknown(values, first, second)
        return
    slot = state.slots[index]
    if kind < _ENTITIES and is_shared(state, limits, index, time):
        values[SHARED] = 1.0
        return
    if kind >= _ENTITIES:
        if slot["last"] <= time:
            values[SINCE_LAST] = (time - slot["last"]) / _HOUR
    elif is_bucketed(kind):
        if slot["order"] != 0:
            read_buckets(state, np.int64(slot["block"]), time, slot["last"], log, scratch)
    else:
        read_ring(state, index, time, log, first, second, limits.horizon, scratch)
    days = active_days(state, index, time, limits.horizon)
    values[ACTIVE_DAYS] = days
    values[NEW] = 1.0 if days == 0 else 0.0
    values[SHARED] = 0.0


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
def _update(state: State, limits: Limits, columns: Columns, row: Int, log: Int, scratch: Scratch) -> None:
    """Take one attempt into the history."""
    time, amount, transaction = columns.time[row], columns.amount[row], columns.transaction[row]
    quiet = is_quiet(state, limits, columns, row)
    until = counted_until(state.counters)
    remember(state, transaction_key(state, transaction), min(time, until), amount, content_of(columns, row), quiet)
    remember_own(state, (state.counters[_TAIL] - 1) % state.recents.size, scratch)
    for kind in range(_KINDS):
        if scratch.keys[kind] == _ZERO:
            continue
        index = scratch.found[kind]
        if index < 0:
            index = new_slot(state, scratch.keys[kind], kind)
            if index < 0:
                continue
        first, second = partners(columns, row, kind)
        if is_bucketed(kind):
            count_event(state, index, time, amount, log, quiet, until)
            continue
        if kind < _ENTITIES:
            roll_degree(state, limits, index, kind, time, second)
            push(state, index, time, amount, tag(transaction), first, second, log, quiet, limits.ring, limits.horizon)
        touch(state, index, time)
    update_own(state, limits, columns, row, log, quiet, until, scratch)
    count_values(state, columns, row, until, scratch)


@compiled
def _settle(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """Note what became of an attempt wherever it is remembered."""
    locate(state, columns, row, scratch)
    transaction = columns.transaction[row]
    after = _STATUS_OF_KIND[columns.kind[row]]
    index = find(state.recent_table, state.recents, transaction_key(state, transaction))
    for kind in range(_ENTITIES):
        slot = scratch.found[kind]
        if slot < 0:
            continue
        if not is_bucketed(kind):
            settle(state, slot, tag(transaction), after)
        elif index >= 0:
            recount_attempt(state, slot, index, after)
    if index >= 0:
        settle_own(state, index, after)
        state.recents[index]["status"] = after
