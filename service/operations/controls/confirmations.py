"""Confirmed frauds as entries of a list: what labels say becomes controls, so that every replay knows it too.

One entry a payment, under an id that follows from the payment's. So nothing is kept beside the two logs: whoever starts
anew reads all labels, sees which entries stand, and writes what is missing. A reversal archives the entry.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import numpy as np
from pydantic import ValidationError

from fraud.contracts.controls import Control, ListEntry
from fraud.contracts.inbound import Label, LabelSource
from fraud.decoding.batch import UInt64s, hash_id
from fraud.decoding.structs import TransactionEvent
from service.operations.controls.label_verdicts import standing_label

LIST: Final = "confirmed"
AUTHOR: Final = "follow-labels"
CONFIRMING: Final[frozenset[LabelSource]] = frozenset({"dispute_outcome", "chargeback", "early_warning", "analyst"})
"""Sources that confirm; what a customer reports is a claim."""

MOST: Final = 5_000_000
CHUNK: Final = 1 << 16


class _Named(msgspec.Struct):
    transaction_id: str
    type: str = "transaction"


class PaymentPlaces:
    """Where the newest payments stand in the input, 16 bytes each; of a repeated id the latest place."""

    def __init__(self, most: int = MOST) -> None:
        self._most = max(1, most // CHUNK)
        self._chunks: list[tuple[UInt64s, UInt64s]] = []
        self._open: dict[int, int] = {}
        self._decode = msgspec.json.Decoder(_Named).decode

    def add(self, partition: int, offsets: Sequence[int], values: Iterable[bytes | None]) -> None:
        """Takes records in; what is no payment is left out."""
        for offset, value in zip(offsets, values, strict=True):
            try:
                named = self._decode(value or b"")
            except msgspec.DecodeError:
                continue
            if named.type == "transaction":
                self._open[hash_id(named.transaction_id)] = partition << 48 | offset
        if len(self._open) >= CHUNK:
            keys = np.fromiter(self._open.keys(), np.uint64, len(self._open))
            places = np.fromiter(self._open.values(), np.uint64, len(self._open))
            order = np.argsort(keys)
            self._chunks = [*self._chunks, (keys[order], places[order])][-self._most :]
            self._open.clear()

    def find(self, transaction_id: str) -> tuple[int, int] | None:
        """Partition and offset of a payment; None where it is not among the newest."""
        key = hash_id(transaction_id)
        found = self._open.get(key)
        for keys, places in reversed(self._chunks) if found is None else ():
            row = int(np.searchsorted(keys, np.uint64(key)))
            if row < len(keys) and int(keys[row]) == key:
                found = int(places[row])
                break
        return None if found is None else (found >> 48, found & (1 << 48) - 1)


@dataclass(frozen=True, slots=True)
class Listed:
    """What of a confirmed fraud is put into the list, and for how long.

    Attributes:
        fields: of the payment.
        lasts: from when the label was received.
    """

    fields: tuple[str, ...]
    lasts: timedelta


class Confirmations:
    """Labels as they came, and which payments' entries they may have changed."""

    def __init__(self, listed: Listed, payment: Callable[[str], TransactionEvent | None]) -> None:
        """None yet.

        Args:
            listed: what is put into the list.
            payment: looks a payment up by its id; None where it is not known (yet).
        """
        self._listed = listed
        self._payment = payment
        self._labels: dict[str, dict[str, Label]] = {}
        self._open: dict[str, None] = {}

    def add(self, values: Iterable[bytes | None]) -> None:
        """Takes labels in; what is none is left out."""
        for value in values:
            try:
                label = Label.model_validate_json(value or b"")
            except ValidationError:
                continue
            self._labels.setdefault(label.transaction_id, {}).setdefault(label.label_id, label)
            self._open[label.transaction_id] = None

    def due(self, current: Mapping[str, Control], now: datetime) -> list[Control]:
        """The versions to write now: entries of confirmed frauds, and archived ones of those that were reversed.

        A payment that cannot be found is asked for again until its entry would have expired.

        Args:
            current: the controls as they stand.
            now: wall time.
        """
        found: list[Control] = []
        for transaction in list(self._open):
            label = standing_label(self._labels[transaction].values())
            until = label.received_at + self._listed.lasts
            control_id = entry_id(transaction)
            present = current.get(control_id)
            if label.verdict != "unauthorised" or label.source not in CONFIRMING:
                del self._open[transaction]
                if present is not None and present.status == "live":
                    found.append(_version(present, label, now, status="archived"))
                continue
            if until <= now or (present is not None and present.status != "archived"):
                del self._open[transaction]  # over; or it stands, or somebody has paused it, who knows better
                continue
            entry = self._entry(transaction)
            if entry is not None:
                del self._open[transaction]
                if entry.values:
                    found.append(_new(control_id, present, label, entry, until=until, now=now))
        return found

    def _entry(self, transaction: str) -> ListEntry | None:
        event = self._payment(transaction)
        if event is None:
            return None
        values = [getattr(event, field) for field in self._listed.fields]
        given = list(dict.fromkeys(value for value in values if value))
        return ListEntry.model_construct(list=LIST, values=given)


def entry_id(transaction_id: str) -> str:
    """The control of a payment's confirmation."""
    return f"confirmed-{hashlib.sha256(transaction_id.encode()).hexdigest()[:24]}"


def _new(
    control_id: str, present: Control | None, label: Label, entry: ListEntry, *, until: datetime, now: datetime
) -> Control:
    return Control(
        control_id=control_id,
        version=1 if present is None else present.version + 1,
        kind="list_entry",
        status="live",
        author=AUTHOR,
        reason=_reason(label),
        written_at=now,
        valid_until=until,
        list_entry=entry,
    )


def _version(present: Control, label: Label, now: datetime, *, status: str) -> Control:
    changes = {"version": present.version + 1, "status": status, "reason": _reason(label), "written_at": now}
    return present.model_copy(update={**changes, "author": AUTHOR})


def _reason(label: Label) -> str:
    return f"label {label.label_id} by {label.source}: {label.verdict}"
