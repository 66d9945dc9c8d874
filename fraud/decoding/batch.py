"""A micro-batch of events as columns: what history and features read, whatever the events came from.

The service builds a `Batch` from JSON (`fraud.decoding.decoder`), training from Parquet (`training.data`). Both hash
ids and categories with the functions of this module, so that equal events give equal columns, bit for bit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from fraud.contracts.fields import CATEGORY_FIELDS, COUNTS, ENTITY_FIELDS, FLAGS, OPTIONAL_TIMES

Int64s: TypeAlias = npt.NDArray[np.int64]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
UInt32s: TypeAlias = npt.NDArray[np.uint32]
UInt8s: TypeAlias = npt.NDArray[np.uint8]
Float32s: TypeAlias = npt.NDArray[np.float32]

MISSING: Final = np.iinfo(np.int64).min
"""Stands for an absent value in the integer columns."""

CATEGORY_BUCKETS: Final = 1 << 24
"""Hashed categories are below this, hence exact in float32."""

ENTITIES: Final = tuple(ENTITY_FIELDS)
"""Columns of `Batch.ids`. `card` is the fingerprint where there is one, else the token."""

CATEGORIES: Final = CATEGORY_FIELDS
"""Columns of `Batch.categories`; the last ones are known of outcomes only. No ids among them: a name means nothing on
another platform, and models learn it by heart. What an id did and what became of it, history and risk tell."""

INTEGERS: Final = (*OPTIONAL_TIMES, *COUNTS, *FLAGS, "is_merchant_initiated", "amount_cents")
"""Columns of `Batch.integers`: times in µs since 1970 UTC, flags 0 or 1, `amount_cents` = minor part of the amount as
charged (in hundredths of the charged currency's unit); `MISSING` where absent."""


class Kind(IntEnum):
    """What an event says: a payment attempt, or what became of one."""

    TRANSACTION = 0
    AUTHORISED = 1
    DECLINED = 2
    CAPTURED = 3
    VOIDED = 4
    REFUNDED = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """n events in log order, as columns.

    Attributes:
        kind: uint8 [n], a `Kind`.
        time: int64 [n], event time in µs since 1970 UTC.
        amount: int64 [n], micro-units of the base currency.
        ids: uint64 [n, len(ENTITIES)], hashed entity ids, 0 where absent.
        transaction: uint64 [n], hashed transaction id.
        order: uint64 [n], hashed order id, 0 where absent.
        billing_address: uint64 [n], hashed, 0 where absent.
        categories: uint32 [n, len(CATEGORIES)], hashed to [1, CATEGORY_BUCKETS), 0 where absent.
        integers: int64 [n, len(INTEGERS)].
        malformed: uint8 [n], 1 where an optional field was invalid, hence missing. No part of what makes a repetition.
        attributes: float32 [n, own numbers, flags, categories], categories hashed like the others, NaN absent; see
            `fraud.decoding.own_fields`.
        own_ids: uint64 [n, own entities], hashed, 0 where absent.
    """

    kind: UInt8s
    time: Int64s
    amount: Int64s
    ids: UInt64s
    transaction: UInt64s
    order: UInt64s
    billing_address: UInt64s
    categories: UInt32s
    integers: Int64s
    malformed: UInt8s
    attributes: Float32s
    own_ids: UInt64s

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """The chosen rows, in the given order."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def concatenate(cls, batches: Iterable[Self]) -> Self:
        """One batch from several, in order; at least one is needed."""
        parts = list(batches)
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


def hash_id(value: str) -> int:
    """A stable 64-bit hash of an id (XXH3), never 0: 0 means absent."""
    return xxh3_64_intdigest(value.encode()) or 1


def hash_category(value: str) -> int:
    """A stable hash of a category's value into [1, CATEGORY_BUCKETS)."""
    return xxh3_64_intdigest(value.encode()) % (CATEGORY_BUCKETS - 1) + 1


def hash_ids(values: Iterable[str | None], count: int) -> UInt64s:
    """`hash_id` over a column; None gives 0. Shape [count]."""
    digest = xxh3_64_intdigest
    return np.fromiter((0 if v is None else (digest(v.encode()) or 1) for v in values), np.uint64, count)
