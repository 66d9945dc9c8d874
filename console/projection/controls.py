"""The controls of the log, folded once for each record that is new; and what they did on cases."""

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fraud.contracts.controls import Control
from fraud.controls.state import Applied, ControlsState

DAYS_30_US: Final = 30 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Version:
    """A version that counted, and when the broker took it, µs."""

    time_us: int
    control: Control


@dataclass(frozen=True, slots=True)
class Fired:
    """On how many payments of the last 30 days a control fired, and what is known of those.

    Attributes:
        count: payments.
        cases: those with a case.
        frauds: judged or labelled as fraud.
        good: judged or labelled as genuine, or a matter of service.
    """

    count: int
    cases: int
    frauds: int
    good: int


class Controls:
    """Follows the table of records; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = ControlsState()
        self._versions: dict[str, list[Version]] = {}

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Folds what is new."""
        with self._lock:
            rows = connection.execute(
                "SELECT offset, time_us, raw FROM control_record WHERE offset >= ? ORDER BY offset",
                (self._state.offset,),
            ).fetchall()
            for offset, time_us, raw in rows:
                taken = self._state.apply(raw, offset)
                if isinstance(taken, Applied):
                    kept = self._versions.setdefault(taken.control.control_id, [])
                    kept.append(Version(time_us, taken.control))

    def current(self) -> Mapping[str, Control]:
        """The present version of each."""
        with self._lock:
            return dict(self._state.current())

    def versions(self, control_id: str) -> list[Version]:
        """Those of one control that counted, newest first."""
        with self._lock:
            return list(reversed(self._versions.get(control_id, [])))

    def content_author(self, control_id: str) -> str | None:
        """Who wrote its content: approval must come from another."""
        with self._lock:
            return self._state.content_author(control_id)

    def next_version(self, control_id: str) -> int:
        """The version that the next writer must name."""
        with self._lock:
            return self._state.next_version(control_id)


_FIRED: Final = """
WITH fired AS (SELECT DISTINCT subject FROM hit WHERE control_id = ? AND shadow = ? AND event_us > ?),
    known AS (
        SELECT subject, c.case_id,
            coalesce(c.verdict, (SELECT l.verdict FROM decision d JOIN label l USING (transaction_id)
                WHERE d.alert_id = subject OR d.transaction_id = subject ORDER BY l.arrived_us DESC LIMIT 1)) AS verdict
        FROM fired LEFT JOIN cases c ON c.case_id = subject)
SELECT count(*), count(case_id), count(*) FILTER (WHERE verdict IN ('unauthorised', 'first_party')),
    count(*) FILTER (WHERE verdict IN ('genuine', 'service')) FROM known
"""


def fired(connection: sqlite3.Connection, control_id: str, now_us: int, *, shadow: bool) -> Fired:
    """What a control did, or in shadow would have done, by the names in alerts and decisions."""
    row = connection.execute(_FIRED, (control_id, shadow, now_us - DAYS_30_US)).fetchone()
    return Fired(*row)
