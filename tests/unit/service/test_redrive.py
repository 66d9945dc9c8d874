"""Redriving: nothing leaves before it can be recorded, and no end of a run makes a payment be scored twice or lost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraud.contracts.inbound import Reason
from fraud.contracts.outbound import DeadLetter
from runtime.errors import Misconfigured, ServiceError, Unavailable
from runtime.kafka.client import Cluster
from service.adapters.kafka.publisher import Outgoing
from service.operations import redrive as command
from service.operations.redrive import Letter, recorded, redrive

NOW = datetime(2026, 3, 1, tzinfo=UTC)
INPUT = "payments"
NOWHERE = Cluster("127.0.0.1:1")


class Topic:
    """The input as the broker has it: what was sent to it."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.record: Path | None = None
        self.fails: Exception | None = None
        self.recorded_before: list[bytes] = []

    def send_all(self, _: Cluster, letters: Sequence[Outgoing]) -> None:
        if self.record is not None:
            self.recorded_before.append(self.record.read_bytes())
        self.sent += letters
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    made = Topic()
    monkeypatch.setattr(command, "send_all", made.send_all)
    return made


def letter(offset: int, *, source: str = INPUT) -> Letter:
    facts = DeadLetter(
        reason=Reason.NOT_JSON, detail="", source_topic=source, source_partition=0, source_offset=offset, time=NOW
    )
    return Letter(0, offset, b"key", b"value", (), facts)


def send(letters: Sequence[Letter], record: Path, now: datetime = NOW) -> int:
    return redrive(NOWHERE, letters, record, topic=INPUT, now=now)


def test_what_was_sent_is_not_sent_again(topic: Topic, tmp_path: Path) -> None:
    record = tmp_path / "a" / "redriven.jsonl"
    assert send([letter(1), letter(2)], record) == 2
    assert send([letter(1), letter(2), letter(3)], record) == 1
    assert len(topic.sent) == 3
    assert recorded(record).doubtful == {}


def test_a_record_that_cannot_be_written_stops_it_before_anything_is_sent(topic: Topic, tmp_path: Path) -> None:
    (tmp_path / "redriven.jsonl").mkdir()
    with pytest.raises(Misconfigured, match=r"cannot write .*--record"):
        send([letter(1)], tmp_path / "redriven.jsonl")
    assert topic.sent == []


def test_letters_are_on_the_disk_before_they_leave(topic: Topic, tmp_path: Path) -> None:
    topic.record = tmp_path / "redriven.jsonl"
    send([letter(7)], topic.record)
    assert b'"source_offset":7' in topic.recorded_before[0]
    assert b'"sent"' not in topic.recorded_before[0]


def test_a_run_that_died_while_sending_is_repeated_for_a_day_and_then_left_to_people(
    topic: Topic, tmp_path: Path
) -> None:
    record = tmp_path / "redriven.jsonl"
    topic.fails = Unavailable("the broker went away")
    with pytest.raises(Unavailable):
        send([letter(1)], record)
    topic.fails = None
    assert recorded(record).doubtful == {(INPUT, 0, 1): NOW}
    with pytest.raises(Misconfigured, match="was being sent when a run stopped at 2026-03-01"):
        send([letter(1)], record, NOW + timedelta(hours=25))
    assert send([letter(1)], record, NOW + timedelta(hours=1)) == 1
    assert recorded(record).doubtful == {}


def test_a_full_disk_is_one_line_that_says_what_was_sent(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "redriven.jsonl"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(command, "append", full)
        with pytest.raises(ServiceError, match=r"0 letters were sent, then .* No space left on device") as caught:
            send([letter(1)], record)
    assert caught.value.code == 1
    assert topic.sent == []


def test_a_line_that_was_cut_off_is_dropped_and_the_next_one_is_whole(topic: Topic, tmp_path: Path) -> None:
    record = tmp_path / "redriven.jsonl"
    send([letter(1)], record)
    with record.open("ab") as file:
        file.write(b'{"partition":0,"off')
    assert recorded(record).sent == {(INPUT, 0, 1)}
    send([letter(2)], record)
    assert recorded(record).sent == {(INPUT, 0, 1), (INPUT, 0, 2)}
    assert len(topic.sent) == 2


def test_a_letter_that_names_another_topic_is_not_sent_there(topic: Topic, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="offset 2 says that it came from labels, not payments"):
        send([letter(1), letter(2, source="labels")], tmp_path / "redriven.jsonl")
    assert topic.sent == []


def test_two_runs_at_once_do_not_send_the_same(topic: Topic, tmp_path: Path) -> None:
    from service.operations.redrive_record import opened

    record = tmp_path / "redriven.jsonl"
    with opened(record), pytest.raises(Misconfigured, match="another redrive holds"):
        send([letter(1)], record)
    assert topic.sent == []


def test_a_record_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "redriven.jsonl").write_text("{}\n")
    with pytest.raises(Misconfigured, match="is no record of redriven letters"):
        recorded(tmp_path / "redriven.jsonl")
