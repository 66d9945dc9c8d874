"""Texts to hashes, a column at a time: the same as `hash_category` and `hash_id`, faster over many."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from xxhash import xxh3_64_intdigest

from fraud.decoding.batch import CATEGORY_BUCKETS, UInt32s, UInt64s, hash_category, hash_ids

Texts: TypeAlias = Sequence[str | None]

_FEW: Final = 8
"""With at least so many rows to a distinct value, hashing only the distinct ones is faster."""


def hash_categories(values: Texts) -> UInt32s:
    """`hash_category` over a column, each distinct value once; None gives 0. Shape [n]."""
    distinct = set(values)
    if len(distinct) == 1:
        (value,) = distinct
        return np.full(len(values), 0 if value is None else hash_category(value), np.uint32)
    if len(distinct) * _FEW > len(values) and None not in distinct:
        return (_digests(values) % np.uint64(CATEGORY_BUCKETS - 1) + np.uint64(1)).astype(np.uint32)
    table: dict[str | None, int] = {value: hash_category(value) for value in distinct if value is not None}
    table[None] = 0
    return np.fromiter(map(table.__getitem__, values), np.uint32, len(values))


def hash_all(values: Texts) -> UInt64s:
    """As `fraud.decoding.batch.hash_ids`, faster where all or none are absent. Shape [n]."""
    absent = values.count(None)
    if absent == len(values):
        return np.zeros(len(values), np.uint64)
    if absent:
        return hash_ids(values, len(values))
    hashes = _digests(values)
    hashes[hashes == 0] = 1
    return hashes


def _digests(values: Texts) -> UInt64s:
    """Plain hashes of a column without absent values."""
    encoded = map(str.encode, values)  # type: ignore[arg-type]  # none is None
    return np.fromiter(map(xxh3_64_intdigest, encoded), np.uint64, len(values))
