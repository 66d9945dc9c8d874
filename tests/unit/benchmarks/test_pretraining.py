"""How the benchmark of learning without labels pools its cells."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.pretraining import cells
from benchmarks.pretraining.cells import FULL, PARTS, QUICK, Cell, load_all
from benchmarks.pretraining.summary import figures_of, rows_of, table
from benchmarks.transfer.results import DRAWS, SCALE, Measured

SPREAD = np.random.default_rng(0).normal(0.0, 0.02, DRAWS)


def _measured(ap: float, *, noise: float = 0.0) -> Measured:
    own = np.random.default_rng(round(ap * 1e4)).normal(0.0, noise, DRAWS)
    return Measured(ap, 0.5, 1.0, "abc", tuple(int(d) for d in (ap + SPREAD + own) * SCALE))


def _cell(budget: str = "30d", *, pair: str = "neutral", noise: float = 0.0, **changed: float) -> Cell:
    held = dict.fromkeys(PARTS, 0.4) | changed
    methods = {name: _measured(ap, noise=noise) for name, ap in held.items()}
    return Cell("quick", pair, budget, 201, labels=50, frauds=10, test_frauds=500, methods=methods)


def test_each_part_is_held_against_the_default_on_the_same_draws() -> None:
    found = {figure.name: figure for figure in figures_of(rows_of([_cell(surprise=0.5, both=0.3)]))}
    assert found["neutral.30d.surprise.ap"].value == 0.5
    gain = found["neutral.30d.surprise.gain"]
    assert gain.value == pytest.approx(0.25)
    assert found["neutral.30d.surprise.gain_low"].value == gain.low
    assert gain.low is not None
    assert gain.high is not None
    assert 0 < gain.low < gain.value < gain.high
    assert found["neutral.30d.both.gain"].value == pytest.approx(-0.25)
    assert "neutral.30d.default.gain" not in found


def test_sets_are_pooled_by_budget() -> None:
    rows = rows_of([_cell(surprise=0.8), _cell(surprise=0.2, pair="positive"), _cell("0", surprise=0.6)])
    found = {figure.name: figure.value for figure in figures_of(rows)}
    assert found["all.30d.surprise.gain"] == pytest.approx(0.0, abs=1e-9)
    assert found["all.0.surprise.gain"] == pytest.approx(0.5)
    assert [row.stem for row in rows] == ["neutral.0", "neutral.30d", "positive.30d"]
    assert "| neutral.0 | 1 | 50 / 10 | 500 | 0.400 |" in table(rows)


def test_a_cell_that_lacks_a_part_is_not_compared() -> None:
    cell = _cell()
    del cell.methods["both"]
    assert rows_of([cell]) == []


def test_a_saved_cell_is_read_back_by_its_effort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "FOLDER", tmp_path)
    cell = _cell()
    cell.save()
    assert load_all(QUICK) == [cell]
    assert load_all(FULL) == []
    assert Cell("quick", "neutral", "30d", 201).known() == cell
    assert not Cell("quick", "neutral", "30d", 202).known().methods


def test_the_default_adds_nothing_and_the_parts_are_told_apart() -> None:
    assert not PARTS["default"].surprise
    assert not PARTS["default"].weigh_self_supervised
    assert {(p.surprise, p.weigh_self_supervised) for p in PARTS.values()} == {
        (a, b) for a in (False, True) for b in (False, True)
    }
