"""Columns of wire fields -> `Batch`: hashing, flags and integers, a column at a time.

A column is a sequence with one value an event, None where absent. Batches are built twice: here, from Python values as
the parser leaves them, and in `training.data.parquet_columns`, from Arrow's dictionaries without making those values.
Names and order of columns, hashes and numbers of kinds are shared; tests/parity/test_datasets_columns.py holds both to
the same bits.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from fraud.contracts.fields import COUNTS, ENTITY_FIELDS, FLAGS, OPTIONAL_TIMES
from fraud.decoding.batch import (
    CATEGORIES,
    CATEGORY_BUCKETS,
    ENTITIES,
    INTEGERS,
    MISSING,
    Batch,
    Float32s,
    Int64s,
    Kind,
    UInt8s,
    UInt32s,
    UInt64s,
    hash_category,
    hash_ids,
)

Texts: TypeAlias = Sequence[str | None]
Columns: TypeAlias = Mapping[str, Sequence]  # type: ignore[type-arg]  # each field has its own type

KINDS: Final[Mapping[str, int]] = {kind.name.lower(): int(kind) for kind in Kind}
"""An outcome's `kind` -> its number."""

_FEW: Final = 8
"""With at least so many rows to a distinct value, hashing only the distinct ones is faster."""

_FLAG_VALUES: Final[Mapping[object, int]] = {None: MISSING, False: 0, True: 1}
_INITIATOR_VALUES: Final[Mapping[object, int]] = {None: MISSING, "customer": 0, "merchant": 1}
_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


def to_batch(
    columns: Columns,
    *,
    kind: UInt8s,
    time: Int64s,
    charged: Int64s,
    amount: Int64s,
    malformed: npt.NDArray[np.intp],
    attributes: Sequence[str] = (),
) -> Batch:
    """The batch of n events.

    Args:
        columns: every field of `AttemptEvent` that is a string, flag or count, times as int64 µs with `MISSING`,
            and `attributes` as dicts; those of outcomes only where there are outcomes.
        kind: uint8 [n].
        time: int64 [n], µs.
        charged: int64 [n], micro-units of the charged currency.
        amount: int64 [n], micro-units of the base currency.
        malformed: rows of the events that had an invalid optional field, which is None in its column.
        attributes: names of the declared attributes.
    """
    count = len(kind)
    cards = _cards(columns["card_fingerprint"], columns["card_id"])
    marks = np.zeros(count, np.uint8)
    marks[malformed] = 1
    ids = np.empty((count, len(ENTITIES)), np.uint64)
    for place, entity in enumerate(ENTITIES):
        ids[:, place] = _ids(cards if entity == "card" else columns[ENTITY_FIELDS[entity]])
    return Batch(
        kind=kind,
        time=time,
        amount=amount,
        ids=ids,
        transaction=_ids(columns["transaction_id"]),
        order=_ids(columns["order_id"]),
        billing_address=_ids(columns["billing_address_hash"]),
        categories=_categories(columns, count),
        integers=_integers(columns, charged),
        malformed=marks,
        attributes=_attributes(columns["attributes"], attributes),
    )


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


def _cards(fingerprints: Texts, tokens: Texts) -> Texts:
    if fingerprints.count(None) == len(fingerprints):
        return tokens
    return [fingerprint or token for fingerprint, token in zip(fingerprints, tokens, strict=True)]


def _ids(values: Texts) -> UInt64s:
    """As `fraud.decoding.batch.hash_ids`, faster where all or none are absent."""
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


def _categories(columns: Columns, count: int) -> UInt32s:
    categories = np.zeros((count, len(CATEGORIES)), np.uint32)
    for place, name in enumerate(CATEGORIES):
        values = columns.get(name)
        if values is not None:
            categories[:, place] = hash_categories(values)
    return categories


def _integers(columns: Columns, charged: Int64s) -> Int64s:
    made: dict[str, Int64s] = {"amount_cents": charged % 1_000_000 // 10_000}
    made |= {name: _looked_up(columns[name], _FLAG_VALUES) for name in FLAGS}
    made["is_merchant_initiated"] = _looked_up(columns["initiator"], _INITIATOR_VALUES)
    made |= {name: _whole(columns[name]) for name in COUNTS}
    made |= {name: np.asarray(columns[name], np.int64) for name in OPTIONAL_TIMES}
    integers = np.empty((len(charged), len(INTEGERS)), np.int64)
    for place, name in enumerate(INTEGERS):
        integers[:, place] = made[name]
    return integers


def _looked_up(values: Sequence[object], table: Mapping[object, int]) -> Int64s:
    if values.count(None) == len(values):
        return np.full(len(values), MISSING)
    return np.fromiter(map(table.__getitem__, values), np.int64, len(values))


def _whole(values: Sequence[int | None]) -> Int64s:
    absent = values.count(None)
    if absent == len(values):
        return np.full(len(values), MISSING)
    if absent:
        values = [MISSING if value is None else value for value in values]
    return np.fromiter(values, np.int64, len(values))


def _attributes(values: Sequence[Mapping[str, str | float] | None], names: Sequence[str]) -> Float32s:
    numbers = np.full((len(values), len(names)), np.nan, np.float32)
    for place, name in enumerate(names):
        for row, attributes in enumerate(values):
            if attributes and (value := attributes.get(name)) is not None:
                numbers[row, place] = attribute_number(value)
    return numbers


def attribute_number(value: str | float) -> float:
    """A declared attribute as a feature reads it: a string hashed, a number within float32's range."""
    if isinstance(value, str):
        return hash_category(value)
    return min(max(float(value), -_FLOAT32_MAX), _FLOAT32_MAX)
