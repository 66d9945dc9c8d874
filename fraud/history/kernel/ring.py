"""The last attempts of one entity in a ring that grows by powers of two: exact windows that saturate at its size."""

import numpy as np

from fraud.compiled import compiled
from fraud.history.kernel.allocator import free_block, new_block
from fraud.history.kernel.layout import SLACK, WINDOWS, Int, State
from fraud.history.kernel.layout import Status as _Status
from fraud.history.kernel.measures import (
    AMOUNT_GAP,
    AMOUNT_SCORE,
    ATTEMPTS,
    DECLINES,
    DISTINCT,
    FIRST,
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
from fraud.units import DAY_US, HOUR_US

_APPROVED, _DECLINED, _REFUNDED = _Status.APPROVED, _Status.DECLINED, _Status.REFUNDED
_W0, _W1, _W2, _W3, _W4 = WINDOWS
_HOUR = float(HOUR_US)
_UNIT = 1_000_000.0
_LOG_UNIT = 1024.0
_FLOOR = 0.25 * 0.25
"""Variance in squared doublings added to every spread: an entity that always pays the same gets no infinite score."""


@compiled
def log_amount(amount: Int) -> Int:
    """log2(1 + amount / 2**20) of micro-units, 10 fractional bits, by repeated squaring: the same everywhere."""
    x = np.uint64(amount + (1 << 20))
    exponent = 0
    while x >> np.uint64(exponent + 1) != np.uint64(0):
        exponent += 1
    x = x << np.uint64(30 - exponent) if exponent <= 30 else x >> np.uint64(exponent - 30)
    result = exponent - 20
    for _ in range(10):
        x = (x * x) >> np.uint64(30)
        result <<= 1
        if x >> np.uint64(31) != np.uint64(0):
            x >>= np.uint64(1)
            result += 1
    return result


@compiled
def level_of(age: Int) -> Int:
    """The smallest window that holds an attempt of this age, N for none."""
    if age < _W2:
        return 0 if age < _W0 else (1 if age < _W1 else 2)
    return 3 if age < _W3 else (4 if age < _W4 else N)


@compiled
def push(
    state: State,
    index: Int,
    time: Int,
    amount: Int,
    transaction: np.uint32,
    first: np.uint32,
    second: np.uint32,
    log: Int,
    quiet: Int,
    limits_ring: Int,
    horizon: Int,
) -> None:
    """Append an attempt in log order; the oldest falls out of a full ring."""
    slot = state.slots[index]
    capacity = np.int64((1 << np.int64(slot["order"])) >> 1)
    length = np.int64(slot["length"])
    if length == capacity:
        newest = max(np.int64(slot["last"]), time)
        capacity = np.int64(_grow(state, index, capacity, limits_ring, newest - horizon - SLACK))
        if capacity == 0:
            return
    head = np.int64(slot["head"])
    if length < capacity:
        place = (head + length) & (capacity - 1)
        slot["length"] = length + 1
    else:
        place = head
        slot["head"] = (head + 1) & (capacity - 1)
    entry = state.entries[np.int64(slot["block"]) + place]
    entry["time"] = time
    entry["amount"] = amount
    entry["transaction"] = transaction
    entry["first"] = first
    entry["second"] = second
    entry["log"] = log
    entry["status"] = 0
    entry["quiet"] = quiet


@compiled
def _grow(state: State, index: Int, capacity: Int, ring: Int, expired: Int) -> Int:
    """Double a full ring unless it is at its limit or its oldest attempt is of no more use; returns the capacity."""
    slot = state.slots[index]
    block = np.int64(slot["block"])
    head = np.int64(slot["head"])
    if capacity >= ring or (capacity > 0 and state.entries[block + head]["time"] <= expired):
        return capacity
    order = np.int64(slot["order"])
    fresh = new_block(state, order)
    if fresh < 0:
        return capacity
    for i in range(capacity):
        state.entries[fresh + i] = state.entries[block + ((head + i) & (capacity - 1))]
    if capacity > 0:
        free_block(state, block, order - 1)
    slot["block"] = fresh
    slot["head"] = 0
    slot["order"] = order + 1
    return 1 << order


@compiled
def settle(state: State, index: Int, transaction: np.uint32, status: Int) -> None:
    """Note what became of an attempt that the ring still holds."""
    slot = state.slots[index]
    capacity = (1 << np.int64(slot["order"])) >> 1
    head = np.int64(slot["head"])
    for i in range(np.int64(slot["length"]) - 1, -1, -1):
        entry = state.entries[np.int64(slot["block"]) + ((head + i) & (capacity - 1))]
        if entry["transaction"] == transaction:
            entry["status"] = status
            return


@compiled
def _see(scratch: Scratch, side: Int, partner: np.uint32, level: Int) -> None:
    """Count a partner in the smallest window it was seen in."""
    if partner == 0:
        return
    tags, stamps, levels, counts = scratch.tags, scratch.stamps, scratch.levels, scratch.counts
    reading = scratch.reading[0]
    base = side * DISTINCT
    place = np.int64(partner) & (DISTINCT - 1)
    while stamps[base + place] == reading and tags[base + place] != partner:
        place = (place + 1) & (DISTINCT - 1)
    group = FIRST + side * N
    if stamps[base + place] != reading:
        stamps[base + place] = reading
        tags[base + place] = partner
        levels[base + place] = level
        counts[group + level] += 1
    elif level < levels[base + place]:
        counts[group + levels[base + place]] -= 1
        counts[group + level] += 1
        levels[base + place] = level


@compiled
def read_ring(
    state: State, index: Int, time: Int, log: Int, first: np.uint32, second: np.uint32, horizon: Int, scratch: Scratch
) -> None:
    """Fill the measures of a ringed entity from attempts with event time in (time - window, time]."""
    slot = state.slots[index]
    block, head, length = np.int64(slot["block"]), np.int64(slot["head"]), np.int64(slot["length"])
    mask = ((1 << np.int64(slot["order"])) >> 1) - 1
    counts, values = scratch.counts, scratch.values
    counts[:] = 0
    scratch.reading[0] += 1
    small = refunds = n = log_sum = log_square = np.int64(0)
    youngest, oldest = horizon, -1
    known_first = known_second = False
    for i in range(length):
        entry = state.entries[block + ((head + i) & mask)]
        age = time - entry["time"]
        if age < 0 or age >= horizon:
            continue
        level = level_of(age)
        status = entry["status"]
        youngest, oldest = min(youngest, age), max(oldest, age)
        n += 1
        log_sum += np.int64(entry["log"])
        log_square += np.int64(entry["log"]) * np.int64(entry["log"])
        known_first |= entry["first"] == first
        known_second |= entry["second"] == second
        if status == _APPROVED:
            counts[SPEND + level] += entry["amount"]
        refunds += status == _REFUNDED
        if entry["quiet"]:
            continue
        counts[ATTEMPTS + level] += 1
        counts[DECLINES + level] += status == _DECLINED
        small += age < DAY_US and entry["amount"] <= SMALL_AMOUNT
        _see(scratch, 0, entry["first"], level)
        _see(scratch, 1, entry["second"], level)
    write_windows(scratch)
    values[SMALL] = small
    values[REFUNDS] = refunds
    values[SINCE_LAST] = youngest / _HOUR if n else np.nan
    values[SINCE_FIRST] = oldest / _HOUR if n else np.nan
    values[NEW_FIRST] = np.nan if first == 0 else (0.0 if known_first else 1.0)
    values[NEW_SECOND] = np.nan if second == 0 else (0.0 if known_second else 1.0)
    write_amounts(values, log, n, log_sum, log_square)


@compiled
def write_windows(scratch: Scratch) -> None:
    """Turn counts per smallest window into counts per window; spend into currency units."""
    counts, values = scratch.counts, scratch.values
    for group in range(0, counts.size, N):
        total = 0
        for window in range(N):
            total += counts[group + window]
            values[group + window] = total / _UNIT if group == SPEND else total


@compiled
def write_amounts(values: np.ndarray, log: Int, n: Int, log_sum: Int, log_square: Int) -> None:
    """The amount in doublings above the mean of n earlier ones, and in spreads from three on."""
    values[AMOUNT_GAP] = values[AMOUNT_SCORE] = np.nan
    if n == 0:
        return
    mean = log_sum / n
    gap = (log - mean) / _LOG_UNIT
    values[AMOUNT_GAP] = gap
    if n >= 3:
        # Not n times the squares less the square of the sum: a merchant's month of payments leaves int64 there.
        variance = max(log_square / n - mean * mean, 0.0) / (_LOG_UNIT * _LOG_UNIT)
        values[AMOUNT_SCORE] = gap / np.sqrt(variance + _FLOOR)
