"""Deduplication: transactions of the last day that are repeated, and retries of one order with one instrument."""

import numpy as np

from fraud.compiled import compiled
from fraud.decoding.batch import ENTITIES, INTEGERS
from fraud.history.kernel.event_measures import Columns
from fraud.history.kernel.hash_table import delete, find, insert, mix
from fraud.history.kernel.layout import Counter, Int, Limits, State

_HEAD, _TAIL, _WATERMARK = Counter.RECENT_HEAD, Counter.RECENT_TAIL, Counter.WATERMARK
_FORGOTTEN, _SALT = Counter.FORGOTTEN, Counter.SALT
_TRANSACTION, _ORDER, _INSTRUMENT, _CONTENT = np.uint64(101), np.uint64(102), np.uint64(103), np.uint64(104)
_LOW = np.uint64(0xFFFFFFFF)
_ZERO = np.uint64(0)
_INITIATED = INTEGERS.index("is_merchant_initiated")
_CARD, _CUSTOMER = ENTITIES.index("card"), ENTITIES.index("customer")


@compiled
def transaction_key(state: State, transaction: np.uint64) -> np.uint64:
    """The key of a transaction's record."""
    return mix(transaction ^ np.uint64(state.counters[_SALT]), _TRANSACTION)


@compiled
def content_of(columns: Columns, row: Int) -> Int:
    """A 32-bit hash of all that a transaction said."""
    h = mix(np.uint64(columns.time[row]), _CONTENT)
    h = mix(h ^ np.uint64(columns.amount[row]), _CONTENT)
    h = mix(h ^ columns.order[row], _CONTENT)
    h = mix(h ^ columns.billing_address[row], _CONTENT)
    for i in range(columns.ids.shape[1]):
        h = mix(h ^ columns.ids[row, i], _CONTENT)
    for i in range(columns.categories.shape[1]):
        h = mix(h ^ np.uint64(columns.categories[row, i]), _CONTENT)
    for i in range(columns.integers.shape[1]):
        h = mix(h ^ np.uint64(columns.integers[row, i]), _CONTENT)
    for i in range(columns.attribute_bits.shape[1]):
        h = mix(h ^ np.uint64(columns.attribute_bits[row, i]), _CONTENT)
    for i in range(columns.own_ids.shape[1]):
        h = mix(h ^ columns.own_ids[row, i], _CONTENT)
    return np.int64(h & _LOW)


@compiled
def expire(state: State, dedupe: Int) -> None:
    """Forget what is older than the span, by the partition's own event time."""
    counters, recents = state.counters, state.recents
    while counters[_HEAD] < counters[_TAIL]:
        record = recents[counters[_HEAD] % recents.size]
        if record["seen"] >= counters[_WATERMARK] - dedupe:
            return
        delete(state.recent_table, recents, record["key"])
        counters[_HEAD] += 1


@compiled
def remember(state: State, key: np.uint64, counted: Int, amount: Int, content: Int, quiet: Int) -> None:
    """Note a key that is not there yet; a full memory forgets its oldest."""
    counters, recents = state.counters, state.recents
    if counters[_TAIL] - counters[_HEAD] >= recents.size:
        oldest = recents[counters[_HEAD] % recents.size]
        delete(state.recent_table, recents, oldest["key"])
        counters[_FORGOTTEN] = max(counters[_FORGOTTEN], oldest["seen"])
        counters[_HEAD] += 1
    place = counters[_TAIL] % recents.size
    counters[_TAIL] += 1
    record = recents[place]
    record["key"] = key
    record["seen"] = counters[_WATERMARK]
    record["counted"] = counted
    record["amount"] = amount
    record["content"] = content
    record["quiet"] = quiet
    record["count"] = record["status"] = 0
    insert(state.recent_table, key, place)


@compiled
def is_quiet(state: State, limits: Limits, columns: Columns, row: Int) -> Int:
    """1 for what counts in no attack counter: merchant-initiated, or one of the first retries of an order."""
    if columns.integers[row, _INITIATED] == 1:
        return 1
    if columns.order[row] == _ZERO:
        return 0
    card = columns.ids[row, _CARD]
    instrument = card if card != _ZERO else columns.ids[row, _CUSTOMER]
    key = mix(columns.order[row] ^ mix(instrument ^ np.uint64(state.counters[_SALT]), _INSTRUMENT), _ORDER)
    index = find(state.recent_table, state.recents, key)
    if index < 0:
        remember(state, key, columns.time[row], 0, 0, 0)
        return 0
    record = state.recents[index]
    if record["count"] >= limits.order_retries:
        return 0
    record["count"] += 1
    return 1
