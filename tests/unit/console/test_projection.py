import random
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from console.projection.case_events import state_of
from console.projection.database import digest, open_for_writing, positions
from console.projection.follower import Follower
from console.projection.log import LogRecord
from console.projection.payments import Payments
from console.projection.projection import Projection
from console.projection.worth import draw, worth
from fraud.contracts.cases import CaseEvent, blind_case_id
from fraud.contracts.inbound import Label
from fraud.privacy.card_numbers import tokeniser
from fraud.privacy.pseudonyms import Pseudonyms
from tests.support.console_events import TOPICS, act, alert, case_id, decision, payment, projection_of, raw
from tests.support.memory_topics import MemoryTopics


def projection(connection: sqlite3.Connection, payments: Payments | None = None) -> Projection:
    return projection_of(connection, payments or Payments())


def follower(connection: sqlite3.Connection, log: MemoryTopics, made: Projection | None = None) -> Follower:
    return Follower(
        connection,
        made or projection(connection),
        log.reader(),
        log,
        cases_topic="cases",
        labels_topic="labels",
        now_us=lambda: log.now_us,
        monotonic=lambda: log.now_us / 1e6,
    )


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    return open_for_writing(tmp_path / "projection.db")


def busy_log() -> MemoryTopics:
    """Thirty payments, ten alerts, and analysts at work, some of them at cross purposes."""
    log = MemoryTopics()
    for number in range(30):
        log.append("payments", "c", raw(payment(number)))
        log.append(
            "payments", "c", raw({**payment(number), "type": "outcome", "outcome_id": f"o{number}", "kind": "captured"})
        )
        log.append("decisions", "c", raw(decision(number)))
        if number < 10:
            log.append("alerts", "c", raw(alert(number, gain=number)))
    for number in range(5):
        for event in (
            act("claim", 1, number=number),
            act("claim", 1, "tom", number=number),
            act("verdict", 2, number=number),
        ):
            log.append("cases", "k", raw(event))
    log.append("cases", "k", raw(act("merge", 2, number=7, into=case_id(1))))
    log.append("cases", "k", b"no event")
    log.append("controls", "k", b"{}")
    return log


def records(log: MemoryTopics, topics: Iterable[str]) -> list[LogRecord]:
    return [record for topic in topics for record in log.records[topic]]


def test_any_order_of_topics_and_any_cut_into_batches_gives_the_same_rows(tmp_path: Path) -> None:
    log = busy_log()
    seen = set()
    for seed in range(6):
        rng = random.Random(seed)  # noqa: S311 - an order of arrival
        waiting = {topic: list(found) for topic, found in log.records.items()}
        connection = open_for_writing(tmp_path / f"{seed}.db")
        made = projection(connection)
        while any(waiting.values()):
            topic = rng.choice([name for name, found in waiting.items() if found])
            size = rng.randint(1, 9)
            made.apply(waiting[topic][:size])
            del waiting[topic][:size]
        seen.add(digest(connection))
    assert len(seen) == 1


def test_a_deleted_projection_is_rebuilt_to_the_same_bytes_that_lived(tmp_path: Path) -> None:
    log = MemoryTopics()
    live = open_for_writing(tmp_path / "live.db")
    following = follower(live, log)
    for topic, found in busy_log().records.items():
        for record in found:
            log.append(topic, "k", record.value)
            following.step()
    log.now_us += 60_000_000
    following.step()
    following.step()
    assert log.records["labels"], "verdicts made labels while it lived"
    rebuilt = open_for_writing(tmp_path / "rebuilt.db")
    follower(rebuilt, log).step()
    assert digest(rebuilt) == digest(live)


def test_a_difference_in_one_row_is_a_difference_of_the_digest(connection: sqlite3.Connection) -> None:
    projection(connection).apply(records(busy_log(), TOPICS.all()))
    before = digest(connection)
    connection.execute("UPDATE cases SET holder = 'x' WHERE case_id = ?", (case_id(3),))
    assert digest(connection) != before


def test_records_that_come_twice_count_once(connection: sqlite3.Connection) -> None:
    made, log = projection(connection), busy_log()
    made.apply(records(log, TOPICS.all()))
    before = digest(connection)
    made.apply(records(log, TOPICS.all()))
    assert digest(connection) == before


def test_rows_and_positions_are_stored_together_or_not_at_all(connection: sqlite3.Connection) -> None:
    class CutError(Exception):
        pass

    def cut(_record: LogRecord) -> None:
        raise CutError

    made, log = projection(connection), busy_log()
    made._readers = {**made._readers, "labels": cut}
    log.append("labels", "k", b"{}")
    with pytest.raises(CutError):
        made.apply(records(log, ["alerts", "labels"]))
    assert positions(connection) == {}
    assert connection.execute("SELECT count(*) FROM cases").fetchone()[0] == 0


def test_a_record_that_keeps_no_contract_is_noted_and_stops_nothing(connection: sqlite3.Connection) -> None:
    log = MemoryTopics()
    for value in (b"", b"[]", b"\xff", raw({**alert(1), "costs": {}}), raw(alert(2))):
        log.append("alerts", "k", value)
    projection(connection).apply(records(log, ["alerts"]))
    assert connection.execute("SELECT count(*) FROM unread").fetchone()[0] == 4
    assert [row[0] for row in connection.execute("SELECT case_id FROM cases")] == [case_id(2)]


def test_worth_is_what_a_review_saves_against_the_cheapest_other_action() -> None:
    costs = {"allow": 40.0, "challenge": 16.0, "review": 6.0, "block": 20.0}
    assert worth(costs, 5.0) == pytest.approx(2.0)


def test_blind_cases_are_drawn_from_what_was_allowed_and_nothing_else(connection: sqlite3.Connection) -> None:
    log = MemoryTopics()
    for number in range(200):
        chosen = "block" if number % 2 else "allow"
        log.append("decisions", "k", raw(decision(number, action=chosen, model_action=chosen)))
    projection(connection).apply(records(log, ["decisions"]))
    drawn = {row[0] for row in connection.execute("SELECT case_id FROM cases WHERE kind = 'blind'")}
    assert drawn == {blind_case_id(f"t{number}") for number in range(0, 200, 2) if draw(f"t{number}") < 0.5}
    assert 30 < len(drawn) < 70


def judged(log: MemoryTopics) -> list[Label]:
    return [Label.model_validate_json(record.value) for record in log.records["labels"]]


def test_a_verdict_becomes_a_label_of_the_contract(connection: sqlite3.Connection) -> None:
    log = MemoryTopics()
    following = follower(connection, log)
    for event in (act("claim", 1), act("verdict", 2)):
        following._own.add(log.append("cases", "k", raw(event)))
    following.step()
    (label,) = judged(log)
    assert (label.transaction_id, label.verdict, label.source) == ("t1", "unauthorised", "analyst")
    assert (label.reason_code, label.supersedes) == ("stolen_card", None)
    following.step()
    following.step()
    assert len(judged(log)) == 1, "read back, it is not sent again"


def test_a_verdict_after_an_undo_supersedes_the_label_of_the_first(connection: sqlite3.Connection) -> None:
    log = MemoryTopics()
    following = follower(connection, log)
    events = [
        act("claim", 1),
        act("verdict", 2),
        act("reopen", 3),
        act("verdict", 4, verdict="genuine", reason_code="customer_confirmed"),
    ]
    for event in events:
        following._own.add(log.append("cases", "k", raw(event)))
        following.step()
    first, second = judged(log)
    assert (second.verdict, second.supersedes) == ("genuine", first.label_id)


def test_the_verdict_of_a_case_is_that_of_the_cases_merged_into_it(connection: sqlite3.Connection) -> None:
    log = MemoryTopics()
    following = follower(connection, log)
    events = [act("claim", 1, number=2), act("merge", 2, number=2, into=case_id(1)), act("claim", 1), act("verdict", 2)]
    for event in events:
        following._own.add(log.append("cases", "k", raw(event)))
    following.step()
    assert {label.transaction_id for label in judged(log)} == {"t1", "t2"}


def test_labels_of_a_console_that_was_killed_are_sent_by_whoever_comes_after(connection: sqlite3.Connection) -> None:
    log = MemoryTopics()
    for event in (act("claim", 1), act("verdict", 2)):
        log.append("cases", "k", raw(event))
    following = follower(connection, log)
    following.step()
    assert judged(log) == [], "its own console may be about to send it"
    log.now_us += 60_000_000
    following.step()
    assert len(judged(log)) == 1


def test_the_label_of_one_verdict_is_the_same_from_every_console(tmp_path: Path) -> None:
    log = MemoryTopics()
    consoles = [follower(open_for_writing(tmp_path / name), log) for name in ("one.db", "two.db")]
    for event in (act("claim", 1), act("verdict", 2)):
        offset = log.append("cases", "k", raw(event))
        for console in consoles:
            console._own.add(offset)
    for console in consoles:
        console.take_in(records(log, ["cases"]))
        console._send_labels()
    assert len({record.value for record in log.records["labels"]}) == 1
    assert len(log.records["labels"]) == 2


def test_payments_of_the_log_carry_the_services_tokens_and_pseudonyms(connection: sqlite3.Connection) -> None:
    payments = Payments(tokeniser(b"k"), Pseudonyms(b"k"))
    log = MemoryTopics()
    log.append("payments", "k", raw(payment(1, card_id="4111111111111111", attributes={"note": "4111 1111 1111 1111"})))
    projection(connection, payments).apply(records(log, ["payments"]))
    row = connection.execute("SELECT * FROM payment").fetchone()
    assert row["transaction_id"] == payments.id_of("t1") == Pseudonyms(b"k").of("t1")
    assert b"1111 1111" not in row["raw"]
    assert b"4111111111111111" not in row["raw"]
    assert msgspec.json.decode(row["raw"])["customer_id"].startswith("ps_")


def test_a_file_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "projection.db"
    first = open_for_writing(path)
    first.execute("PRAGMA user_version = 99")
    first.close()
    assert open_for_writing(path).execute("SELECT count(*) FROM cases").fetchone()[0] == 0
    path.write_bytes(b"damaged" * 1000)
    assert open_for_writing(path).execute("SELECT count(*) FROM cases").fetchone()[0] == 0


def test_state_is_read_as_it_was_folded(connection: sqlite3.Connection) -> None:
    made, log = projection(connection), MemoryTopics()
    event: CaseEvent = act("claim", 1)
    log.append("cases", "k", raw(event))
    made.apply(records(log, ["cases"]))
    assert state_of(connection, event.case_id).held_by("mira", log.now_us)
