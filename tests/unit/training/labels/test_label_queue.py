"""The queue of payments to review: mostly top scores, part random, each with the probability of being chosen."""

import numpy as np
import pytest

from training.labels.label_queue import NEAR, PARTS, RANDOM, TOP, Shares, choose


def scores(n: int = 5_000, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.3, 8, n)


def test_top_scores_are_chosen_for_certain_and_the_others_by_a_draw() -> None:
    score = scores()
    queue = choose(score, 200, seed=3)
    assert len(queue) == len(set(queue.rows.tolist())) == 200
    assert {PARTS[part]: int((queue.part == part).sum()) for part in range(3)} == {"top": 120, "near": 50, "random": 30}
    top = queue.rows[queue.part == TOP]
    assert set(top.tolist()) == set(np.argsort(-score, kind="stable")[:120].tolist())
    assert (queue.propensity[queue.part == TOP] == 1).all()
    near = queue.part == NEAR
    assert queue.propensity[near] == pytest.approx(50 / 200)
    assert score[queue.rows[near]].max() <= score[top].min()
    assert queue.propensity[queue.part == RANDOM] == pytest.approx(30 / (5_000 - 120 - 200))


def test_equal_seeds_choose_alike_and_others_do_not() -> None:
    score = scores()
    one, two, other = (choose(score, 100, seed=seed) for seed in (1, 1, 2))
    assert one.rows.tolist() == two.rows.tolist()
    assert one.rows.tolist() != other.rows.tolist()


@pytest.mark.parametrize("shares", [Shares(), Shares(1.0, 0.0), Shares(0.0, 0.0), Shares(0.5, 0.5)])
def test_propensities_are_the_frequencies_of_many_draws(shares: Shares) -> None:
    score, draws = scores(60), 3_000
    counted, written = np.zeros(60), np.zeros(60)
    for seed in range(draws):
        queue = choose(score, 12, seed=seed, shares=shares)
        counted[queue.rows] += 1
        written[queue.rows] = queue.propensity
    chosen = counted > 0
    assert np.abs(counted / draws - written)[chosen].max() < 0.05
    assert counted.sum() == 12 * draws


def test_weighing_by_the_propensity_makes_the_sample_fair() -> None:
    score = scores()
    truth = np.random.default_rng(9).random(len(score)) < score
    estimates = []
    for seed in range(400):
        queue = choose(score, 400, seed=seed)
        estimates.append((truth[queue.rows] / queue.propensity).sum())
    assert np.mean(estimates) == pytest.approx(truth.sum(), rel=0.03)


def test_whoever_stops_half_way_has_reviewed_a_fair_half() -> None:
    parts = [choose(scores(), 200, seed=seed).part[:100] for seed in range(50)]
    assert np.mean([np.mean(part == TOP) for part in parts]) == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_where_there_is_less_than_asked_for_all_is_chosen(n: int) -> None:
    queue = choose(scores(n), 1_000, seed=1)
    assert sorted(queue.rows.tolist()) == list(range(n))
    assert queue.propensity == pytest.approx(1.0)


def test_nothing_offered_is_an_empty_queue() -> None:
    assert len(choose(np.zeros(0), 10, seed=1)) == 0


@pytest.mark.parametrize(("top", "near"), [(0.9, 0.2), (-0.1, 0.5), (1.1, 0.0)])
def test_shares_that_are_no_parts_of_one_are_refused(top: float, near: float) -> None:
    with pytest.raises(ValueError, match="no parts of one queue"):
        Shares(top, near)
