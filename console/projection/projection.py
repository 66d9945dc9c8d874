"""Records of all topics into the tables: a batch and its offsets in one SQLite transaction, each record once.

Topics arrive in any order against each other, live otherwise than in a rebuild, so that no row may depend on it: what
comes from different topics fills different columns, and is put together when a page reads it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from console.projection.case_events import CaseEvents
from console.projection.log import LogRecord
from console.projection.payments import Payments, in_major_units
from console.projection.pruning import prune
from console.projection.worth import draw, worth
from fraud.contracts.cases import blind_case_id
from fraud.contracts.inbound import InvalidEvent, Label
from fraud.timestamps import parse_time, to_us

BROKEN: Final = (msgspec.DecodeError, msgspec.ValidationError, ValidationError, InvalidEvent, KeyError, TypeError,
                 ValueError, AttributeError, OverflowError)  # fmt: skip
"""What reading a record that keeps no contract may raise: it is noted and left, and stops nothing."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Which topic holds what."""

    transactions: str
    alerts: str
    decisions: str
    labels: str
    cases: str
    controls: str
    models: str

    def all(self) -> tuple[str, ...]:
        """Every topic that the projection reads."""
        return (
            self.transactions, self.alerts, self.decisions, self.labels, self.cases, self.controls, self.models
        )  # fmt: skip


class Projection:
    """Fills the tables of one connection.

    Args:
        connection: of `open_for_writing`.
        topics: which topic holds what.
        payments: turns payments into rows.
        blind_share: share of the allowed payments that become blind cases, 0..1.
        second_share: share of the judged alerts that a second analyst judges, 0..1.
        review_minutes: minutes of an analyst for one case.
        keep_us: how long payments stay, and cases after their last act, µs.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        topics: Topics,
        payments: Payments,
        *,
        blind_share: float,
        second_share: float,
        review_minutes: float,
        keep_us: int,
    ) -> None:
        self._connection = connection
        self._payments = payments
        self._blind_share = blind_share
        self._minutes = review_minutes
        self._keep_us = keep_us
        self._cases = CaseEvents(connection, second_share=second_share)
        self._readers: Mapping[str, Callable[[LogRecord], None]] = {
            topics.transactions: self._event,
            topics.alerts: self._alert,
            topics.decisions: self._decision,
            topics.labels: self._label,
            topics.cases: self._cases.apply,
            topics.controls: self._control,
            topics.models: self._announcement,
        }

    def apply(self, records: Sequence[LogRecord]) -> None:
        """Takes in what is new of these records; all of it, or nothing where the process dies."""
        try:
            self._apply(records, self._read)
        except BROKEN:  # once more, each under a savepoint of its own, whose price the usual batch is spared
            self._apply(records, self._read_or_note)

    def _apply(self, records: Sequence[LogRecord], read: Callable[[LogRecord], None]) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            for record in self._new(records):
                read(record)
            self._connection.executemany(
                "INSERT INTO position VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = max(next, excluded.next),"
                " newest_us = max(newest_us, excluded.newest_us)",
                [(*place, *end) for place, end in _ends(records).items()],
            )
        except BaseException:
            run("ROLLBACK")
            raise
        run("COMMIT")

    def prune(self) -> None:
        """Lets go of what is older than is kept, by the newest stamp in the log: a rebuild lets go of the same.

        Only once the log is read to its end: else a case might go whose latest act was not read yet.
        """
        newest_us = self._connection.execute("SELECT max(newest_us) FROM position").fetchone()[0]
        if newest_us is not None:
            prune(self._connection, newest_us - self._keep_us)

    def _read(self, record: LogRecord) -> None:
        self._readers[record.topic](record)

    def _read_or_note(self, record: LogRecord) -> None:
        run = self._connection.execute
        run("SAVEPOINT record")
        try:
            self._read(record)
        except BROKEN as error:
            run("ROLLBACK TO record")
            why = type(error).__name__  # its text may hold personal data
            run("INSERT OR IGNORE INTO unread VALUES (?, ?, ?, ?)",
                (record.topic, record.partition, record.offset, why))  # fmt: skip
        run("RELEASE record")

    def _new(self, records: Iterable[LogRecord]) -> Iterable[LogRecord]:
        """Those behind the stored position: a reader that was reconnected may hand out some again."""
        stored = {(row[0], row[1]): row[2] for row in self._connection.execute("SELECT * FROM position")}
        return (record for record in records if record.offset >= stored.get((record.topic, record.partition), 0))

    def _event(self, record: LogRecord) -> None:
        self._payments.event(self._connection, record.value)

    def _alert(self, record: LogRecord) -> None:
        alert = _decoded(record.value)
        payment, costs = alert["transaction"], alert["costs"]
        self._connection.execute("INSERT OR IGNORE INTO alert VALUES (?, ?)", (alert["alert_id"], record.value))
        self._payments.in_alert(self._connection, payment)
        self._hits(alert, alert["alert_id"])
        self._open(
            alert["alert_id"], "alert", alert["transaction_id"], worth(costs, self._minutes),
            parse_time(alert["scored_at"]), float(alert["score"]), alert["risk_level"], alert["action"],
            in_major_units(payment["amount"], payment["currency"]), payment["currency"],
        )  # fmt: skip

    def _decision(self, record: LogRecord) -> None:
        decision = _decoded(record.value)
        transaction_id, scored_us = decision["transaction_id"], parse_time(decision["scored_at"])
        self._connection.execute(
            "INSERT OR IGNORE INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (transaction_id, decision["stage"], decision.get("alert_id"), parse_time(decision["event_time"]),
             float(decision["score"]), decision["action"], decision["model_action"], int(decision["model_version"]),
             record.value),
        )  # fmt: skip
        self._hits(decision, decision.get("alert_id") or transaction_id)
        allowed = decision["action"] == "allow" and decision["model_action"] == "allow"
        if allowed and draw(transaction_id) < self._blind_share:
            # Its worth is its place in a random order: blind cases are taken in the order of the draw.
            place = -draw(transaction_id)
            self._open(blind_case_id(transaction_id), "blind", transaction_id, place, scored_us,
                       float(decision["score"]), None, "allow", None, None)  # fmt: skip

    def _hits(self, scored: Mapping[str, Any], subject: str) -> None:
        """Alert and decision of one payment say the same of rules, and only the decision says it of those in shadow."""
        for shadow, field in enumerate(("rules", "rules_shadow")):
            for name in scored.get(field) or ():
                control_id, _, version = name.rpartition("@")
                self._connection.execute(
                    "INSERT OR IGNORE INTO hit VALUES (?, ?, ?, ?, ?)",
                    (control_id, shadow, parse_time(scored["event_time"]), subject, int(version)),
                )

    def _open(self, *columns: str | float | None) -> None:
        """Fills a case's first half, once: the alert of a second delivery says the same."""
        self._connection.execute(
            "INSERT INTO cases (case_id, kind, transaction_id, worth, opened_us, score, level, action, amount,"
            " currency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind,"
            " transaction_id = excluded.transaction_id, worth = excluded.worth, opened_us = excluded.opened_us,"
            " score = excluded.score, level = excluded.level, action = excluded.action, amount = excluded.amount,"
            " currency = excluded.currency WHERE cases.kind IS NULL",
            columns,
        )

    def _label(self, record: LogRecord) -> None:
        label = Label.model_validate_json(record.value)
        self._connection.execute(
            "INSERT OR IGNORE INTO label VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (label.label_id, label.transaction_id, label.verdict, label.source, label.reason_code, label.supersedes,
             to_us(label.occurred_at), record.time_us),
        )  # fmt: skip
        self._connection.execute("UPDATE due_label SET arrived = 1 WHERE label_id = ?", (label.label_id,))

    def _control(self, record: LogRecord) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO control_record VALUES (?, ?, ?)", (record.offset, record.time_us, record.value)
        )

    def _announcement(self, record: LogRecord) -> None:
        at_us = parse_time(_decoded(record.value)["at"])
        self._connection.execute(
            "INSERT OR IGNORE INTO announcement VALUES (?, ?, ?, ?)",
            (record.partition, record.offset, at_us, record.value),
        )


def _ends(records: Iterable[LogRecord]) -> dict[tuple[str, int], tuple[int, int]]:
    """Topic and partition -> the next offset, and the newest stamp."""
    ends: dict[tuple[str, int], tuple[int, int]] = {}
    for record in records:
        place = (record.topic, record.partition)
        ends[place] = record.offset + 1, max(record.time_us, ends.get(place, (0, 0))[1])
    return ends


def _decoded(value: bytes) -> dict[str, Any]:
    return msgspec.json.decode(value, type=dict[str, Any])
