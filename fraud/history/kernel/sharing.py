"""Days as bits of an entity's slot: those on which it was seen, and those on which it was shared by many partners."""

import numpy as np

from fraud.compiled import compiled
from fraud.decoding.batch import ENTITIES
from fraud.history.kernel.layout import Int, Limits, State
from fraud.units import DAY_US

_CARD = ENTITIES.index("card")


@compiled
def _bits_at(bits: Int, gap: Int) -> Int:
    """A bitmap of days as seen `gap` days later (earlier when negative)."""
    if gap >= 32 or gap <= -32:
        return 0
    return (bits << gap) & 0xFFFFFFFF if gap >= 0 else bits >> -gap


@compiled
def active_days(state: State, index: Int, time: Int, horizon: Int) -> Int:
    """On how many of the horizon's days, today's among them, the entity was seen."""
    slot = state.slots[index]
    bits = _bits_at(np.int64(slot["active"]), time // DAY_US - slot["last"] // DAY_US)
    bits &= (1 << (horizon // DAY_US)) - 1
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
def is_shared(state: State, limits: Limits, index: Int, time: Int) -> bool:
    """Whether enough of the 7 whole days before were busy: a burst of one day never makes an entity shared."""
    bits = _busy_days(state, limits, index, time // DAY_US - state.slots[index]["last"] // DAY_US)
    days = 0
    while bits != 0:
        bits &= bits - 1
        days += 1
    return days >= limits.busy_days


@compiled
def touch(state: State, index: Int, time: Int) -> None:
    """Note the day and the newest event time."""
    slot = state.slots[index]
    if slot["active"] == 0:
        slot["active"] = 1
        slot["last"] = time
        return
    gap = time // DAY_US - slot["last"] // DAY_US
    if gap > 0:
        slot["active"] = _bits_at(np.int64(slot["active"]), gap) | 1
    elif gap > -32:
        slot["active"] = np.int64(slot["active"]) | (1 << -gap)
    slot["last"] = max(slot["last"], time)


@compiled
def roll_degree(state: State, limits: Limits, index: Int, kind: Int, time: Int, partner: np.uint32) -> None:
    """Count a partner that the ring does not hold as new today; close the days that have passed."""
    slot = state.slots[index]
    if kind == _CARD or slot["active"] == 0:
        slot["today"] = partner != 0
        return
    gap = time // DAY_US - slot["last"] // DAY_US
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
