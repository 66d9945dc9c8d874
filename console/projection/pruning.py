"""What leaves the projection with age: by event times and stamps alone, so that a rebuild leaves out the same."""

import sqlite3
from typing import Final

_STEPS: Final = (
    # A case goes when nothing happened to it for so long, judged or not; what it alone held up goes with it.
    "DELETE FROM cases WHERE coalesce(opened_us, 0) < :before AND touched_us < :before",
    "DELETE FROM alert WHERE NOT EXISTS (SELECT 1 FROM cases c WHERE c.case_id = alert_id)",
    "DELETE FROM case_event WHERE stamp_us < :before AND NOT EXISTS"
    " (SELECT 1 FROM cases c WHERE c.case_id = case_event.case_id)",
    "DELETE FROM due_label WHERE arrived = 1 AND NOT EXISTS"
    " (SELECT 1 FROM cases c WHERE c.case_id = due_label.case_id)",
    "DELETE FROM payment WHERE event_us < :before AND NOT EXISTS"
    " (SELECT 1 FROM cases c WHERE c.transaction_id = payment.transaction_id)",
    "DELETE FROM link WHERE event_us < :before AND NOT EXISTS"
    " (SELECT 1 FROM payment p WHERE p.transaction_id = link.transaction_id)",
    "DELETE FROM outcome WHERE event_us < :before AND NOT EXISTS"
    " (SELECT 1 FROM payment p WHERE p.transaction_id = outcome.transaction_id)",
    "DELETE FROM decision WHERE event_us < :before AND NOT EXISTS"
    " (SELECT 1 FROM cases c WHERE c.case_id = decision.alert_id OR c.transaction_id = decision.transaction_id)",
    "DELETE FROM label WHERE arrived_us < :before AND NOT EXISTS"
    " (SELECT 1 FROM decision d WHERE d.transaction_id = label.transaction_id) AND NOT EXISTS"
    " (SELECT 1 FROM cases c WHERE c.transaction_id = label.transaction_id)",
    "DELETE FROM hit WHERE event_us < :before",
)


def prune(connection: sqlite3.Connection, before_us: int) -> None:
    """Deletes what ended before a time, µs; the file keeps its size and fills its room again."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS:
            connection.execute(step, {"before": before_us})
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
