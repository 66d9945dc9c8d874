"""What the gate looks at, put together for loop and `promote` alike."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result

from tests.support.published_models import publish
from tests.support.shop_tables import DAY, T0, events_table, labels_table
from training.commands.promote import promote_command
from training.data.dataset import END_OF_TIME
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import from_stream, read_stream, to_stream
from training.evaluation.evaluate import Model
from training.gate.paired_scores import GateInputs, Rival, Ruling, in_its_time, rule
from training.gate.rule import GateConfig
from training.registry import versions as registry

SMALL = GateConfig(min_frauds=3, repeats=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gate")
    pq.write_table(events_table(240), made / "events.parquet")
    pq.write_table(labels_table(frauds=range(0, 240, 6)), made / "labels.parquet")
    for _ in range(2):
        publish(made / "models", "amount")
    registry.promote(made / "models", 1, reason="first", at=moment(40))
    return made


def moment(days: float) -> str:
    return datetime.fromtimestamp((T0 + days * DAY) / 1e6, UTC).isoformat()


def inputs(folder: Path, **changes: object) -> GateInputs:
    candidate, champion = (Model.read(registry.find(folder / "models", n)[1]) for n in (2, 1))
    stream = read_stream([folder / "events.parquet"], folder / "labels.parquet", FeatureContext())
    data = from_stream(stream, FeatureContext(), risk=candidate.risk)
    facts = {
        "candidate": candidate, "ranks": in_its_time(candidate.scores(data.features), data.time, 0.01),
        "champion": Rival.of(folder / "models", champion, data, 0.01), "data": data,
        "ledger": stream.ledger, "at": END_OF_TIME, "promoted": T0 + 40 * DAY, "trusted": T0 + 30 * DAY,
    }  # fmt: skip
    return GateInputs(**(facts | changes))  # type: ignore[arg-type]  # built by name


def checks(ruling: Ruling) -> set[str]:
    return {finding.check for finding in ruling.judgement.findings}


def test_matured_and_frozen_holdout_baselines_labels_and_volume_are_all_looked_at(folder: Path) -> None:
    random = np.random.default_rng(1).random(240)
    ruling = rule(inputs(folder, baselines={"noise": random}), config=SMALL, seed=1)
    assert {
        "better.matured.champion", "better.matured.chance", "better.matured.baseline noise", "better.frozen.champion",
        "labels.fraud_rate", "labels.contradictions", "labels.source.chargeback", "volume",
    } <= checks(ruling)  # fmt: skip
    assert ruling.unseen == ()


def test_each_version_is_loaded_once_however_often_it_scores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, loaded = tf.saved_model.load, []

    def counted(path: str) -> object:
        loaded.append(Path(path).name)
        return load(path)

    monkeypatch.setattr(tf.saved_model, "load", counted)
    rule(inputs(folder), config=SMALL, seed=1)
    assert sorted(loaded) == ["1", "2"]


def test_a_candidate_is_held_against_models_of_its_own_folds_where_there_are_any(folder: Path) -> None:
    made = inputs(folder)
    assert made.champion is not None
    alike = replace(made.champion, like_candidate=made.ranks)
    plain, even = (rule(inputs(folder, champion=c), config=SMALL, seed=1).judgement for c in (made.champion, alike))
    gaps = [next(f for f in j.findings if f.check == "better.matured.champion") for j in (plain, even)]
    assert gaps[1].numbers["value"] == 0
    assert gaps[0].numbers["frauds"] == gaps[1].numbers["frauds"]
    frozen = [next(f for f in j.findings if f.check == "better.frozen.champion") for j in (plain, even)]
    assert frozen[0] == frozen[1]  # what it ranked then it ranked then


def test_what_cannot_be_looked_at_is_named(folder: Path) -> None:
    ruling = rule(inputs(folder, promoted=None, trusted=None), config=SMALL, seed=1)
    assert [line.partition(":")[0] for line in ruling.unseen] == [
        "no frozen holdout", "new labels were not compared with earlier ones", "no baseline was trained beside it",
    ]  # fmt: skip
    few = rule(inputs(folder, promoted=T0 + 4 * DAY), config=SMALL, seed=1)
    assert few.unseen[0].startswith("no frozen holdout: 1 frauds were known")


def test_labels_that_arrived_after_the_promotion_cannot_touch_the_frozen_holdout(folder: Path) -> None:
    before = inputs(folder)
    labels = before.ledger.records.labels
    forged = labels.assign(label_id="x" + labels["label_id"], verdict="genuine", received_at=T0 + 41 * DAY)
    stream = read_stream([folder / "events.parquet"], None, FeatureContext())
    both = to_stream(stream.events, pd.concat([labels, forged], ignore_index=True)).ledger
    frozen = [rule(inputs(folder, ledger=held), config=SMALL, seed=1) for held in (before.ledger, both)]
    found = [[f for f in r.judgement.findings if f.check.startswith("better.frozen")] for r in frozen]
    assert found[0] == found[1]


def promote(folder: Path, *arguments: str) -> Result:
    where = ["--models", str(folder / "models"), "--data", str(folder / "events.parquet")]
    return CliRunner().invoke(promote_command, ["--version", "2", *where, *arguments])


def test_promote_refuses_for_labels_that_were_turned_round_as_the_loop_does(folder: Path, tmp_path: Path) -> None:
    honest = labels_table(frauds=range(0, 240, 6)).to_pandas()
    # The champion was made on 2026-01-01: what came before is what new labels are compared with.
    more = labels_table(frauds=range(1, 240, 6)).to_pandas()
    more = more.assign(verdict="genuine", received_at="2026-06-01T00:00:00Z", occurred_at="2026-06-01T00:00:00Z")
    rows = [*json_rows(honest), *json_rows(more)]
    file = tmp_path / "labels.jsonl"
    file.write_text("\n".join(rows), encoding="utf-8")
    result = promote(folder, "--label-file", str(file))
    assert result.exit_code == 1
    assert "of the labels from chargeback say genuine, was 0.0%: too many" in result.output


def json_rows(frame: pd.DataFrame) -> list[str]:
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    return [
        json.dumps({name: value for name, value in (row | {"schema_version": "1.0"}).items() if value is not None})
        for row in rows
    ]


def test_promote_says_what_its_gate_could_not_look_at(folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for _ in range(2):
        publish(models, "amount")
    registry.promote(models, 1, reason="first", at=moment(4))
    data = ["--models", str(models), "--data", str(folder / "events.parquet"), "--json", "--version", "2"]
    result = CliRunner().invoke(promote_command, data)
    assert "the gate keeps version 1 (too_little_evidence)" in result.output
    refused = json.loads((models / "candidates" / "2" / "REFUSED.json").read_text(encoding="utf-8"))
    [frozen, baseline] = refused["evidence"]["unseen"]
    assert frozen.startswith("no frozen holdout")
    assert baseline == "no baseline was trained beside it"
