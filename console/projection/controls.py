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
    """On how many cases of the last 30 days a control fired, and how many of them were judged fraud."""

    count: int
    frauds: int
    shadow: int


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


def fired(connection: sqlite3.Connection, control_id: str, now_us: int) -> Fired:
    """What a control did on cases: alerts name the versions that fired as `id@version`."""
    pattern = control_id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "@%"
    query = (
        "SELECT count(DISTINCT c.case_id), count(DISTINCT CASE WHEN c.verdict IN ('unauthorised', 'first_party')"
        " THEN c.case_id END) FROM cases c JOIN alert a ON a.alert_id = c.case_id,"
        " json_each(json_extract(a.raw, ?)) rule WHERE c.opened_us > ? AND rule.value LIKE ? ESCAPE '\\'"
    )
    live = connection.execute(query, ("$.rules", now_us - DAYS_30_US, pattern)).fetchone()
    shadow = connection.execute(query, ("$.rules_shadow", now_us - DAYS_30_US, pattern)).fetchone()
    return Fired(live[0], live[1], shadow[0])
