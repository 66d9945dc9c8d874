"""Small builders of batches, with good defaults."""

from collections.abc import Sequence

import numpy as np

from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS, MISSING, Batch, Kind, hash_category, hash_id

START = 1_750_000_000_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def event(
    transaction: str,
    *,
    at: int = 0,
    kind: Kind = Kind.TRANSACTION,
    amount: float = 10.0,
    order: str | None = None,
    billing_address: str | None = None,
    categories: dict[str, str] | None = None,
    integers: dict[str, int] | None = None,
    malformed: bool = False,
    attributes: Sequence[float] = (),
    own: Sequence[str | None] = (),
    **ids: str | None,
) -> Batch:
    """One event `at` µs after START; ids by entity, the customer is "c" unless named; own entities by place."""
    named = {"customer": "c", **ids}
    values = categories or {}
    numbers = integers or {}
    return Batch(
        kind=np.array([kind], np.uint8),
        time=np.array([START + at], np.int64),
        amount=np.array([round(amount * 1e6)], np.int64),
        ids=np.array([[_id(named.get(entity)) for entity in ENTITIES]], np.uint64),
        transaction=np.array([hash_id(transaction)], np.uint64),
        order=np.array([_id(order)], np.uint64),
        billing_address=np.array([_id(billing_address)], np.uint64),
        categories=np.array([[hash_category(values[c]) if c in values else 0 for c in CATEGORIES]], np.uint32),
        integers=np.array([[numbers.get(name, MISSING) for name in INTEGERS]], np.int64),
        malformed=np.array([malformed], np.uint8),
        attributes=np.array([attributes], np.float32),
        own_ids=np.array([[_id(value) for value in own]], np.uint64),
    )


def _id(value: str | None) -> int:
    return 0 if value is None else hash_id(value)
