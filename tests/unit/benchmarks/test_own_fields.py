"""How the benchmark of own fields pools its cells, and that its rivals are what they say."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmarks.own_fields import cells
from benchmarks.own_fields.cells import Cell, load_all
from benchmarks.own_fields.rivals import raw_scores
from benchmarks.own_fields.summary import Ratio, figures_of, rows_of, table
from benchmarks.transfer.results import DRAWS, SCALE, Measured
from training.data.sample import Sample

SPREAD = np.random.default_rng(0).normal(0.0, 0.02, DRAWS)


def _measured(ap: float, *, noise: float = 0.0) -> Measured:
    own = np.random.default_rng(round(ap * 1e4)).normal(0.0, noise, DRAWS)
    return Measured(ap, 0.5, 1.0, "abc", tuple(int(d) for d in (ap + SPREAD + own) * SCALE))


def _cell(seed: int = 101, *, budget: str = "500", noise: float = 0.0, **methods: float) -> Cell:
    held = {name: _measured(ap, noise=noise) for name, ap in methods.items()}
    return Cell("shop", budget, seed, labels=500, frauds=20, test_frauds=200, why="x", methods=held)


def test_auto_is_held_against_the_better_of_the_raw_models() -> None:
    row = rows_of([_cell(auto=0.6, raw_target=0.3, raw_pooled=0.5)])[0]
    assert row.rival == "raw_pooled"
    names = {figure.name: figure for figure in figures_of(row)}
    assert names["shop.500.auto_to_raw"].value == pytest.approx(1.2)
    assert set(names) == {f"shop.500.{what}" for what in ("auto", "raw_target", "raw_pooled", "auto_to_raw")}


def test_without_a_source_there_is_one_raw_model() -> None:
    row = rows_of([_cell(auto=0.6, raw_target=0.3)])[0]
    assert row.rival == "raw_target"
    assert "| shop.500 | 1 | 20 | 200 | 0.600 | 0.300 |  | 2.00" in table([row])


def test_a_difference_that_draws_of_the_test_share_is_sure_and_noise_is_not() -> None:
    sure = Ratio.of([_cell(auto=0.6, raw_target=0.5)], "raw_target")
    unsure = Ratio.of([_cell(auto=0.51, raw_target=0.5, noise=0.1)], "raw_target")
    assert 1 < sure.low < sure.value < sure.high
    assert unsure.low < 1 < unsure.high


def test_seeds_that_disagree_widen_the_interval() -> None:
    agreeing = Ratio.of([_cell(s, auto=0.6, raw_target=0.5) for s in (1, 2, 3)], "raw_target")
    apart = [_cell(s, auto=ap, raw_target=0.5) for s, ap in ((1, 0.4), (2, 0.6), (3, 0.8))]
    disagreeing = Ratio.of(apart, "raw_target")
    assert disagreeing.high - disagreeing.low > 3 * (agreeing.high - agreeing.low)


def test_rows_come_by_set_and_rising_budget() -> None:
    made = [_cell(budget=budget, auto=0.5, raw_target=0.5) for budget in ("all", "2000", "500")]
    assert [row.stem for row in rows_of(made)] == ["shop.500", "shop.2000", "shop.all"]


def test_a_saved_cell_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "CELLS", tmp_path)
    cell = _cell(auto=0.6, raw_target=0.5)
    cell.save()
    assert Cell("shop", "500", 101).known() == cell
    assert load_all() == [cell]
    assert not Cell("shop", "500", 102).known().methods


def test_raw_models_know_categories_and_learn_from_the_source() -> None:
    random = np.random.default_rng(1)

    def sample(rows: int) -> Sample:
        code = random.integers(1, 50, rows) * 1_000_003 % 2**24
        features = np.stack([code, random.normal(size=rows)], axis=1).astype(np.float32)
        rate = np.where(code % 7 == 3, 0.5, 0.01)
        return Sample(features, (random.random(rows) < rate).astype(np.int8), np.arange(rows))

    source, few, test = sample(6_000), sample(200), sample(3_000)
    kinds = ("category", "number")
    alone = raw_scores(few, test.features, kinds, seed=1, threads=1)
    pooled = raw_scores(few, test.features, kinds, seed=1, threads=1, source=source)
    one, other = (average_precision_score(test.label, scores) for scores in (alone, pooled))
    assert one < other
    assert other > 0.4
