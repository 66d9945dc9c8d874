"""The draft: every column of an unknown table has a place, and what is not sure is said."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.contracts.inbound import MAX_ATTRIBUTES
from training.data.drafting.identifiers import FieldGuess, guess_fields, guess_transaction_id, id_like
from training.data.drafting.label import LabelGuess, guess_label, label_like
from training.data.drafting.leaks import TELLS, tells_label
from training.data.drafting.money import AmountGuess, guess_amount, guess_currency
from training.data.drafting.names import LABEL_WORDS, says, slug
from training.data.drafting.own_fields import OwnGuess, guess_own, within_limits
from training.data.drafting.profile import ColumnProfile, TableProfile, profile
from training.data.drafting.times import TimeGuess, guess_times
from training.data.importing.mapping import ROW

REPORTS: Final = {"chargeback", "dispute", "disputed", "report", "reported", "label", "labelled"}
UNKNOWN_DELAY: Final = (
    "label: no column says when a fraud was reported; delay_days = 0 takes it as known at once, which flatters "
    "figures: set the days that your chargebacks take"
)
STAND_INS: Final = ("card_id", "email_hash", "phone_hash", "device_id")
"""Whose values stand in for a customer where none is named, the best first."""


@dataclass(frozen=True, slots=True)
class Understood:
    """How one column was understood, for people.

    Attributes:
        column: its name.
        becomes: the field of events, or "attribute NAME".
        kind: of an attribute; "" of a field.
        evidence: what was counted.
        why: what speaks for it, or why it is left out.
        used: it goes into events.
    """

    column: str
    becomes: str
    kind: str
    evidence: str
    why: str
    used: bool


@dataclass(slots=True)
class Draft:
    """A table, and what its columns are taken for.

    Attributes:
        table: what was counted.
        label, time, amount: None where there is none.
        report_time: when frauds became known, where a column says so.
        currency: a column's name, or None.
        constant_currency: where no column says it.
        fields: standard field -> where it comes from.
        own: name of an attribute -> column and kind, in the order of the file.
        columns: every column, in the order of the file.
        problems: what must be mended by hand before the table can be imported.
        notes: what should be checked.
    """

    table: TableProfile
    label: LabelGuess | None = None
    time: TimeGuess | None = None
    report_time: TimeGuess | None = None
    amount: AmountGuess | None = None
    currency: str | None = None
    constant_currency: str = "EUR"
    fields: dict[str, FieldGuess] = field(default_factory=dict)
    own: dict[str, OwnGuess] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    columns: list[Understood] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of mapping and platform, after the file."""
        return slug(self.table.path.name.split(".")[0])[:64]

    def rest(self, *used: str | None) -> list[ColumnProfile]:
        """Columns that have no place yet."""
        return [column for name, column in self.table.columns.items() if name not in used and name not in self.left_out]


def draft(path: Path, label: str | None = None, *, advance: Callable[[float], None] = lambda _share: None) -> Draft:
    """Reads a table and finds a place for each of its columns.

    Args:
        path: CSV or Parquet.
        label: the column that says what was fraud; by default one that is named like it.
        advance: told how far it is, 0 to 1.

    Raises:
        InvalidMapping: the file is no table, or has no such label.
    """
    table = profile(
        path, counted=id_like, valued=lambda names: label_like(names) if label is None else [label], advance=advance
    )
    made = Draft(table)
    _place_label(made, label)
    _place_time(made)
    _leave_out_label_like(made)
    _place_money(made)
    _place_ids(made)
    _place_own(made)
    made.columns = _understood(made)
    return made


def _place_label(made: Draft, given: str | None) -> None:
    made.label = label = guess_label(made.table, given)
    if label is None:
        made.notes.append("no column is named like a label: without one nothing can be learnt; name it with --label")
        return
    if label.found:
        made.notes.append(f"{label.column} is taken as the label")
    if not label.fraud:
        made.problems.append(f"label.fraud: name the values of {label.column} that mean fraud")
    made.notes += [f"label {label.column}: {note}" for note in label.notes]


def _place_time(made: Draft) -> None:
    guesses = guess_times(made.rest(made.label.column if made.label else None))
    if made.label is not None:
        made.report_time = next((guess for guess in guesses if says(guess.column, REPORTS)), None)
        if made.report_time is None:
            made.notes.append(UNKNOWN_DELAY)
    made.time = chosen = next((guess for guess in guesses if guess.score > 0 and guess is not made.report_time), None)
    # A number that grows may be a time, or a number that grows: it stays.
    others = [guess for guess in guesses if guess is not chosen and guess.origin is None]
    made.left_out |= {guess.column: "another time" for guess in others}
    if made.report_time is not None:
        made.left_out[made.report_time.column] = "when the fraud was reported"
    if chosen is None:
        made.problems.append("time: no column looks like the time of a payment")
        return
    made.notes += [f"time {chosen.column}: {note}" for note in chosen.notes]
    rivals = [guess.column for guess in others if guess.score > 0 and guess is not made.report_time]
    if rivals:
        made.notes.append(f"time: {', '.join(rivals)} could be it, too; {chosen.column} is taken")


def _leave_out_label_like(made: Draft) -> None:
    for column in made.rest(*_used(made)):
        if says(column.name, LABEL_WORDS):
            made.left_out[column.name] = "named like a label: it may be known only afterwards"


def _used(made: Draft) -> list[str | None]:
    return [
        made.label.column if made.label else None,
        made.time.column if made.time else None,
        made.amount.column if made.amount else None,
        made.currency,
        *(guess.column for guess in made.fields.values()),
    ]


def _place_money(made: Draft) -> None:
    made.amount = amount = guess_amount(made.rest(*_used(made)))
    if amount is None:
        made.problems.append("amount: no column looks like an amount of money")
    else:
        made.notes += [f"amount {amount.column}: {note}" for note in amount.notes]
    currency = guess_currency(made.rest(*_used(made)))
    if currency is not None:
        made.currency = currency.name
        common = currency.texts.str.strip().value_counts()
        made.constant_currency = str(common.index[0])
        if len(common) > 1:
            made.notes.append(f"currency: {len(common)} currencies; amounts are turned into {common.index[0]}")
    elif amount is not None and amount.currency:
        made.constant_currency = amount.currency
    else:
        made.notes.append("currency: no column and no sign tells it; EUR is a stand-in")


def _place_ids(made: Draft) -> None:
    profiles = made.rest(*_used(made))
    name, repeated = guess_transaction_id(profiles)
    if repeated is not None:
        made.left_out[repeated.name] = "names payments, but not each"
        made.notes.append(
            f"transaction_id: {repeated.name} has {repeated.distinct:,} values in {repeated.rows:,} rows, "
            f"{repeated.empty:,} are empty: rows are numbered instead"
        )
    if name is not None:
        made.fields["transaction_id"] = FieldGuess("transaction_id", name)
    for guess in guess_fields(made.rest(*_used(made))):
        made.fields[guess.field] = guess
        if guess.note:
            made.notes.append(f"{guess.field}: {guess.column} is {guess.note}")
    if "customer_id" in made.fields:
        return
    stand_in = next((made.fields[name] for name in STAND_INS if name in made.fields), None)
    if stand_in is not None:
        made.fields["customer_id"] = FieldGuess("customer_id", stand_in.column, stand_in.hashed)
        made.notes.append(f"customer_id: no column names customers; {stand_in.column} stands in")
    else:
        made.fields["customer_id"] = FieldGuess("customer_id", ROW)
        made.notes.append(
            "customer_id: no column names customers, cards or devices; each payment is a customer of its own, so "
            "nothing is told by a customer's past"
        )


def _place_own(made: Draft) -> None:
    guesses = within_limits([guess_own(column) for column in made.rest(*_used(made))], made.table.columns)
    fraud = made.label.marks(made.table) if made.label else np.zeros(0, np.bool_)
    strength = {}
    kept = []
    for guess in guesses:
        if guess.kind is None:
            made.left_out[guess.column] = guess.why
            continue
        auc = tells_label(made.table.columns[guess.column], fraud) if len(fraud) else None
        if auc is not None and auc >= TELLS:
            made.left_out[guess.column] = f"a leak: alone it tells the label with ROC AUC {auc:.3f}"
            made.notes.append(f"{guess.column} is left out as {made.left_out[guess.column]}")
            continue
        strength[guess.column] = auc or 0.0
        kept.append(guess)
    twins = _twins([made.table.columns[guess.column] for guess in kept])
    made.left_out |= {name: f"equals {first}" for name, first in twins.items()}
    kept = [guess for guess in kept if guess.column not in twins]
    if len(kept) > MAX_ATTRIBUTES:
        strongest = sorted(kept, key=lambda guess: -strength[guess.column])
        beyond = {guess.column for guess in strongest[MAX_ATTRIBUTES:]}
        made.notes.append(f"{len(kept):,} columns could be used; the {MAX_ATTRIBUTES} that tell most alone are taken")
        made.left_out |= dict.fromkeys(beyond, f"beyond the {MAX_ATTRIBUTES} that tell most alone")
        kept = [guess for guess in kept if guess.column not in beyond]
    for guess in kept:
        made.own[slug(guess.column, made.own)] = guess


def _twins(profiles: list[ColumnProfile]) -> dict[str, str]:
    """Columns that equal an earlier one in every sampled row -> that one."""
    seen: dict[bytes, str] = {}
    twins = {}
    for column in profiles:
        first = seen.setdefault(_digest(column), column.name)
        if first != column.name:
            twins[column.name] = first
    return twins


def _digest(column: ColumnProfile) -> bytes:
    if column.is_measure:
        return hashlib.sha256(column.numbers.tobytes()).digest()
    held: npt.NDArray[np.object_] = column.texts.to_numpy(object)
    places = column.texts.index.to_numpy(np.int64)
    return hashlib.sha256(places.tobytes() + "\0".join(held).encode()).digest()


def _understood(made: Draft) -> list[Understood]:
    becomes = _becomes(made)
    fields = {guess.column for guess in made.fields.values()}
    rows = []
    for name, column in made.table.columns.items():
        place, kind, why = becomes.get(name, ("left out", "", made.left_out.get(name, "")))
        # Values of ids and of what is left out may be personal.
        evidence = "not plain values" if column.is_nested else column.facts(examples=bool(kind) and name not in fields)
        rows.append(Understood(name, place, kind, evidence, why, used=name in becomes))
    return rows


def _becomes(made: Draft) -> dict[str, tuple[str, str, str]]:
    """Column -> field, kind, and why."""
    becomes: dict[str, tuple[str, str, str]] = {}
    if made.label:
        becomes[made.label.column] = ("label", "", "the label, never a feature")
    for place, time in (("event_time", made.time), ("time of the label", made.report_time)):
        if time:
            becomes[time.column] = (place, "", time.format)
    if made.amount:
        becomes[made.amount.column] = ("amount", "", "minor units" if made.amount.minor else "major units")
    if made.currency:
        becomes[made.currency] = ("currency", "", "ISO 4217 codes")
    for name, guess in made.fields.items():
        held = becomes.get(guess.column, ("",))[0]
        why = "hashed" if guess.hashed else "by name and values"
        becomes[guess.column] = (f"{held}, {name}" if held else name, "", why)
    return becomes | {own.column: (f"attribute {name}", str(own.kind), own.why) for name, own in made.own.items()}
