"""What is old leaves the projection, and a rebuild leaves out the same."""

import random
import sqlite3
from pathlib import Path

import pytest

from console.projection.database import digest, open_for_writing
from tests.support.console_events import act, alert, case_id, decision, label, payment, projection_of, raw
from tests.support.memory_topics import MemoryTopics

DAY = 86_400
START_US = 1_800_000_000_000_000


def aged_log() -> MemoryTopics:
    """A payment a day for a hundred days, each with a case; every fourth was judged twenty days later."""
    log = MemoryTopics()
    for day in range(100):
        log.now_us = START_US + day * DAY * 1_000_000
        moment = day * DAY
        paid = payment(moment)
        scored = {"scored_at": paid["event_time"]}
        log.append("payments", "c", raw(paid))
        told = {**scored, "alert_id": case_id(moment), "action": "review", "rules": ["many@1"]}
        log.append("decisions", "c", raw(decision(moment, **told)))
        log.append("alerts", "c", raw(alert(moment, rules=["many@1"])))
        judged = moment - 20 * DAY
        if judged >= 0 and day % 4 == 0:
            log.append("cases", "k", raw(act("claim", 1, number=judged)))
            log.append("cases", "k", raw(act("verdict", 2, number=judged)))
            log.append("labels", "k", raw(label(judged, "unauthorised")))
    return log


def rows(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own tables


def read(connection: sqlite3.Connection, log: MemoryTopics, *, seed: int | None = None) -> None:
    """Takes the whole log in: as it came, or topic by topic in some order."""
    made = projection_of(connection)
    found = [record for records in log.records.values() for record in records]
    if seed is None:
        found.sort(key=lambda record: record.time_us)
        for start in range(0, len(found), 7):
            made.apply(found[start : start + 7])
            if start % 5 == 0 and start > len(found) / 2:
                made.prune()
    else:
        topics = list(log.records)
        random.Random(seed).shuffle(topics)  # noqa: S311 - an order of arrival
        for topic in topics:
            made.apply(log.records[topic])
    made.prune()


def test_what_is_older_than_is_kept_goes_and_a_case_stays_with_its_last_act(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "projection.db")
    read(connection, aged_log())
    kept = {row[0] for row in connection.execute("SELECT case_id FROM cases")}
    recent = {case_id(day * DAY) for day in range(69, 100)}
    late = {case_id(day * DAY) for day in range(80) if (day + 20) % 4 == 0 and day + 20 >= 69}
    assert kept == recent | late
    assert {row[0] for row in connection.execute("SELECT transaction_id FROM payment")} == {
        f"t{day * DAY}" for day in range(100) if case_id(day * DAY) in kept
    }
    for table in ("alert", "decision", "payment"):
        assert rows(connection, table) == len(kept), table
    assert rows(connection, "case_event") == 2 * len(late)
    assert rows(connection, "hit") == len(recent)
    gone = connection.execute(
        "SELECT count(*) FROM link l LEFT JOIN payment p USING (transaction_id) WHERE p.transaction_id IS NULL"
    )
    assert gone.fetchone()[0] == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_of_an_old_log_equals_the_file_that_lived(tmp_path: Path, seed: int) -> None:
    log = aged_log()
    lived, rebuilt = open_for_writing(tmp_path / "lived.db"), open_for_writing(tmp_path / "rebuilt.db")
    read(lived, log)
    read(rebuilt, log, seed=seed)
    assert digest(lived) == digest(rebuilt)
    assert rows(lived, "cases") < 100
