"""Parsed events -> columns, each judged as a whole: the part of the hot path between parsing and hashing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from msgspec.structs import astuple

from fraud.contracts.fields import OPTIONAL_TIMES
from fraud.contracts.inbound import is_known_schema
from fraud.decoding.batch import MISSING, Batch, Int64s, UInt8s
from fraud.decoding.batch_columns import KINDS, Columns, to_batch
from fraud.decoding.own_fields import OwnColumns
from fraud.decoding.structs import Event, OutcomeEvent, TransactionEvent
from fraud.money import Rates, parse_amounts
from fraud.timestamps import Mask, parse_times

_FIELDS: Final = TransactionEvent.__struct_fields__
_OUTCOME_FIELDS: Final = OutcomeEvent.__struct_fields__[len(_FIELDS) :]


@dataclass(frozen=True, slots=True)
class EventColumns:
    """n events as columns.

    Attributes:
        columns: values by field, those of outcomes only where there are outcomes; optional times as int64 µs.
        kind: uint8 [n], a `Kind`.
        time: int64 [n], µs.
        charged: int64 [n], micro-units of the charged currency.
        amount: int64 [n], micro-units of the base currency.
        valid: bool [n], whether the contract accepts the event.
    """

    columns: Columns
    kind: UInt8s
    time: Int64s
    charged: Int64s
    amount: Int64s
    valid: Mask

    @classmethod
    def of(cls, events: Sequence[Event], rates: Rates, latest_us: Int64s) -> Self:
        """The table of n events that may not be later than `latest_us`, int64 [n]."""
        values = list(map(astuple, events))
        # Tuples of outcomes are longer; zip stops at the fields that all have.
        columns: dict[str, Any] = dict.fromkeys(_FIELDS, ())
        columns.update(zip(_FIELDS, zip(*values, strict=False), strict=False))
        kind = _take_outcomes(columns, values)
        time, valid = parse_times(columns["event_time"])
        valid &= time <= latest_us
        valid &= _holds(columns["schema_version"], is_known_schema)
        for name in OPTIONAL_TIMES:
            columns[name], sound = _optional_times(columns[name])
            valid &= sound
        charged, sound = parse_amounts(columns["amount"], columns["currency"])
        amount, convertible = rates.convert(charged, columns["currency"], time)
        return cls(columns, kind, time, charged, amount, valid & sound & convertible)

    def batch(self, own: OwnColumns, malformed: npt.NDArray[np.intp]) -> Batch:
        """Everything hashed; every row must be valid. `malformed`: rows of events that had an invalid field."""
        return to_batch(
            self.columns,
            kind=self.kind,
            time=self.time,
            charged=self.charged,
            amount=self.amount,
            own=own,
            malformed=malformed,
        )


def _take_outcomes(columns: dict[str, Any], values: Sequence[tuple[object, ...]]) -> UInt8s:
    """The kinds, uint8 [n]; adds the columns that only outcomes have, when there are any."""
    kind = np.zeros(len(values), np.uint8)
    widths = np.fromiter(map(len, values), np.intp, len(values))
    rows = np.flatnonzero(widths > len(_FIELDS)).tolist()
    if rows:
        for place, name in enumerate(_OUTCOME_FIELDS, len(_FIELDS)):
            column: list[object] = [None] * len(values)
            for row in rows:
                column[row] = values[row][place]
            columns[name] = column
        kind[rows] = [KINDS[columns["kind"][row]] for row in rows]
    return kind


def _optional_times(texts: Sequence[str | None]) -> tuple[Int64s, Mask]:
    """Microseconds, `MISSING` where absent, and a mask of the rows that are absent or times."""
    absent = texts.count(None)
    if not absent:
        return parse_times(texts)  # type: ignore[arg-type]  # none is None
    times = np.full(len(texts), MISSING)
    sound = np.ones(len(texts), np.bool_)
    if absent < len(texts):
        present = [row for row, text in enumerate(texts) if text is not None]
        times[present], sound[present] = parse_times([text for text in texts if text is not None])
    return times, sound


def _holds(values: Sequence[str], accepts: Callable[[str], bool]) -> Mask:
    """Which rows' values are accepted, asking once for each distinct one."""
    refused = {value for value in set(values) if not accepts(value)}
    if not refused:
        return np.ones(len(values), np.bool_)
    return np.fromiter((value not in refused for value in values), np.bool_, len(values))
