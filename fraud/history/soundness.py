"""Soundness of arrays from outside: every index in them leads to where it must, so that none leads outside.

The kernel itself checks no bounds. What it does with sound indices and wrong numbers is a wrong feature, and no more.
"""

from typing import Final

import numpy as np

from fraud.compiled import compiled
from fraud.decoding.batch import ENTITIES
from fraud.history.kernel.eviction import is_bucketed
from fraud.history.kernel.hash_table import Table, find
from fraud.history.kernel.layout import (
    AGREEING,
    FREE,
    KINDS,
    MAX_ORDER,
    MAX_OWN,
    OWN_RINGS,
    OWN_ROWS,
    Counter,
    Int,
    Records,
    State,
)

FAULTS: Final = (
    "",
    "its counters are out of range",
    "a slot holds what no entity has",
    "the table of entities does not lead to every entity",
    "the table of transactions does not lead to every transaction",
    "the list of free slots is broken",
    "the list of free rows is broken",
    "the lists of free blocks are broken",
)
_NONE, _COUNTERS, _SLOT, _TABLE, _RECENTS, _FREE_SLOTS, _FREE_ROWS, _FREE_BLOCKS = range(len(FAULTS))

_SLOT_TOP, _SLOT_FREE, _ENTRY_TOP = Counter.SLOT_TOP, Counter.SLOT_FREE, Counter.ENTRY_TOP
_ROW_TOP, _ROW_FREE, _BLOCK_FREE = Counter.ROW_TOP, Counter.ROW_FREE, Counter.BLOCK_FREE
_HEAD, _TAIL, _SWEEP, _RUN, _EVENTS = (
    Counter.RECENT_HEAD, Counter.RECENT_TAIL, Counter.SWEEP, Counter.RUN, Counter.EVENTS,
)  # fmt: skip
_LONGEST: Final = 1 << 62
_ENTITIES, _KINDS = len(ENTITIES), len(KINDS)


@compiled
def fault(state: State) -> Int:
    """Position in FAULTS of what is wrong first; 0 when nothing is."""
    if not _counters_are_sound(state):
        return _COUNTERS
    for index in range(state.counters[_SLOT_TOP]):
        if state.slots[index]["kind"] != 0 and not _slot_is_sound(state, index):
            return _SLOT
    return _fault_of_lists(state)


@compiled
def _fault_of_lists(state: State) -> Int:
    """The tables and free lists, which must account for all that sound slots hold."""
    live, entries, rows = 0, np.int64(0), np.int64(0)
    for index in range(state.counters[_SLOT_TOP]):
        slot = state.slots[index]
        if slot["kind"] == 0:
            continue
        live += 1
        if is_bucketed(np.int64(slot["kind"]) - 1):
            rows += np.int64(slot["order"])
        else:
            entries += (1 << np.int64(slot["order"])) >> 1
    if not _leads_to_slots(state, live):
        return _TABLE
    if not _leads_to_recents(state):
        return _RECENTS
    if not _free_slots_are_sound(state, live):
        return _FREE_SLOTS
    if not _free_rows_are_sound(state, rows):
        return _FREE_ROWS
    return _NONE if _free_blocks_are_sound(state, entries) else _FREE_BLOCKS


@compiled
def _counters_are_sound(state: State) -> bool:
    counters = state.counters
    return bool(
        0 <= counters[_SLOT_TOP] <= state.slots.size
        and 0 <= counters[_SWEEP] <= state.slots.size
        and 0 <= counters[_ENTRY_TOP] <= state.entries.size
        and counters[_ENTRY_TOP] % (1 << MAX_ORDER) == 0
        and 0 <= counters[_ROW_TOP] <= state.bucket_heads.shape[0]
        and 0 <= counters[_HEAD] <= counters[_TAIL] < _LONGEST
        and counters[_TAIL] - counters[_HEAD] <= state.recents.size
        and -AGREEING <= counters[_RUN] < AGREEING
        and 0 <= counters[_EVENTS] < _LONGEST
    )


@compiled
def _slot_is_sound(state: State, index: Int) -> bool:
    slot = state.slots[index]
    kind, order, block = np.int64(slot["kind"]) - 1, np.int64(slot["order"]), np.int64(slot["block"])
    if (kind >= _KINDS and (kind - OWN_RINGS) % MAX_OWN >= state.recent_own.shape[1]) or kind >= OWN_ROWS + MAX_OWN:
        return False
    if is_bucketed(kind):
        return bool(order == 0 or (order == 1 and block < state.counters[_ROW_TOP]))
    if order == 0:
        return bool(slot["length"] == 0 and slot["head"] == 0)
    if _ENTITIES <= kind < _KINDS or order > MAX_ORDER + 1:
        return False
    size = np.int64(1) << (order - 1)
    return bool(
        block % size == 0
        and block + size <= state.counters[_ENTRY_TOP]
        and slot["length"] <= size
        and slot["head"] < size
    )


@compiled
def _leads_only_below(table: Table, records: Records, top: Int) -> Int:
    """How many places of the table are taken, or -1 when one leads to `top` or beyond."""
    taken = 0
    for place in range(table.size):
        if table[place] > top:
            return -1
        taken += table[place] != 0
    return taken if top <= records.size else -1


@compiled
def _leads_to_slots(state: State, live: Int) -> bool:
    if _leads_only_below(state.table, state.slots, state.counters[_SLOT_TOP]) != live:
        return False
    for index in range(state.counters[_SLOT_TOP]):
        slot = state.slots[index]
        if slot["kind"] != 0 and find(state.table, state.slots, slot["key"]) != index:
            return False
    return True


@compiled
def _leads_to_recents(state: State) -> bool:
    head, tail, size = state.counters[_HEAD], state.counters[_TAIL], state.recents.size
    if _leads_only_below(state.recent_table, state.recents, min(tail, size)) != tail - head:
        return False
    for number in range(head, tail):
        place = number % size
        if find(state.recent_table, state.recents, state.recents[place]["key"]) != place:
            return False
    return True


@compiled
def _free_slots_are_sound(state: State, live: Int) -> bool:
    """Each free slot once: a list that leads in a circle is longer than all free slots."""
    free = state.counters[_SLOT_TOP] - live
    link = state.counters[_SLOT_FREE]
    while link != 0 and free > 0:
        if link < 0 or link > state.counters[_SLOT_TOP] or state.slots[link - 1]["kind"] != 0:
            return False
        link = np.int64(state.slots[link - 1]["block"])
        free -= 1
    return bool(link == 0 and free == 0)


@compiled
def _free_rows_are_sound(state: State, used: Int) -> bool:
    free = state.counters[_ROW_TOP] - used
    link = state.counters[_ROW_FREE]
    while link != 0 and free > 0:
        if link < 0 or link > state.counters[_ROW_TOP]:
            return False
        link = state.bucket_heads[link - 1, 0]
        free -= 1
    return bool(link == 0 and free == 0)


@compiled
def _free_blocks_are_sound(state: State, used: Int) -> bool:
    """Each block that says it is free stands in the list of its size, and all together are what is not used."""
    top = state.counters[_ENTRY_TOP]
    free, listed = top - used, 0
    for order in range(MAX_ORDER + 1):
        before, link = np.int64(0), state.counters[_BLOCK_FREE + order]
        while link != 0:
            if free <= 0 or link < 0 or link + (1 << order) - 1 > top or (link - 1) % (1 << order) != 0:
                return False
            entry = state.entries[link - 1]
            if entry["status"] != FREE + order or entry["amount"] != before:
                return False
            free -= 1 << order
            listed += 1
            before, link = link, entry["time"]
    marked = 0
    for index in range(top):
        marked += state.entries[index]["status"] >= FREE
    return bool(free == 0 and marked == listed)
