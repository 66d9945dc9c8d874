"""Event tables as batches: what `fraud.decoding.decoder` makes of the same events on the wire, bit for bit.

A second builder of batches beside `fraud.decoding.batch_columns`, on purpose: strings stay Arrow dictionaries, of which
only the distinct ones are hashed, and no Python value is made of a row; that makes Parquet faster to replay than JSON.
Names and order of columns, hashes and numbers of kinds are shared; tests/parity/test_datasets_columns.py holds both to
the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.fields import ENTITY_FIELDS, FLAGS, IDS, TIMES
from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS, MISSING, Batch, Kind, hash_category, hash_id
from fraud.decoding.batch_columns import KINDS
from fraud.decoding.masking import is_suspect, mask_value
from fraud.decoding.own_fields import NO_FIELDS, Held, OwnColumns, OwnFields, Value, own_columns
from fraud.money import MICRO, Rates, minor_to_micro
from fraud.privacy.card_numbers import Token, may_hold_pan
from training.data.files.schema import EVENTS, conform

KIND_OF: Final = {name: kind for name, kind in KINDS.items() if kind != Kind.TRANSACTION}


@dataclass(frozen=True, slots=True)
class Columns:
    """Events as a batch, with the rows of the table that they came from.

    Attributes:
        batch: the events that can be scored.
        rows: intp [n], their rows in the table; a row whose currency has no rate at its date is left out.
    """

    batch: Batch
    rows: npt.NDArray[np.intp]


def to_columns(events: pa.Table, *, rates: Rates, fields: OwnFields = NO_FIELDS, token: Token | None = None) -> Columns:
    """A table of events (`training.data.files.schema.EVENTS`) as columns.

    Args:
        events: rows in log order, without invalid values (`training.data.files.validity`).
        rates: into the base currency.
        fields: the shop's own, as in the decoder.
        token: replaces card numbers outside the id fields, as the service does.
    """
    table = conform(events, EVENTS).combine_chunks()
    texts = {name: _Text.of(table[name], name, token) for name in _TEXTS}
    time = _integers(table["event_time"].cast(pa.int64()))
    currency = table["currency"].to_pylist()
    micro = minor_to_micro(_integers(table["amount"]), currency)
    amount, valid = rates.convert(micro, currency, time)
    kind = np.where(
        table["type"].to_numpy() == "transaction",
        np.uint8(Kind.TRANSACTION),
        texts["kind"].mapped(lambda value: KIND_OF[value], np.uint8),
    )
    ids = np.stack([_entity(texts, entity) for entity in ENTITIES], axis=1)
    own = _own(table["attributes"], fields, token)
    malformed = (_integers(pc.list_value_length(table["ignored"])) > 0).astype(np.uint8)
    malformed[own.rows] = 1
    batch = Batch(
        kind=kind.astype(np.uint8),
        time=time,
        amount=amount,
        ids=ids,
        transaction=texts["transaction_id"].mapped(hash_id, np.uint64),
        order=texts["order_id"].mapped(hash_id, np.uint64),
        billing_address=texts["billing_address_hash"].mapped(hash_id, np.uint64),
        categories=np.stack([texts[name].mapped(hash_category, np.uint32) for name in CATEGORIES], axis=1),
        integers=np.stack([_integer(table, name, micro) for name in INTEGERS], axis=1),
        malformed=malformed,
        attributes=own.attributes,
        own_ids=own.ids,
    )
    rows = np.flatnonzero(valid)
    return Columns(batch if valid.all() else batch.take(rows), rows)


@dataclass(frozen=True, slots=True)
class _Text:
    """A dictionary-encoded column: distinct values, and the place of each row's value, -1 where absent."""

    values: list[str]
    places: npt.NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.ChunkedArray, name: str, token: Token | None) -> "_Text":
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.unify_dictionaries().combine_chunks()
        values = encoded.dictionary.to_pylist()
        if token is not None and name not in IDS:
            values = [mask_value(value, token)[0] if may_hold_pan(value) else value for value in values]
        return cls(values, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))

    def mapped(
        self, function: Callable[[str], int], dtype: type[np.unsignedinteger]
    ) -> npt.NDArray[np.unsignedinteger]:
        """The function's value of each row's text, 0 where absent."""
        table = np.array([*(function(value) for value in self.values), 0], dtype)
        return table[self.places]


_TEXTS: Final = tuple(
    sorted(
        {
            *ENTITY_FIELDS.values(),
            *CATEGORIES,
            "card_fingerprint",
            "transaction_id",
            "order_id",
            "billing_address_hash",
            "kind",
        }
    )
)


def _entity(texts: dict[str, _Text], entity: str) -> npt.NDArray[np.unsignedinteger]:
    hashed = texts[ENTITY_FIELDS[entity]].mapped(hash_id, np.uint64)
    if entity != "card":
        return hashed
    fingerprint = texts["card_fingerprint"].mapped(hash_id, np.uint64)
    return np.where(fingerprint != 0, fingerprint, hashed)


def _integers(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    values: npt.NDArray[np.int64] = column.cast(pa.int64()).fill_null(MISSING).to_numpy().astype(np.int64, copy=False)
    return values


def _integer(table: pa.Table, name: str, micro: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if name == "amount_cents":
        return micro % MICRO // (MICRO // 100)
    if name == "is_merchant_initiated":
        return _integers(pc.equal(table["initiator"], "merchant").cast(pa.int8()))
    if name in TIMES or name in FLAGS:
        return _integers(table[name].cast(pa.int64()))
    return _integers(table[name])


def _own(column: pa.ChunkedArray, fields: OwnFields, token: Token | None) -> OwnColumns:
    """The declared fields; other entries of `attributes` are not looked at."""
    if not fields.values and not fields.entities:
        return own_columns([None] * len(column), fields)
    held = [None if text is None else msgspec.json.decode(text) for text in column.to_pylist()]
    return own_columns([_masked(attributes, token) for attributes in held] if token else held, fields)


def _masked(attributes: dict[str, Value] | None, token: Token) -> Held:
    if not attributes or not any(map(is_suspect, attributes.values())):
        return attributes
    return {name: mask_value(value, token)[0] for name, value in attributes.items()}
