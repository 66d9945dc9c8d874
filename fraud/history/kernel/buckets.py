"""Counters of entities of any degree: per window a ring of 16 buckets, each a fifteenth of the window wide.

A count over (t - w, t] is approximated by the whole buckets that meet it: for an event that is not late it is never
below the exact count, and never above the exact count over (t - w - w/15, t + w/15].
"""

import numpy as np

from fraud.compiled import compiled
from fraud.history.kernel.allocator import new_row
from fraud.history.kernel.layout import BUCKETS, WINDOWS, Int, State
from fraud.history.kernel.layout import Status as _Status
from fraud.history.kernel.measures import (
    ATTEMPTS,
    DECLINES,
    NEW_FIRST,
    NEW_SECOND,
    REFUNDS,
    SINCE_FIRST,
    SINCE_LAST,
    SMALL,
    SMALL_AMOUNT,
    SPEND,
    N,
    Scratch,
)
from fraud.history.kernel.ring import write_amounts, write_windows
from fraud.history.kernel.sharing import touch
from fraud.units import DAY_US, HOUR_US

_APPROVED, _DECLINED, _REFUNDED = _Status.APPROVED, _Status.DECLINED, _Status.REFUNDED
WIDTHS = np.array([window // BUCKETS for window in WINDOWS], np.int64)
_PLACE = BUCKETS
_DAY_WINDOW = WINDOWS.index(DAY_US)
_LAST = N - 1
_SPENT_AT_MOST = 1 << 43
"""Micro-units, 8.8 million units: what one attempt adds to a sum at most. A million of them stay within an int64."""
_HOUR = float(HOUR_US)


@compiled
def _bucket(state: State, row: Int, window: Int, time: Int, until: Int) -> Int:
    """The place of the bucket of `time`, moving the ring forward where needed; -1 when it has left the ring.

    A ring whose head lies after `until` begins anew: it was set before the first events agreed on the time.
    """
    number = time // WIDTHS[window]
    head = state.bucket_heads[row, window]
    if head * WIDTHS[window] > until:
        head = number - BUCKETS - 1
    if number > head:
        for fresh in range(max(head + 1, number - BUCKETS), number + 1):
            place = fresh & _PLACE
            bucket = state.buckets[row, window, place]
            bucket["spend"] = 0
            bucket["attempts"] = bucket["declines"] = bucket["small"] = bucket["refunds"] = 0
            if window == _LAST:
                state.bucket_logs[row, place] = 0
        state.bucket_heads[row, window] = number
    elif number < head - BUCKETS:
        return -1
    return number & _PLACE


@compiled
def count(state: State, row: Int, time: Int, amount: Int, log: Int, quiet: Int, until: Int) -> None:
    """Count an attempt."""
    logs = state.bucket_logs
    for window in range(N):
        place = _bucket(state, row, window, time, until)
        if place < 0:
            continue
        if not quiet:
            bucket = state.buckets[row, window, place]
            bucket["attempts"] += 1
            bucket["small"] += amount <= SMALL_AMOUNT
        if window == _LAST:
            logs[row, place, 0] += 1
            logs[row, place, 1] += log
            logs[row, place, 2] += log * log


@compiled
def count_event(state: State, index: Int, time: Int, amount: Int, log: Int, quiet: Int, until: Int) -> None:
    """Count an event, at `until` at the latest: it must not carry what everybody reads into the future."""
    time = min(time, until)
    slot = state.slots[index]
    if slot["active"] != 0 and slot["last"] > until:  # before the first events agreed on the time
        slot["active"] = 0
    touch(state, index, time)
    if slot["order"] == 0:
        row = new_row(state)
        if row < 0:
            return
        slot["block"] = row
        slot["order"] = 1
    count(state, np.int64(slot["block"]), time, amount, log, quiet, until)


@compiled
def _recount(state: State, row: Int, time: Int, amount: Int, quiet: Int, before: Int, after: Int) -> None:
    """Move an attempt from one status to another in every bucket that still holds its time."""
    amount = min(amount, _SPENT_AT_MOST)
    for window in range(N):
        number = time // WIDTHS[window]
        head = state.bucket_heads[row, window]
        if number > head or number < head - BUCKETS:
            continue
        bucket = state.buckets[row, window, number & _PLACE]
        bucket["spend"] += amount * ((after == _APPROVED) - (before == _APPROVED))
        bucket["refunds"] += (after == _REFUNDED) - (before == _REFUNDED)
        if not quiet:
            bucket["declines"] += (after == _DECLINED) - (before == _DECLINED)


@compiled
def recount_attempt(state: State, slot: Int, index: Int, after: Int) -> None:
    """Move the attempt of a recent record from its status to another in the buckets of a slot, if it has any."""
    if state.slots[slot]["order"] == 0:
        return
    record = state.recents[index]
    _recount(
        state,
        np.int64(state.slots[slot]["block"]),
        record["counted"],
        record["amount"],
        np.int64(record["quiet"]),
        np.int64(record["status"]),
        after,
    )


@compiled
def read_buckets(state: State, row: Int, time: Int, last: Int, log: Int, scratch: Scratch) -> None:
    """Fill the measures of a bucketed entity; distinct partners are not counted there."""
    counts, values = scratch.counts, scratch.values
    counts[:] = 0
    small = refunds = n = log_sum = log_square = np.int64(0)
    for window in range(N):
        head = state.bucket_heads[row, window]
        newest = min(time // WIDTHS[window], head)
        oldest = max((time - WINDOWS[window]) // WIDTHS[window], head - BUCKETS)
        attempts = declines = spend = np.int64(0)
        for number in range(oldest, newest + 1):
            place = number & _PLACE
            bucket = state.buckets[row, window, place]
            attempts += np.int64(bucket["attempts"])
            declines += np.int64(bucket["declines"])
            spend += bucket["spend"]
            if window == _DAY_WINDOW:
                small += np.int64(bucket["small"])
            if window == _LAST:
                refunds += np.int64(bucket["refunds"])
                n += state.bucket_logs[row, place, 0]
                log_sum += state.bucket_logs[row, place, 1]
                log_square += state.bucket_logs[row, place, 2]
        counts[ATTEMPTS + window] = attempts
        counts[DECLINES + window] = declines
        counts[SPEND + window] = spend
    _nest(counts)
    write_windows(scratch)
    values[SMALL] = small
    values[REFUNDS] = refunds
    values[SINCE_LAST] = (time - last) / _HOUR if last <= time else np.nan
    values[SINCE_FIRST] = values[NEW_FIRST] = values[NEW_SECOND] = np.nan
    write_amounts(values, log, n, log_sum, log_square)


@compiled
def _nest(counts: np.ndarray) -> None:
    """Counts per window to differences, which `write_windows` adds up again."""
    for group in (ATTEMPTS, DECLINES, SPEND):
        for window in range(N - 1, 0, -1):
            counts[group + window] -= counts[group + window - 1]
