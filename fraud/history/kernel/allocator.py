"""Room for slots, ring blocks and bucket rows: free lists, buddies for the blocks, deterministic to the last index."""

import numpy as np

from fraud.compiled import compiled
from fraud.history.kernel.hash_table import delete, insert
from fraud.history.kernel.layout import FREE, MAX_ORDER, OWN_RINGS, Counter, Int, State

_SLOT_TOP, _SLOT_FREE, _SLOTS_USED = Counter.SLOT_TOP, Counter.SLOT_FREE, Counter.SLOTS_USED
_ENTRY_TOP, _ENTRIES_USED, _BLOCK_FREE = Counter.ENTRY_TOP, Counter.ENTRIES_USED, Counter.BLOCK_FREE
_ROW_TOP, _ROW_FREE, _ROWS_USED = Counter.ROW_TOP, Counter.ROW_FREE, Counter.ROWS_USED
_KNOWN, _OWN_KNOWN, _REFUSED = Counter.KNOWN, Counter.OWN_KNOWN, Counter.REFUSED
_NEVER = np.iinfo(np.int64).min


@compiled
def known_at(kind: Int) -> Int:
    """The counter of how many of a kind are in memory."""
    return _KNOWN + kind if kind < OWN_RINGS else _OWN_KNOWN + kind - OWN_RINGS


@compiled
def new_slot(state: State, key: np.uint64, kind: Int) -> Int:
    """A blank slot entered in the table, or -1 when none is left."""
    counters = state.counters
    index = counters[_SLOT_FREE] - 1
    if index >= 0:
        counters[_SLOT_FREE] = state.slots[index]["block"]
    elif counters[_SLOT_TOP] < state.slots.size:
        index = counters[_SLOT_TOP]
        counters[_SLOT_TOP] += 1
    else:
        return -1
    slot = state.slots[index]
    slot["key"] = key
    slot["last"] = _NEVER
    slot["kind"] = kind + 1
    slot["active"] = slot["block"] = slot["length"] = slot["head"] = slot["order"] = slot["today"] = slot["busy"] = 0
    counters[_SLOTS_USED] += 1
    counters[known_at(kind)] += 1
    insert(state.table, key, index)
    return np.int64(index)


@compiled
def free_slot(state: State, index: Int, bucketed: bool) -> None:
    """Forget an entity: its slot, table place and ring block or bucket row."""
    counters = state.counters
    slot = state.slots[index]
    delete(state.table, state.slots, slot["key"])
    if slot["order"] != 0:
        if bucketed:
            free_row(state, np.int64(slot["block"]))
        else:
            free_block(state, np.int64(slot["block"]), np.int64(slot["order"]) - 1)
    counters[known_at(np.int64(slot["kind"]) - 1)] -= 1
    counters[_SLOTS_USED] -= 1
    slot["kind"] = 0
    slot["block"] = counters[_SLOT_FREE]
    counters[_SLOT_FREE] = index + 1


@compiled
def new_block(state: State, order: Int) -> Int:
    """The first entry of a free block of 2**order entries, or -1 when no block is large enough.

    Every block lies at a multiple of its size, so that the two halves of one find each other again.
    """
    counters = state.counters
    block, larger = np.int64(-1), np.int64(order)
    while larger <= MAX_ORDER:
        block = counters[_BLOCK_FREE + larger] - 1
        if block >= 0:
            _unlink(state, block, larger)
            break
        larger += 1
    if block < 0:
        if counters[_ENTRY_TOP] + (1 << MAX_ORDER) > state.entries.size:
            counters[_REFUSED] += 1
            return -1
        block, larger = counters[_ENTRY_TOP], np.int64(MAX_ORDER)
        counters[_ENTRY_TOP] += 1 << MAX_ORDER
    for half in range(larger - 1, order - 1, -1):
        _push_free(state, block + (1 << half), half)
    counters[_ENTRIES_USED] += 1 << order
    return np.int64(block)


@compiled
def free_block(state: State, block: Int, order: Int) -> None:
    """Give a block back, together with its other half when that is free too, and so on up."""
    state.counters[_ENTRIES_USED] -= 1 << order
    block, order = np.int64(block), np.int64(order)
    while order < MAX_ORDER:
        other = block ^ (1 << order)
        if state.entries[other]["status"] != FREE + order:
            break
        _unlink(state, other, order)
        block = min(block, other)
        order += 1
    _push_free(state, block, order)


@compiled
def _push_free(state: State, block: Int, order: Int) -> None:
    after = state.counters[_BLOCK_FREE + order]
    entry = state.entries[block]
    entry["time"] = after
    entry["amount"] = 0
    entry["status"] = FREE + order
    if after > 0:
        state.entries[after - 1]["amount"] = block + 1
    state.counters[_BLOCK_FREE + order] = block + 1


@compiled
def _unlink(state: State, block: Int, order: Int) -> None:
    entry = state.entries[block]
    after, before = entry["time"], entry["amount"]
    entry["status"] = 0
    if before > 0:
        state.entries[before - 1]["time"] = after
    else:
        state.counters[_BLOCK_FREE + order] = after
    if after > 0:
        state.entries[after - 1]["amount"] = before


@compiled
def new_row(state: State) -> Int:
    """A zeroed row of buckets, or -1 when none is left. A free row links to the next in its first head."""
    counters = state.counters
    row = counters[_ROW_FREE] - 1
    if row >= 0:
        counters[_ROW_FREE] = state.bucket_heads[row, 0]
        _clear_row(state, row)
    elif counters[_ROW_TOP] < state.bucket_heads.shape[0]:
        row = counters[_ROW_TOP]
        counters[_ROW_TOP] += 1
    else:
        return -1
    counters[_ROWS_USED] += 1
    return np.int64(row)


@compiled
def _clear_row(state: State, row: Int) -> None:
    state.bucket_heads[row] = 0
    state.bucket_logs[row] = 0
    buckets = state.buckets[row]
    for window in range(buckets.shape[0]):
        for place in range(buckets.shape[1]):
            bucket = buckets[window, place]
            bucket["spend"] = 0
            bucket["attempts"] = bucket["declines"] = bucket["small"] = bucket["refunds"] = 0


@compiled
def free_row(state: State, row: Int) -> None:
    """Give a row of buckets back."""
    counters = state.counters
    state.bucket_heads[row, 0] = counters[_ROW_FREE]
    counters[_ROW_FREE] = row + 1
    counters[_ROWS_USED] -= 1
