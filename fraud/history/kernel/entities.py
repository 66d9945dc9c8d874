"""The entities and pairs of an event: their keys, where the history holds them, and whose partners are counted."""

from typing import Final

import numpy as np

from fraud.compiled import compiled
from fraud.decoding.batch import CATEGORIES, ENTITIES
from fraud.history.kernel.event_measures import Columns
from fraud.history.kernel.eviction import is_bucketed
from fraud.history.kernel.hash_table import find, mix, tag
from fraud.history.kernel.layout import BUCKETED, KINDS, Counter, Int, State
from fraud.history.kernel.measures import Scratch
from fraud.history.kernel.prefetch import ask_for

_ENTITIES = len(ENTITIES)
_SALT = Counter.SALT
_KINDS = len(KINDS)
_CUSTOMER, _CARD, _DEVICE, _MERCHANT = (ENTITIES.index(name) for name in ("customer", "card", "device", "merchant"))
_CUSTOMER_MERCHANT, _CUSTOMER_DEVICE, _CUSTOMER_COUNTRY, _CARD_DEVICE = (
    KINDS.index(name) for name in ("customer_merchant", "customer_device", "customer_country", "card_device")
)
_COUNTRY = CATEGORIES.index("shipping_country")
_CARDS_AND_CUSTOMERS = (_CARD, _CUSTOMER)
PARTNERS_OF: Final = {
    "customer": (_DEVICE, _CARD),
    "card": (_MERCHANT, _DEVICE),
    "device": _CARDS_AND_CUSTOMERS,
    "ip": _CARDS_AND_CUSTOMERS,
    "email": _CARDS_AND_CUSTOMERS,
    "phone": _CARDS_AND_CUSTOMERS,
    "shipping_address": _CARDS_AND_CUSTOMERS,
    **dict.fromkeys(BUCKETED, (0, 0)),  # none
}
_PARTNERS = np.array([PARTNERS_OF[entity] for entity in ENTITIES], np.int64)
"""Whose distinct counts an entity's ring keeps. The second is also its degree; a card has none."""
_ZERO = np.uint64(0)


@compiled
def locate(state: State, columns: Columns, row: Int, scratch: Scratch) -> None:
    """The keys of the event's entities and pairs, 0 where absent, and their slots, -1 where unknown.

    Ids are hashed by everybody alike; only with the salt do they become places, which nobody else can choose then.
    """
    ids, keys, found = columns.ids[row], scratch.keys, scratch.found
    secret = np.uint64(state.counters[_SALT])
    country = np.uint64(columns.categories[row, _COUNTRY])
    for kind in range(_ENTITIES):
        keys[kind] = mix(ids[kind] ^ secret, np.uint64(kind + 1)) if ids[kind] != _ZERO else _ZERO
    keys[_CUSTOMER_MERCHANT] = _pair(ids[_CUSTOMER], ids[_MERCHANT], secret, _CUSTOMER_MERCHANT)
    keys[_CUSTOMER_DEVICE] = _pair(ids[_CUSTOMER], ids[_DEVICE], secret, _CUSTOMER_DEVICE)
    keys[_CUSTOMER_COUNTRY] = _pair(ids[_CUSTOMER], country, secret, _CUSTOMER_COUNTRY)
    keys[_CARD_DEVICE] = _pair(ids[_CARD], ids[_DEVICE], secret, _CARD_DEVICE)
    for kind in range(_KINDS):
        found[kind] = find(state.table, state.slots, keys[kind]) if keys[kind] != _ZERO else -1


@compiled
def _pair(left: np.uint64, right: np.uint64, secret: np.uint64, kind: Int) -> np.uint64:
    if left == _ZERO or right == _ZERO:
        return _ZERO
    salt = np.uint64(kind + 1)
    return mix(mix(left ^ secret, salt) ^ right, salt)


@compiled
def ask(state: State, scratch: Scratch) -> None:
    """Has on its way all that will be read of the event's entities: one after the other, memory would be waited for."""
    for kind in range(_ENTITIES):
        index = scratch.found[kind]
        if index < 0:
            continue
        slot = state.slots[index]
        block = np.int64(slot["block"])
        if not is_bucketed(kind):
            ask_for(state.entries, block, np.int64(slot["length"]))
        elif slot["order"] != 0:
            ask_for(state.buckets, block, 1)
            ask_for(state.bucket_logs, block, 1)


@compiled
def partners(columns: Columns, row: Int, kind: Int) -> tuple[np.uint32, np.uint32]:
    """Tags of the two partners that an entity's ring keeps with each attempt, 0 where there is none."""
    if kind >= _ENTITIES or is_bucketed(kind):
        return np.uint32(0), np.uint32(0)
    return tag(columns.ids[row, _PARTNERS[kind, 0]]), tag(columns.ids[row, _PARTNERS[kind, 1]])
