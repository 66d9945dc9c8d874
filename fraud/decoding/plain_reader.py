"""Plain messages to columns by compiled code: what it takes of the contract, currencies and own fields, and its call.

A message is plain when it says what it says in the usual way (see `fraud.decoding.kernel`). Nearly all are, and of
those no Python object is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from fraud.contracts.inbound import MAX_ATTRIBUTES, MAX_TEXT
from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS, MISSING, Batch, Int64s
from fraud.decoding.batch_columns import INITIATORS, KINDS
from fraud.decoding.kernel.attributes import NOWHERE, Own
from fraud.decoding.kernel.fields import CHOICE, NAMES, RULE
from fraud.decoding.kernel.messages import FOUND
from fraud.decoding.kernel.rows import LETTERS, TOLD, Plan, Rows, read_rows
from fraud.decoding.kernel.words import words_of
from fraud.decoding.own_fields import OwnFields
from fraud.decoding.structs import OutcomeEvent, TransactionEvent
from fraud.decoding.validation import MAX_BYTES
from fraud.money import MAX_MICRO, MAX_MINOR, MINOR_MICRO, Rates
from fraud.timestamps import Mask

_TYPES: Final = tuple(str(struct.__struct_config__.tag) for struct in (TransactionEvent, OutcomeEvent))
_MEANINGS: Final = {"kind": KINDS, "initiator": INITIATORS}
"""Field -> word -> what it is in a batch; of others the words are only known."""


TOLD_NAMES: Final = tuple(NAMES[field] for field in TOLD)
"""Fields whose texts are at hand without the event."""


@dataclass(frozen=True, slots=True)
class PlainRows:
    """What n messages held, as far as they are plain.

    Attributes:
        plain: bool [n].
        batch: n rows; those that are not plain hold anything.
        data: the messages' bytes.
        told: int64 [n, len(TOLD), 2], where texts of plain messages stand in `data`.
    """

    plain: Mask
    batch: Batch
    data: bytes
    told: Int64s

    def texts(self, rows: npt.NDArray[np.intp]) -> list[list[str]]:
        """Texts of some rows, a list for each of `TOLD_NAMES`; of rows that are not plain they say nothing."""
        plain = np.where(self.plain[rows, None, None], self.told[rows], 0)
        return [
            [self.data[start:end].decode() for start, end in zip(*places.T.tolist(), strict=True)]
            for places in np.moveaxis(plain, 1, 0)
        ]


@dataclass(frozen=True, slots=True)
class PlainReader:
    """Reads plain messages. The plan holds scratch, which is safe since compiled code keeps the interpreter's lock.

    Attributes:
        plan: what the compiled code knows.
        values: own numbers, flags and categories.
        entities: own entities.
    """

    plan: Plan
    values: int
    entities: int

    @classmethod
    def of(cls, rates: Rates, fields: OwnFields, *, masks: bool) -> Self:
        """A reader for these rates and fields; `masks`: whether card numbers are looked for."""
        return cls(_plan(rates, _own(fields, masks=masks)), len(fields.values), len(fields.entities))

    def read(self, values: Sequence[bytes | None], latest: Int64s) -> PlainRows:
        """Reads n messages; an event later than `latest`, int64 [n] µs, is not plain."""
        count = len(values)
        present = [value or b"" for value in values]
        data = b"".join(present)
        ends = np.zeros(count + 1, np.int64)
        np.cumsum(np.fromiter(map(len, present), np.int64, count), out=ends[1:])
        rows = Rows(
            kind=np.empty(count, np.uint8),
            time=np.empty(count, np.int64),
            amount=np.empty(count, np.int64),
            ids=np.empty((count, len(ENTITIES)), np.uint64),
            transaction=np.empty(count, np.uint64),
            order=np.empty(count, np.uint64),
            billing_address=np.empty(count, np.uint64),
            categories=np.empty((count, len(CATEGORIES)), np.uint32),
            integers=np.empty((count, len(INTEGERS)), np.int64),
            attributes=np.full((count, self.values), np.nan, np.float32),
            own_ids=np.zeros((count, self.entities), np.uint64),
            told=np.empty((count, len(TOLD), 2), np.int64),
        )
        plain = np.empty(count, np.bool_)
        read_rows(np.frombuffer(data, np.uint8), ends, latest, self.plan, rows, plain)
        columns = rows._asdict()
        told = columns.pop("told")
        return PlainRows(plain, Batch(malformed=np.zeros(count, np.uint8), **columns), data, told)


def _own(fields: OwnFields, *, masks: bool) -> Own:
    groups = (fields.numbers, fields.flags, fields.categories, fields.entities)
    first = (0, len(fields.numbers), len(fields.numbers) + len(fields.flags), 0)
    names = sorted({name for group in groups for name in group})
    places = np.full((len(names), len(groups)), NOWHERE, np.int64)
    for kind, group in enumerate(groups):
        for column, name in enumerate(group):
            places[names.index(name), kind] = first[kind] + column
    return Own(words_of(names), places, np.zeros(len(names), np.bool_), MAX_TEXT, MAX_ATTRIBUTES, masks)


def _plan(rates: Rates, own: Own) -> Plan:
    choices = _choices()
    words = sorted({word for found in choices.values() for word in found})
    meanings = np.full((len(NAMES), len(words)), MISSING, np.int64)
    for name, found in choices.items():
        for place, word in enumerate(found):
            meanings[NAMES.index(name), words.index(word)] = _MEANINGS.get(name, {}).get(word, place)
    columns = rates.table.shape[1]
    currencies = np.full(LETTERS**3, columns - 1, np.int64)
    minor = np.zeros(columns, np.int64)
    for code, column in rates.codes.items():
        currencies[_place(code)] = column
        minor[column] = MINOR_MICRO[code]
    return Plan(
        names=words_of(NAMES),
        words=words_of(words),
        meanings=meanings,
        outcome=_TYPES.index(str(OutcomeEvent.__struct_config__.tag)),
        max_text=MAX_TEXT,
        own=own,
        found=np.zeros((len(NAMES), FOUND), np.int64),
        currencies=currencies,
        minor=minor,
        table=np.ascontiguousarray(rates.table, np.float64),
        since=np.ascontiguousarray(rates.since, np.int64),
        base=rates.codes[rates.base],
        max_bytes=MAX_BYTES,
        max_micro=MAX_MICRO,
        max_minor=MAX_MINOR,
    )


def _place(code: str) -> int:
    first, second, third = (ord(letter) - ord("A") for letter in code)
    return (first * LETTERS + second) * LETTERS + third


def _choices() -> dict[str, tuple[str, ...]]:
    """Field -> the words that it may say, from the annotations of the structs."""
    hints = get_type_hints(OutcomeEvent)
    names = [name for name, rule in zip(NAMES, RULE.tolist(), strict=True) if rule == CHOICE and name != "type"]
    return {"type": _TYPES} | {name: _literals(hints[name]) for name in names}


def _literals(hint: Any) -> tuple[str, ...]:  # noqa: ANN401 - an annotation
    found: list[str] = []
    for part in get_args(hint):
        found += [part] if isinstance(part, str) else _literals(part)
    return tuple(found)
