"""How the transfer benchmark pools its cells and judges them."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmarks.transfer import results
from benchmarks.transfer.methods import METHODS, RIVALS
from benchmarks.transfer.results import DRAWS, SCALE, Cell, Measured, load_all, measure
from benchmarks.transfer.schedule import SEEDS, turns
from benchmarks.transfer.summary import by_method, by_rival, figures_of, pool, table, words

SPREAD = tuple(np.random.default_rng(0).normal(0.0, 0.01, DRAWS))


def _measured(ap: float, *, noise: float = 0.0) -> Measured:
    own = np.random.default_rng(round(ap * 1e4)).normal(0.0, noise, DRAWS)
    draws = (ap + np.array(SPREAD) + own) * SCALE
    return Measured(ap, 0.5, 1.0, "abc", tuple(int(d) for d in draws))


def _cell(seed: int = 101, *, pair: str = "positive", frauds: int = 700, auto: float = 0.3, **others: float) -> Cell:
    methods = dict.fromkeys(RIVALS, _measured(0.2)) | {"joint_distilled": _measured(auto), "auto": _measured(auto)}
    methods |= {name: _measured(ap) for name, ap in others.items()}
    return Cell(pair, "500", seed, labels=500, frauds=3, test_rows=9000, test_frauds=frauds, methods=methods)


def test_the_figures_of_a_method_are_those_of_its_scores() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(2000) < 0.05
    score = (rng.normal(size=2000) + truth).astype(np.float32)
    customer = rng.integers(0, 300, 2000)
    got = measure(score, truth, customer, seed=3, drawn=True, seconds=1.0, code="abc")
    top = np.argsort(-score)[:20]
    assert got.ap == pytest.approx(average_precision_score(truth, score), abs=1e-5)
    assert got.recall_at_1pct == pytest.approx(truth[top].sum() / truth.sum(), abs=1e-5)
    assert np.mean(got.draws) / SCALE == pytest.approx(got.ap, abs=0.03)


def test_equal_scores_have_equal_draws() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(500) < 0.1
    score, customer = rng.random(500).astype(np.float32), rng.integers(0, 50, 500)
    one, other = (measure(score, truth, customer, seed=3, drawn=True, seconds=s, code="a") for s in (1.0, 2.0))
    assert one.draws == other.draws


def test_a_saved_cell_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    cell = _cell()
    cell.save()
    assert Cell("positive", "500", 101).known() == cell
    assert load_all(tmp_path) == [cell]
    assert not Cell("positive", "500", 102).known().methods


def test_a_cell_with_too_few_frauds_can_only_hold_what_learns_nothing() -> None:
    few = Cell("positive", "14d", 101, labels=17, frauds=2, test_rows=9000)
    assert few.possible(["auto", "lightgbm_source", "lightgbm_target", "source_only"]) == [
        "lightgbm_source",
        "source_only",
    ]
    assert Cell("positive", "14d", 101).possible(["auto"]) == ["auto"]


def test_a_gain_beyond_the_interval_wins_and_a_loss_beyond_it_loses() -> None:
    won, lost = (pool([_cell(auto=ap)])[0] for ap in (0.3, 0.15))
    assert won.gain("auto").outcome == "wins"
    assert won.gain("auto").value == pytest.approx(0.5)
    assert lost.gain("auto").outcome == "loses"


def test_a_gain_within_the_interval_is_a_tie() -> None:
    cell = _cell(auto=0.3)
    cell.methods["auto"] = _measured(0.201, noise=0.02)
    assert pool([cell])[0].gain("auto").outcome == "ties"


def test_the_rival_is_the_one_that_is_best_over_the_pooled_seeds() -> None:
    cells = [_cell(101, lightgbm_target=0.5), _cell(102, lightgbm_target=0.1, lightgbm_pooled=0.25)]
    row = pool(cells)[0]
    assert row.best_rival() == "lightgbm_target"
    assert row.gain("auto").value == pytest.approx(0.0)


def test_transfer_is_negative_where_the_target_alone_beats_pooling() -> None:
    assert pool([_cell(lightgbm_target=0.4)])[0].harmful
    assert not pool([_cell(lightgbm_pooled=0.4)])[0].harmful


def test_tests_of_an_imported_pair_are_counted_once() -> None:
    simulated = pool([_cell(101, frauds=400), _cell(102, frauds=400)])[0]
    imported = pool([_cell(101, pair="multimaus", frauds=400), _cell(102, pair="multimaus", frauds=400)])[0]
    assert simulated.frauds == 800
    assert simulated.powered
    assert imported.frauds == 400
    assert "underpowered" in table([imported])
    assert "underpowered" in figures_of(imported)[0].name


def test_a_seed_that_did_not_get_to_auto_is_left_out() -> None:
    unfinished = _cell(102)
    del unfinished.methods["auto"]
    assert [len(row.cells) for row in pool([_cell(101), unfinished])] == [1]


def test_every_pair_and_budget_has_its_verdict_in_words() -> None:
    rows = pool([_cell(), _cell(pair="negative", auto=0.1)])
    assert words(rows).splitlines() == [
        "auto wins against the best LightGBM on 1 of 2: positive.500",
        "auto ties against the best LightGBM on 0 of 2: none",
        "auto loses against the best LightGBM on 1 of 2: negative.500",
    ]


def test_the_schedule_holds_every_method_pair_budget_and_seed() -> None:
    planned = {(t.pair, b, t.seed, m) for t in turns(()) if not t.control for b in t.budgets for m in t.methods}
    assert {m for _, _, _, m in planned} == {*METHODS, "auto"}
    assert len({(p, b, s) for p, b, s, _ in planned}) == len(SEEDS) * (4 * 9 + 2 * 4)
    assert len(planned) == len(SEEDS) * (4 * 9 + 2 * 4) * len({*METHODS, "auto"})


def test_each_method_has_its_mean_and_what_a_seed_lacks_is_left_empty() -> None:
    one, other = _cell(101, auto=0.3, l2sp=0.1), _cell(102, auto=0.2)
    one.bayes, other.bayes = 0.5, 0.7
    head, _, line = by_method(pool([one, other])).splitlines()
    values = dict(zip(head.split(" | "), line.split(" | "), strict=True))
    assert (values["| pair.budget"], values["auto"], values["l2sp"]) == ("| positive.500", "0.250", "")
    assert values["truth |"] == "0.600 |"


def test_rows_come_by_pair_then_by_number_of_labels_then_by_days() -> None:
    cells = [_cell(pair="positive")]
    for budget in ("180d", "14d", "all", "2000", "100"):
        cells.append(_cell(pair="positive"))
        cells[-1].budget = budget
    cells.append(_cell(pair="negative"))
    assert [row.stem for row in pool(cells)] == ["negative.500"] + [
        f"positive.{budget}" for budget in ("100", "500", "2000", "all", "14d", "180d")
    ]


def test_against_a_rival_that_is_chosen_beforehand_gains_are_averaged_over_rows() -> None:
    cells = [_cell(pair="positive", auto=0.4), _cell(pair="negative", auto=0.1)]
    line = next(line for line in by_rival(pool(cells)).splitlines() if line.startswith("| pooled"))
    assert line == "| pooled | +0% | 1 | 0 | 1 |"
