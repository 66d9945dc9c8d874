"""What an operator runs beside the service, on a real broker."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from fraud.contracts.inbound import Reason
from fraud.contracts.outbound import DeadLetter
from local.testbed.bundles import FixedModels
from local.testbed.events import START, at, raw, transaction
from local.testbed.scorer_run import ScorerRun
from runtime.clock import SystemClock
from runtime.kafka.admin import committed_positions
from runtime.kafka.topics import TopicAdmin
from service.__main__ import commands
from service.adapters.kafka.group import Reader
from service.bootstrap import Adapters, compose, domain, kafka_log, snapshot_directory
from service.observability.metrics import Metrics
from service.operations import erasure, redrive
from service.operations.replay import replay
from service.operations.snapshot_builder import build_snapshots
from service.settings import Settings
from service.topics import wanted_topics
from tests.support.memory_log import MemoryControls, MemorySnapshots

pytestmark = pytest.mark.kafka

FAR = (START + timedelta(hours=3)).isoformat()


class Place:
    """Topics of their own, and the service in this process."""

    def __init__(self, scorer: ScorerRun) -> None:
        self.scorer = scorer
        self.settings = Settings(
            **scorer.names,  # type: ignore[arg-type]
            kafka_bootstrap_servers=scorer.servers,
            models_dir=scorer.models,
            snapshots_dir=scorer.folder / "snapshots",
        )
        self._producer = KafkaProducer(bootstrap_servers=scorer.servers)

    def send(self, value: bytes, key: bytes) -> None:
        stamp = int(START.timestamp() * 1000)
        self._producer.send(self.scorer.names["transactions_topic"], value, key, timestamp_ms=stamp).get(10)

    def process(self) -> None:
        """Runs the service until it has committed everything."""
        log = kafka_log(self.settings)
        adapters = Adapters(log, FixedModels(), MemorySnapshots(), SystemClock(), MemoryControls())
        running = compose(self.settings, adapters, Metrics(CollectorRegistry()))

        def stop() -> None:
            self.scorer.until_caught_up()
            running.stop.request()

        watcher = threading.Thread(target=stop, daemon=True)
        watcher.start()
        running.runner.run()
        log.close()
        watcher.join()

    def letters(self) -> list[tuple[bytes | None, DeadLetter]]:
        with closing(Reader(self.scorer.cluster, self.settings.dlq_topic)) as reader:
            return [
                (key, DeadLetter.from_headers(list(headers)))
                for records in reader.replay(0, *reader.bounds(0))
                for key, headers in zip(records.keys, records.headers, strict=True)
            ]

    def end(self) -> int:
        """Offset after the input's last record."""
        with closing(Reader(self.scorer.cluster, self.settings.transactions_topic)) as reader:
            return reader.bounds(0)[1]

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Gives commands of this process the place's settings."""
        monkeypatch.setattr("service.commands.console.configure_logs", lambda _: None)
        for name, value in self.settings.model_dump(exclude_unset=True).items():
            monkeypatch.setenv(f"FRAUD_{name.upper()}", str(value))

    def times(self, topic: str) -> list[int]:
        with closing(Reader(self.scorer.cluster, topic)) as reader:
            return [time for records in reader.replay(0, *reader.bounds(0)) for time in records.timestamps_us]

    def select(self, selection: redrive.Selection, record: Path) -> list[redrive.Letter]:
        with closing(Reader(self.scorer.cluster, self.settings.dlq_topic)) as reader:
            return list(redrive.select(reader, selection, redrive.recorded(record)))

    def redrive(self, letters: list[redrive.Letter], record: Path) -> int:
        now = datetime.now(UTC)
        return redrive.redrive(self.scorer.cluster, letters, record, topic=self.settings.transactions_topic, now=now)

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def place(make_scorer: Callable[..., ScorerRun]) -> Iterator[Place]:
    made = Place(make_scorer())
    for i in range(20):
        made.send(raw(transaction(i)), b"c%d" % (i % 7))
    for i in range(3):
        made.send(raw(transaction(100 + i, event_time=FAR, customer_id="later")), b"later")
    for i in range(2):
        made.send(raw(transaction(200 + i, customer_id="broken"))[:-9], b"broken")
    made.process()
    yield made
    made.close()


def test_chosen_dead_letters_are_sent_again_once_with_their_key_and_scored_when_their_time_has_come(
    place: Place, tmp_path: Path
) -> None:
    record = tmp_path / "redriven.jsonl"
    selection = redrive.Selection(reasons=frozenset({Reason.TOO_FAR_AHEAD}))
    chosen = place.select(selection, record)
    assert [letter.key for letter in chosen] == [b"later"] * 3
    assert place.select(redrive.Selection(offsets=(0, 20)), record) == chosen[:1]
    assert place.redrive(chosen, record) == 3
    assert place.select(selection, record) == [], "what stands in the record is left"
    place.process()
    assert len(place.letters()) == 5
    with closing(Reader(place.scorer.cluster, place.settings.decisions_topic)) as reader:
        keys = [key for records in reader.replay(0, *reader.bounds(0)) for key in records.keys]
    assert keys.count(b"later") == 3


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.enter(monkeypatch)
    record = tmp_path / "redriven.jsonl"
    asked = ["redrive", "--reason", "too_far_ahead", "--reason", "not_json", "--record", str(record)]
    before = place.scorer.positions(), place.end()
    dry = CliRunner().invoke(commands, [*asked, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert [line.split() for line in dry.output.splitlines()] == [
        ["2", "not_json"],
        ["3", "too_far_ahead"],
        ["5", "letters", "would", "be", "sent"],
    ]
    assert (place.scorer.positions(), place.end()) == before
    assert not record.exists()
    sent = CliRunner().invoke(commands, [*asked, "--offsets", "0", "22"])
    assert sent.output.splitlines()[-1] == f"3 letters sent, recorded in {record}"
    assert place.end() == before[1] + 3
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    assert [entry["state"] for entry in entries] == ["sending"] * 3 + ["sent"] * 3
    assert [(entry["reason"], entry["source_offset"], entry["attempt"]) for entry in entries[3:]] == [
        ("too_far_ahead", offset, 1) for offset in (20, 21, 22)
    ]


def test_a_letter_that_is_refused_again_counts_its_attempts(place: Place, tmp_path: Path) -> None:
    record = tmp_path / "redriven.jsonl"
    chosen = place.select(redrive.Selection(reasons=frozenset({Reason.NOT_JSON})), record)
    place.redrive(chosen, record)
    place.process()
    again = [(key, letter.reason, letter.attempt) for key, letter in place.letters() if letter.attempt]
    assert again == [(b"broken", Reason.NOT_JSON, 1)] * 2
    left = place.select(redrive.Selection(attempts=1), record)
    assert {letter.facts.reason for letter in left} == {Reason.TOO_FAR_AHEAD}


def test_warm_builds_the_history_at_the_committed_position(place: Place) -> None:
    (made,) = list(build_snapshots(place.settings))
    committed = committed_positions(place.scorer.cluster, place.scorer.name, place.settings.transactions_topic)
    assert (made.position, made.events, made.complete) == (committed[0], 20, True)
    store = snapshot_directory(place.settings, domain(place.settings), wrote=lambda _: None, failed=lambda: None)
    with closing(Reader(place.scorer.cluster, place.settings.transactions_topic)) as reader:
        store.open(reader.identity())
    found = store.newest(0, made.position)
    assert found is not None
    assert found.history.events == 20


def test_a_forgotten_customer_is_gone_from_the_dead_letters_and_others_stay(place: Place) -> None:
    list(build_snapshots(place.settings))
    before = place.times(place.settings.dlq_topic)
    assert erasure.erase(place.settings, "later", really=False) == erasure.Erased(3, 1)
    assert len(place.letters()) == 5
    assert erasure.erase(place.settings, "later", really=True) == erasure.Erased(3, 1)
    assert [key for key, _ in place.letters()] == [b"broken"] * 2
    assert place.times(place.settings.dlq_topic) == before[3:], "their retention goes on where it was"
    assert erasure.erase(place.settings, "later", really=True) == erasure.Erased(0, 0)


def test_without_yes_a_customer_is_only_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.enter(monkeypatch)
    counted = CliRunner().invoke(commands, ["forget", "later"])
    assert counted.output.startswith("3 dead letters would be erased")
    assert len(place.letters()) == 5
    assert CliRunner().invoke(commands, ["forget", "later", "--yes"]).output.startswith("3 dead letters erased")
    assert len(place.letters()) == 2


def test_letters_that_were_redriven_stay_so_when_a_customer_is_forgotten(place: Place, tmp_path: Path) -> None:
    record, selection = tmp_path / "redriven.jsonl", redrive.Selection(reasons=frozenset({Reason.NOT_JSON}))
    assert place.redrive(place.select(selection, record), record) == 2
    erasure.erase(place.settings, "later", really=True)
    assert len(place.letters()) == 2
    assert place.select(selection, record) == []


def test_creating_topics_twice_changes_nothing(place: Place) -> None:
    wanted = [*wanted_topics(place.settings)]
    done = TopicAdmin(place.scorer.cluster).create(wanted)
    assert set(done.values()) == {"kept"}


@pytest.mark.parametrize("source", ["jsonl", "parquet", "topic"])
def test_replay_shows_models_side_by_side(place: Place, tmp_path: Path, source: str) -> None:
    events = [transaction(i, amount=f"{i * 10}.00", event_time=at(i)) for i in range(60)]
    path = str(tmp_path / f"events.{source}")
    if source == "jsonl":
        Path(path).write_bytes(b"\n".join(map(raw, events)))
    elif source == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(events), path)
    else:
        path = place.settings.transactions_topic
        for event in events:
            place.send(raw({**event, "transaction_id": f"more-{event['transaction_id']}"}), b"k")
    found = replay(place.settings, path, [1, 2])
    one, two = found.tallies
    assert one.transactions == two.transactions == (60 if source != "topic" else 80)
    assert one.actions == two.actions
    assert one.actions["allow"] < one.transactions
    assert (two.only_here, two.missed) == (0, 0)
    assert 0 < one.flagged_amount < one.amount
    assert time.monotonic() > found.seconds > 0
