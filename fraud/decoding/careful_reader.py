"""The slow road: messages that are not plain, by way of Python objects.

Each message is parsed alone (joined ones could complete each other), then everything is judged and converted a column
at a time. What msgspec's structs refuse goes to `fraud.decoding.validation`, the definition, which decides and says
why; they never accept what that refuses, and yield the same, which a property test holds them to.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from fraud.contracts.inbound import InvalidEvent, Reason
from fraud.decoding import validation
from fraud.decoding.batch import Batch, Int64s
from fraud.decoding.event_columns import EventColumns
from fraud.decoding.masking import mask_events
from fraud.decoding.own_fields import OwnFields, own_columns
from fraud.decoding.structs import Event, OutcomeEvent, TransactionEvent
from fraud.decoding.validation import MAX_BYTES
from fraud.money import Rates
from fraud.privacy.card_numbers import Token

read_event: Final = msgspec.json.Decoder(Event).decode
"""The event of a message that has the right shape; raises one of `_REFUSALS` of another."""

_TYPES: Final[dict[object, type[Event]]] = {"transaction": TransactionEvent, "outcome": OutcomeEvent}
_REFUSALS: Final = (msgspec.DecodeError, UnicodeDecodeError, TypeError)
"""What the parser raises for malformed messages, and for None."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that is no event: its index in the input, and why."""

    row: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Judged:
    """An event as the contract reads it, and the optional fields of its message that were invalid."""

    event: Event
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CarefulRows:
    """What messages held.

    Attributes:
        batch: the n valid events, in order.
        rows: intp [n], index of each valid event in the input.
        events: the n events themselves, card numbers masked.
        rejects: the others, in order.
        ignored: index in the input -> optional fields that were invalid and are missing in the event.
        wrong: own field -> values of the wrong kind, which are missing in the batch.
        masked: card numbers replaced.
    """

    batch: Batch
    rows: npt.NDArray[np.intp]
    events: list[Event]
    rejects: list[Reject]
    ignored: Mapping[int, tuple[str, ...]]
    wrong: Mapping[str, int]
    masked: int


@dataclass(frozen=True, slots=True)
class CarefulReader:
    """Reads any message.

    Attributes:
        rates: rates into the base currency.
        fields: the shop's own, entries of `attributes`.
        max_ahead_us: how far an event's time may lie after its Kafka timestamp.
        token: what to replace card numbers by; None leaves them.
    """

    rates: Rates
    fields: OwnFields
    max_ahead_us: int
    token: Token | None

    def read(self, values: Sequence[bytes | None], timestamps_us: Int64s) -> CarefulRows:
        """Splits n messages, with their Kafka timestamps, int64 [n] µs, into a batch of events and the rejects."""
        latest = timestamps_us + self.max_ahead_us
        rows, events, refused = parse(values)
        judged = {row: self._judge(row, values[row], int(timestamps_us[row])) for row in refused}
        for row, verdict in judged.items():
            if isinstance(verdict, Judged):
                place = bisect(rows, row)
                rows.insert(place, row)
                events.insert(place, verdict.event)
        table = EventColumns.of(events, self.rates, latest[rows])
        if not table.valid.all():
            for place in reversed(np.flatnonzero(~table.valid).tolist()):
                row = rows[place]
                judged[row] = verdict = self._judge(row, values[row], int(timestamps_us[row]))
                if isinstance(verdict, Judged):
                    events[place] = verdict.event
                else:
                    del rows[place], events[place]
            table = EventColumns.of(events, self.rates, latest[rows])
            if not table.valid.all():
                raise AssertionError("columns refuse an event that the contract accepts")
        masked = mask_events(events, table.columns, self.token) if self.token else 0
        if masked:
            table = EventColumns.of(events, self.rates, latest[rows])
        found = np.array(rows, np.intp)
        ignored = {row: v.ignored for row, v in judged.items() if isinstance(v, Judged) and v.ignored}
        rejects = sorted((v for v in judged.values() if isinstance(v, Reject)), key=lambda reject: reject.row)
        malformed = np.searchsorted(found, sorted(ignored))
        own = own_columns(table.columns["attributes"], self.fields)
        return CarefulRows(table.batch(own, malformed), found, events, rejects, ignored, own.counts, masked)

    def _judge(self, row: int, raw: bytes | None, timestamp_us: int) -> Judged | Reject:
        """What the contract says of a message that the parser refused."""
        try:
            read = validation.contract(validation.read(raw))
            validation.check(read.event, timestamp_us=timestamp_us, rates=self.rates, max_ahead_us=self.max_ahead_us)
        except InvalidEvent as error:
            return Reject(row, error.reason, error.detail)
        return Judged(msgspec.convert(read.fields, _TYPES[read.fields["type"]]), read.ignored)


def parse(values: Sequence[bytes | None]) -> tuple[list[int], list[Event], list[int]]:
    """Rows and events that have the right shape, and the rows that `fraud.decoding.validation` must judge."""
    rows, events, refused = [], [], []
    careful = _needs_care(values)
    for row, raw in enumerate(values):
        if row in careful:
            refused.append(row)
            continue
        try:
            events.append(read_event(raw))  # type: ignore[arg-type]  # None raises TypeError, as meant
        except _REFUSALS:
            refused.append(row)
        else:
            rows.append(row)
    return rows, events, refused


def _needs_care(values: Sequence[bytes | None]) -> set[int]:
    """Rows where the parser alone would be too lenient, found by a few searches that hardly ever hit.

    It skips unknown fields without looking at their UTF-8 or at a sensible depth, and takes the null character.
    """
    present = [(row, raw) for row, raw in enumerate(values) if raw is not None]
    joined = b"\n".join([raw for _, raw in present])
    careful = {
        row
        for row, raw in present
        if len(raw) > MAX_BYTES or ((second := raw.find(b"{", 1)) > 0 and raw.find(b"{", second + 1) > 0)
    }
    if b"[" in joined:
        careful |= {row for row, raw in present if b"[" in raw}
    if b"\\" in joined:  # far sooner found than the longer text
        careful |= {row for row, raw in present if b"\\u0000" in raw}
    if not joined.isascii():
        careful |= {row for row, raw in present if not _is_utf8(raw)}
    return careful


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
