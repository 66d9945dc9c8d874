"""A version measured from the command line, with a report that needs nothing else."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from fraud.decisions.policy import Policy
from fraud.decoding.batch import hash_ids
from fraud.features.encoder import SPEC, features_fingerprint
from fraud.history.history import HistoryConfig
from fraud.models.bundle import LEARNT, checksum, read_manifest, write_manifest
from tests.support.published_models import publish
from tests.support.scored_payments import scored
from tests.support.shop_tables import T0, events_table, labels_table
from training.commands.evaluate import evaluate_command
from training.commands.promote import promote_command
from training.evaluation.evaluate import compare, evaluate
from training.evaluation.report import evaluation_report
from training.registry import versions as registry
from training.registry.learnt import write_learnt


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    pq.write_table(events_table(), folder / "events.parquet")
    pq.write_table(labels_table(), folder / "labels.parquet")
    publish(folder / "models", "amount")
    publish(folder / "models", "cents")
    publish(folder / "models", "amount", features="0" * 16)
    return folder


def run(world: Path, *arguments: str) -> Result:
    data = ["--data", str(world / "events.parquet"), "--models", str(world / "models")]
    return CliRunner().invoke(evaluate_command, [*data, *arguments])


def test_one_version_prints_its_figures_at_the_top_of_its_json(world: Path) -> None:
    result = run(world, "--version", "1", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["version"], document["rows"], document["frauds"]) == (1, 60, 10)
    assert document["underpowered"] is True
    assert 0 < document["intervals"]["average_precision"]["low"] <= document["average_precision"]


def test_a_period_and_an_as_of_leave_fewer_rows(world: Path) -> None:
    part = json.loads(run(world, "--version", "1", "--since", "2023-11-20", "--until", "2023-11-25", "--json").stdout)
    assert 0 < part["rows"] < 60
    early = json.loads(run(world, "--version", "1", "--as-of", "2023-11-20", "--json").stdout)
    assert early["frauds"] == early["rows"] < 10  # nothing has matured, only frauds are known


def test_several_versions_are_compared_and_reported_in_one_file(world: Path, tmp_path: Path) -> None:
    result = run(world, "--version", "1", "--version", "2", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "v2 squash" in result.output
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["differences"]["v2 squash"]) == {"average_precision", "recall_at_1pct"}
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert report.count("<svg") == 5
    assert not re.search(r'(src|href)="http', report)
    for title in ("Precision and recall", "Calibration", "Scores by domain", "Cost against threshold", "Side by side"):
        assert title in report


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--version", "9"], "version 9 does not exist"),
        (["--version", "3"], "reads features"),
        (["--version", "1", "--since", "2030-01-01"], "no payment of the period"),
    ],
)
def test_what_cannot_be_measured_is_one_line(world: Path, arguments: list[str], complaint: str) -> None:
    result = run(world, *arguments)
    assert result.exit_code == 1
    assert complaint in result.output
    assert result.stderr.count("\n") == 1


def test_a_report_on_one_class_only_still_renders() -> None:
    rows = scored(200, rate=1e-9)
    measured = evaluate(rows, Policy.default("EUR"))
    report = evaluation_report({"a": (rows, Policy.default("EUR"))}, {"a": measured}, {}, title="t", lead="l")
    assert "<svg" in report


def test_a_better_model_has_a_positive_difference() -> None:
    rows = scored(skill=3.0)
    noise = np.random.default_rng(1).random(len(rows))
    gap = compare(rows, {"noise": noise})["noise"]
    assert isinstance(gap, dict)
    assert gap["average_precision"]["low"] > 0


def test_the_same_scores_give_the_same_report_byte_by_byte() -> None:
    rows, policy = scored(500), Policy.default("EUR")
    pages = [
        evaluation_report({"a": (rows, policy)}, {"a": evaluate(rows, policy)}, {}, title="t", lead="l")
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


def test_promotion_over_a_champion_asks_the_gate_and_a_refusal_stays_beside_the_candidate(
    world: Path, tmp_path: Path
) -> None:
    root = tmp_path / "models"
    for column in ("amount", "cents"):
        publish(root, column)
    registry.promote(root, 1, reason="first", at="2026-01-01T00:00:00+00:00")
    arguments = ["--version", "2", "--models", str(root), "--data", str(world / "events.parquet")]
    result = CliRunner().invoke(promote_command, arguments)
    assert result.exit_code == 1
    assert "the gate keeps version 1 (too_little_evidence)" in result.output
    refused = json.loads((root / "candidates" / "2" / "REFUSED.json").read_text(encoding="utf-8"))
    [finding] = [f for f in refused["evidence"]["findings"] if f["check"] == "better.matured.champion"]
    assert finding["frauds"] == 10
    assert "no baseline was trained beside it" in refused["evidence"]["unseen"]
    assert registry.champion(root, features_fingerprint(SPEC, HistoryConfig())) == 1


def test_what_a_version_learnt_from_is_left_out_unless_its_figures_are_marked_as_in_sample(
    world: Path, tmp_path: Path
) -> None:
    root = tmp_path / "models"
    path = registry.find(root, publish(root, "amount"))[1]
    learnt = [f"t{i}" for i in range(18)]
    write_learnt(path, np.asarray(hash_ids(learnt, len(learnt))))
    data = ["--data", str(world / "events.parquet"), "--models", str(root), "--version", "1", "--json"]
    # The version's files were verified before: its manifest must name the new one.
    manifest = read_manifest(path)
    files = manifest.files | {LEARNT: checksum(path / LEARNT)}
    write_manifest(path, manifest.model_copy(update={"files": files}), None)
    honest = json.loads(CliRunner().invoke(evaluate_command, data).stdout)
    assert (honest["rows"], honest["left_out"], honest["in_sample"]) == (42, 18, False)
    flattered = json.loads(CliRunner().invoke(evaluate_command, [*data, "--include-training-rows"]).stdout)
    assert (flattered["rows"], flattered["left_out"], flattered["in_sample"]) == (60, 0, True)
    told = CliRunner().invoke(evaluate_command, data[:-1])
    assert "18 payments left out, which a version had learnt from" in told.output
    few = CliRunner().invoke(evaluate_command, [*data, "--until", "2023-11-20"])
    assert few.exit_code == 1
    assert "were learnt from by the versions that are measured" in few.output


def test_by_default_labels_count_as_known_now_so_that_young_silence_is_not_genuine(tmp_path: Path) -> None:
    recent = datetime.now(UTC) - timedelta(days=40)
    move = int(recent.timestamp() * 1e6) - T0
    for name, table in (("events", events_table()), ("labels", labels_table())):
        frame = table.to_pandas()
        for column in frame.columns.intersection(["event_time", "occurred_at", "received_at"]):
            frame[column] += pd.Timedelta(move, unit="us")
        pq.write_table(pa.Table.from_pandas(frame, table.schema, preserve_index=False), tmp_path / f"{name}.parquet")
    publish(tmp_path / "models", "amount")
    data = ["--data", str(tmp_path / "events.parquet"), "--models", str(tmp_path / "models"), "--version", "1"]
    today = json.loads(CliRunner().invoke(evaluate_command, [*data, "--json"]).stdout)
    assert (today["rows"], today["frauds"]) == (10, 10)
    final = json.loads(CliRunner().invoke(evaluate_command, [*data, "--json", "--labels-final"]).stdout)
    assert (final["rows"], final["frauds"], final["as_of"]) == (60, 10, None)
