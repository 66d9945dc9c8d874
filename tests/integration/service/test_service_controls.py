"""A rule from the command line: it decides within moments, outlives the process, and is stopped by a second version."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fraud.contracts.inbound import Label
from local.programs import environment
from local.testbed.events import raw, transaction
from local.testbed.scorer_run import SECRET, ScorerRun
from service.adapters.kafka.group import Reader
from service.adapters.kafka.publisher import Outgoing, send_all

pytestmark = pytest.mark.kafka

RULE = """
[everything]
kind = "rule"
status = "live"
reason = "a test"
when = "amount > 0 and card_attempts_1h >= 0"
effect = "block"
"""


def decisions(scorer: ScorerRun) -> list[dict[str, Any]]:
    with closing(Reader(scorer.cluster, scorer.names["decisions_topic"])) as reader:
        records = list(reader.replay(0, *reader.bounds(0)))
    return [msgspec.json.decode(value) for share in records for value in share.values if value is not None]


def controls(scorer: ScorerRun, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(scorer, "controls", *arguments)


def command(scorer: ScorerRun, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        **scorer.names,
        "kafka_bootstrap_servers": scorer.servers,
        "platform_file": str(scorer.platform_file),
        "models_dir": str(scorer.models),
        "snapshots_dir": str(scorer.folder / "snapshots"),
        "secret": SECRET,
    }
    variables = environment({f"FRAUD_{name.upper()}": value for name, value in settings.items()})
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=120)


def until_decided_under(scorer: ScorerRun, offset: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        rows = decisions(scorer)
        if rows and rows[-1]["controls_offset"] >= offset:
            return rows
        time.sleep(0.5)
    raise AssertionError(f"no payment was decided under position {offset} of the controls log")


@pytest.mark.timeout(600)
def test_a_rule_decides_outlives_a_kill_and_is_paused(make_scorer: Callable[..., ScorerRun], tmp_path: Path) -> None:
    scorer = make_scorer()
    file = tmp_path / "rule.toml"
    file.write_text(RULE.replace("card_attempts_1h", "card_atempts_1h"))
    refused = controls(scorer, "put", str(file))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "card_attempts_1h" in refused.stderr
    file.write_text(RULE)
    service = scorer.service()
    service.start()
    with scorer.load(rate=100):
        scorer.until_moved(0)
        put = controls(scorer, "put", str(file), "--by", "mira")
        assert put.returncode == 0, put.stderr
        until_decided_under(scorer, 1)
        service.kill()
        service.start()
        scorer.until_moved(scorer.committed())
        assert "is at version 1" in controls(scorer, "put", str(file)).stderr
        paused = controls(scorer, "pause", "everything", "--reason", "enough")
        assert paused.returncode == 0, paused.stderr
        until_decided_under(scorer, 2)
    scorer.until_caught_up()
    assert service.stop() == 0, service.last_line()
    rows = decisions(scorer)
    assert [row["controls_offset"] for row in rows] == sorted(row["controls_offset"] for row in rows)
    assert {row["controls_offset"] for row in rows} == {0, 1, 2}
    for row in rows:
        assert (row["action"] == "block" and row["rules"] == ["everything@1"]) == (row["controls_offset"] == 1)
    again = command(
        scorer, "replay", "--from", scorer.names["transactions_topic"], "--model", "1", "--decided", "--json"
    )
    assert again.returncode == 0, again.stderr
    found = msgspec.json.decode(again.stdout.splitlines()[-1])
    assert (found["decisions"], found["changed"]) == (len(rows), 0)


def label(transaction_id: str, verdict: str, label_id: str, supersedes: str | None = None) -> bytes:
    now = datetime.now(UTC)
    said = Label(
        label_id=label_id,
        transaction_id=transaction_id,
        verdict=verdict,  # type: ignore[arg-type] # checked when it is made
        source="analyst",
        occurred_at=now,
        received_at=now,
        supersedes=supersedes,
        schema_version="1.0",
    )
    return said.model_dump_json(exclude_none=True).encode()


@pytest.mark.timeout(600)
def test_a_confirmed_fraud_s_device_is_listed_and_a_reversal_takes_it_out(
    make_scorer: Callable[..., ScorerRun],
) -> None:
    scorer = make_scorer()
    events = [transaction(i, transaction_id=f"t{i}", device_id=f"dev-{i}", card_id=f"tok-{i}") for i in range(3)]
    places = [Outgoing(scorer.names["transactions_topic"], 0, b"c", raw(event), []) for event in events]
    send_all(scorer.cluster, places)

    def say(value: bytes) -> str:
        send_all(scorer.cluster, [Outgoing(scorer.names["labels_topic"], 0, b"t1", value, [])])
        followed = controls(scorer, "follow-labels", "--once")
        assert followed.returncode == 0, followed.stderr
        return controls(scorer, "export", "confirmed").stdout

    listed = say(label("t1", "unauthorised", "a"))
    assert [line.split(",")[0] for line in listed.splitlines()] == ["dev-1", "tok-1"]
    assert not say(label("t1", "genuine", "b", supersedes="a"))
