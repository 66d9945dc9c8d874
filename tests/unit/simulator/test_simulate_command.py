import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from simulator.__main__ import simulate_command
from simulator.config import PRESETS, InvalidSimulation, SimulationConfig, preset


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate_command, ["--transactions", "2000", "--days", "20", *arguments])


def test_it_writes_the_files_and_prints_one_json_object(tmp_path: Path) -> None:
    result = run("--out", str(tmp_path / "world"), "--json", "--platform", "target", "--base-rate", "0.02")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["transactions"] == 2000
    assert summary["platform"] == "target"
    assert 0 <= summary["bayes_average_precision"] <= 1
    assert sum(summary["by_pattern"].values()) == 2000
    truth = pq.read_table(tmp_path / "world" / "truth.parquet")
    assert truth.num_rows == 2000


def test_it_prints_a_table_for_people_and_lines_for_programs(tmp_path: Path) -> None:
    result = run("--out", str(tmp_path), "--format", "jsonl")
    assert "Bayes-optimal average precision" in result.output
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    assert json.loads(lines[0])["type"] == "transaction"
    assert sum(json.loads(line)["type"] == "transaction" for line in lines) == 2000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--preset", "hopeful"),
            "preset: 'hopeful' is not one of positive, neutral, mild-negative, negative, regime-change",
        ),
        (("--transactions", "0"), "transactions: 0 is not in 1..100000000"),
        (("--days", "-3"), "days: -3 is not in 1..3650"),
        (("--concept-shift", "1.5"), "concept_shift: 1.5 is not in 0..1"),
        (("--base-rate", "nan"), "base_rate: nan is not in 0.0001..0.02"),
    ],
)
def test_what_cannot_be_simulated_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = run("--out", str(tmp_path), *arguments)
    assert result.exit_code == 2
    assert result.output.splitlines() == [f"Error: {says}"]


def test_without_a_place_to_write_it_says_so() -> None:
    result = run()
    assert result.exit_code == 2
    assert "--out DIR, --to-kafka, or both" in result.output


def test_kafka_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAUD_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    result = run("--to-kafka")
    assert result.exit_code == 2
    assert "FRAUD_KAFKA_BOOTSTRAP_SERVERS" in result.output


def test_an_unreachable_broker_is_one_clear_line() -> None:
    command = [sys.executable, "-m", "simulator", "--transactions", "50", "--days", "2", "--to-kafka"]
    done = subprocess.run(
        [*command, "--bootstrap-servers", "127.0.0.1:1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: cannot send to Kafka at 127.0.0.1:1")


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("--out", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: cannot write to {tmp_path}/file/below")
    assert len(result.output.splitlines()) == 1


def test_presets_are_pairs_that_differ_by_their_dials_only() -> None:
    base = SimulationConfig(transactions=100, seed=9, days=30)
    for name in PRESETS:
        source, target = preset(name, source=base)
        assert (source.platform, target.platform) == ("source", "target")
        assert (target.transactions, target.seed, target.days) == (100, 9, 30)
        assert target.covariate_shift > 0
    with pytest.raises(InvalidSimulation, match="not one of"):
        preset("other", source=base)
    with pytest.raises(InvalidSimulation, match="platform"):
        SimulationConfig(transactions=1, platform="no name")
