"""Events of cases into their rows, and verdicts into the labels that are due."""

import sqlite3

from console.projection.fold import CaseState, NotCounted, fold
from console.projection.log import LogRecord
from console.projection.worth import draw
from fraud.contracts.cases import CaseEvent, analyst_label, second_case_id

STATE: str = (
    "version, status, holder, claim_until_us, snooze_until_us, verdict, judged_by, judged_us, label_id, merged_into,"
    " touched_us"
)


def state_of(connection: sqlite3.Connection, case_id: str) -> CaseState:
    """What the case's events so far fold to."""
    row = connection.execute(f"SELECT {STATE} FROM cases WHERE case_id = ?", (case_id,)).fetchone()  # noqa: S608 - our own names
    return CaseState() if row is None else CaseState(*row)


class CaseEvents:
    """Applies records of the cases topic, which has one partition: its order is the order of all cases."""

    def __init__(self, connection: sqlite3.Connection, *, second_share: float) -> None:
        self._connection = connection
        self._second_share = second_share

    def apply(self, record: LogRecord) -> None:
        """Folds one event; one that does not count is kept with the reason."""
        event = CaseEvent.model_validate_json(record.value)
        after = fold(state_of(self._connection, event.case_id), event, record.time_us)
        refused = after.reason if isinstance(after, NotCounted) else None
        self._connection.execute(
            "INSERT INTO case_event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.offset,
                event.case_id,
                event.event_id,
                event.type,
                event.by,
                record.time_us,
                refused,
                None if refused else event.verdict,
                record.value,
            ),
        )
        if isinstance(after, NotCounted):
            return
        self._save(event, after)
        if event.type == "verdict" and not self._is_second(event.case_id):
            self._labels(event, record.offset)
            self._look_again(event, record.time_us)

    def _save(self, event: CaseEvent, state: CaseState) -> None:
        self._connection.execute(
            f"INSERT INTO cases (case_id, event_transaction, {STATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
            " ON CONFLICT DO UPDATE SET event_transaction = excluded.event_transaction, version = excluded.version,"
            " status = excluded.status, holder = excluded.holder, claim_until_us = excluded.claim_until_us,"
            " snooze_until_us = excluded.snooze_until_us, verdict = excluded.verdict, judged_by = excluded.judged_by,"
            " judged_us = excluded.judged_us, label_id = excluded.label_id, merged_into = excluded.merged_into,"
            " touched_us = excluded.touched_us",
            (event.case_id, event.transaction_id, state.version, state.status, state.holder, state.claim_until_us,
             state.snooze_until_us, state.verdict, state.judged_by, state.judged_us, state.label_id, state.into,
             state.touched_us),
        )  # fmt: skip

    def _is_second(self, case_id: str) -> bool:
        row = self._connection.execute("SELECT first_case FROM cases WHERE case_id = ?", (case_id,)).fetchone()
        return row[0] is not None

    def _look_again(self, verdict: CaseEvent, stamp_us: int) -> None:
        """Opens a second look at some of the judged alerts: a blind case for anybody else, which makes no label."""
        place = draw(f"second {verdict.case_id}")
        if verdict.propensity is None and place < self._second_share:
            self._connection.execute(
                "INSERT OR IGNORE INTO cases (case_id, kind, transaction_id, worth, opened_us, touched_us, first_case,"
                " first_by) VALUES (?, 'blind', ?, ?, ?, ?, ?, ?)",
                (second_case_id(verdict.case_id), verdict.transaction_id, -place, stamp_us, stamp_us, verdict.case_id,
                 verdict.by),
            )  # fmt: skip

    def _labels(self, verdict: CaseEvent, offset: int) -> None:
        """A label for the case's payment, and one for each that was merged into it."""
        rows = self._connection.execute(
            "SELECT case_id, event_transaction, label_id FROM cases WHERE case_id = ?"
            " OR merged_into = ? AND first_case IS NULL",
            (verdict.case_id, verdict.case_id),
        ).fetchall()
        for case_id, transaction_id, former in rows:
            label = analyst_label(verdict, transaction_id=transaction_id, supersedes=former)
            self._connection.execute(
                "INSERT OR IGNORE INTO due_label"
                " VALUES (?, ?, ?, ?, EXISTS (SELECT 1 FROM label WHERE label_id = ?), ?)",
                (
                    label.label_id,
                    offset,
                    case_id,
                    transaction_id,
                    label.label_id,
                    label.model_dump_json(exclude_none=True).encode(),
                ),
            )
            self._connection.execute(
                "UPDATE cases SET label_id = ?, verdict = ? WHERE case_id = ?",
                (label.label_id, verdict.verdict, case_id),
            )
