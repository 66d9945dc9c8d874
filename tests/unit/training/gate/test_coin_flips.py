"""Labels that are a coin flip teach nothing, and no gate may let through what was learnt from them."""

import json
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fraud.decisions.policy import Policy
from fraud.decoding.batch import hash_ids
from fraud.models.bundle import LEARNT, Manifest, checksum, read_manifest, write_manifest
from tests.support.published_models import publish
from tests.support.shop_tables import events_table, labels_table
from training.commands.promote import promote_command
from training.evaluation.scores import DAY_US, Scored
from training.gate.paired_scores import in_its_time
from training.gate.rule import CHAMPION, CHANCE, GateAnswer, Holdout, Judgement, judge
from training.registry import versions as registry
from training.registry.learnt import write_learnt

Floats = npt.NDArray[np.float64]
ROWS, LEARNT_THEN, BUDGET = 1_200, 600, 0.05


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop whose payments are fraud by the flip of a coin."""

    features: Floats
    fraud: npt.NDArray[np.bool_]
    time: npt.NDArray[np.int64]

    @classmethod
    def draw(cls, seed: int) -> "Shop":
        random = np.random.default_rng(seed)
        return cls(random.normal(size=(ROWS, 6)), random.random(ROWS) < 0.5, np.arange(ROWS) * DAY_US // 20)

    def trees(self, rows: npt.NDArray[np.bool_], seed: int) -> lightgbm.Booster:
        settings = {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1}
        data = lightgbm.Dataset(self.features[rows], self.fraud[rows].astype(float))
        return lightgbm.train(settings | {"seed": seed}, data, num_boost_round=10)

    def judged(self, scores: Floats, fold: npt.NDArray[np.intp] | None, rivals: dict[str, Floats]) -> Judgement:
        ids, ones = np.arange(1, ROWS + 1, dtype=np.uint64), np.ones(ROWS, np.int64)
        rows = Scored(in_its_time(scores, self.time, BUDGET, fold), self.fraud, self.time, ones, ids, ids)
        new = np.arange(ROWS) >= LEARNT_THEN
        holdouts = [
            Holdout("matured", name, rows.take(new), in_its_time(rival, self.time, BUDGET)[new], expected=BUDGET)
            for name, rival in rivals.items()
        ]
        policy = Policy.default("EUR")
        return judge(holdouts, candidate_policy=policy, champion_policy=policy, seed=1)


@pytest.mark.parametrize("seed", range(100))
def test_a_model_of_coin_flips_never_passes_whoever_serves(seed: int) -> None:
    shop = Shop.draw(seed)
    fold = np.random.default_rng(seed).integers(0, 3, ROWS)
    scores = np.zeros(ROWS)
    for number in range(3):
        mine = fold == number
        scores[mine] = np.asarray(shop.trees(~mine, seed).predict(shop.features[mine], num_threads=1))
    champion = np.asarray(
        shop.trees(np.arange(ROWS) < LEARNT_THEN, seed).predict(shop.features, num_threads=1), np.float64
    )
    chance = np.random.default_rng(seed + 1).random(ROWS)
    for rivals in ({CHANCE: chance}, {CHAMPION: champion, CHANCE: chance}):
        judgement = shop.judged(scores, fold, rivals)
        assert judgement.answer is not GateAnswer.ACCEPT
        assert not judgement.due


def test_learnt_by_heart_the_same_model_would_have_passed() -> None:
    """What the folds, and leaving out what was learnt, are for."""
    shop = Shop.draw(1)
    everything = np.asarray(shop.trees(np.ones(ROWS, np.bool_), 1).predict(shop.features), np.float64)
    champion = np.asarray(shop.trees(np.arange(ROWS) < LEARNT_THEN, 1).predict(shop.features), np.float64)
    chance = np.random.default_rng(2).random(ROWS)
    judgement = shop.judged(everything, None, {CHAMPION: champion, CHANCE: chance})
    gap = {f.check.rpartition(".")[2]: f.numbers["value"] for f in judgement.findings}
    assert gap["champion"] > 0.02


@pytest.mark.parametrize("serves", [False, True])
def test_the_command_has_nothing_to_judge_by_when_the_file_is_what_was_learnt(tmp_path: Path, serves: bool) -> None:
    random = np.random.default_rng(3)
    flipped = np.flatnonzero(random.random(240) < 0.5).tolist()
    pq.write_table(events_table(240), tmp_path / "events.parquet")
    labels = labels_table(frauds=range(240)).take(flipped)
    pq.write_table(labels, tmp_path / "labels.parquet")
    root = tmp_path / "models"
    for _ in range(2):
        publish(root, "amount")
    if serves:
        registry.promote(root, 1, reason="first", at="2026-01-01T00:00:00+00:00")
    arguments = ["--version", "2", "--models", str(root), "--data", str(tmp_path / "events.parquet"), "--json"]
    assert CliRunner().invoke(promote_command, arguments).exit_code == 1
    taught(root, 2, [f"t{i}" for i in range(240)])
    refused = CliRunner().invoke(promote_command, arguments)
    assert refused.exit_code == 1
    assert "240 of 240 payments were learnt from by these versions, and 0 known frauds are left" in refused.output


def taught(root: Path, version: int, ids: list[str]) -> None:
    """Lets a version say what it learnt from."""
    path = registry.find(root, version)[1]
    write_learnt(path, np.asarray(hash_ids(ids, len(ids))))
    facts = json.loads(read_manifest(path).model_dump_json())
    facts["files"][LEARNT] = checksum(path / LEARNT)
    write_manifest(path, Manifest.model_validate(facts), None)
