"""Columns of wire fields -> `Batch`: hashing, flags and integers, a column at a time.

A column is a sequence with one value an event, None where absent. Batches are built twice: here, from Python values as
the parser leaves them, and in `training.data.files.parquet_columns`, from Arrow's dictionaries without making those
values. Names and order of columns, hashes and numbers of kinds are shared; tests/parity/test_datasets_columns.py holds
both to the same bits.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.contracts.fields import COUNTS, ENTITY_FIELDS, FLAGS, OPTIONAL_TIMES
from fraud.decoding.batch import (
    CATEGORIES,
    ENTITIES,
    INTEGERS,
    MISSING,
    Batch,
    Int64s,
    Kind,
    UInt8s,
    UInt32s,
)
from fraud.decoding.hashing import Texts, hash_all, hash_categories
from fraud.decoding.own_fields import OwnColumns

Columns: TypeAlias = Mapping[str, Sequence]  # type: ignore[type-arg]  # each field has its own type

KINDS: Final[Mapping[str, int]] = {kind.name.lower(): int(kind) for kind in Kind}
"""An outcome's `kind` -> its number."""

_FLAG_VALUES: Final[Mapping[object, int]] = {None: MISSING, False: 0, True: 1}
INITIATORS: Final[Mapping[str, int]] = {"customer": 0, "merchant": 1}
"""Who started it -> `is_merchant_initiated`."""
_INITIATOR_VALUES: Final[Mapping[object, int]] = {None: MISSING, **dict(INITIATORS.items())}


def to_batch(
    columns: Columns,
    *,
    kind: UInt8s,
    time: Int64s,
    charged: Int64s,
    amount: Int64s,
    malformed: npt.NDArray[np.intp],
    own: OwnColumns,
) -> Batch:
    """The batch of n events.

    Args:
        columns: every field of `AttemptEvent` that is a string, flag or count, times as int64 µs with `MISSING`;
            those of outcomes only where there are outcomes.
        kind: uint8 [n].
        time: int64 [n], µs.
        charged: int64 [n], micro-units of the charged currency.
        amount: int64 [n], micro-units of the base currency.
        malformed: rows of the events that had an invalid optional field, which is None in its column.
        own: the declared attributes.
    """
    count = len(kind)
    cards = _cards(columns["card_fingerprint"], columns["card_id"])
    marks = np.zeros(count, np.uint8)
    marks[malformed] = 1
    marks[own.rows] = 1
    ids = np.empty((count, len(ENTITIES)), np.uint64)
    for place, entity in enumerate(ENTITIES):
        ids[:, place] = hash_all(cards if entity == "card" else columns[ENTITY_FIELDS[entity]])
    return Batch(
        kind=kind,
        time=time,
        amount=amount,
        ids=ids,
        transaction=hash_all(columns["transaction_id"]),
        order=hash_all(columns["order_id"]),
        billing_address=hash_all(columns["billing_address_hash"]),
        categories=_categories(columns, count),
        integers=_integers(columns, charged),
        malformed=marks,
        attributes=own.attributes,
        own_ids=own.ids,
    )


def _cards(fingerprints: Texts, tokens: Texts) -> Texts:
    if fingerprints.count(None) == len(fingerprints):
        return tokens
    return [fingerprint or token for fingerprint, token in zip(fingerprints, tokens, strict=True)]


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
