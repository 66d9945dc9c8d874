"""The figures of an evaluation against the libraries', against the handbook's own code, and by hand."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fraud.decisions.policy import CostModel, Policy
from tests.support.scored_payments import scored
from training.evaluation.bootstrap import Ranking, difference, interval
from training.evaluation.scores import (
    DAY_US,
    Scored,
    card_precision,
    figures,
    first_fraud_recall,
    net_money,
    recall_at_false_positives,
    recall_at_review,
    reliability,
)

POLICY = Policy.default("EUR")


def of(score: list[float], fraud: list[int], **columns: npt.NDArray[np.generic]) -> Scored:
    n = len(score)
    default = {
        "time": np.arange(n, dtype=np.int64),
        "amount": np.full(n, 100_000_000, np.int64),
        "card": np.arange(1, n + 1, dtype=np.uint64),
        "customer": np.arange(1, n + 1, dtype=np.uint64),
    }
    return Scored(np.array(score), np.array(fraud, np.bool_), **(default | columns))  # type: ignore[arg-type]  # built by name


def test_every_figure_is_there_and_finite() -> None:
    measured = figures(scored(), POLICY)
    assert all(value is not None and np.isfinite(value) for value in measured.values())
    assert measured["underpowered"] is True


def test_one_class_only_leaves_ranking_figures_undefined_and_does_not_fail() -> None:
    measured = figures(of([0.1, 0.2], [0, 0]), POLICY)
    assert measured["average_precision"] is None
    assert measured["recall"] is None


def test_recall_at_review_counts_the_top_share() -> None:
    rows = of([0.9, 0.8, 0.7, 0.1] + [0.01] * 96, [1, 0, 1, 1] + [0] * 96)
    assert recall_at_review(rows, 0.03) == pytest.approx(2 / 3)
    assert recall_at_false_positives(rows, 0.0) == pytest.approx(1 / 3)
    assert recall_at_false_positives(rows, 0.011) == 1


def test_only_the_first_fraud_of_a_card_counts() -> None:
    card = np.array([1, 1, 2, *range(3, 100)], np.uint64)
    rows = of([0.2, 0.9, 0.8] + [0.5] * 97, [1, 1, 1] + [0] * 97, card=card)
    assert first_fraud_recall(rows, 0.02) == 0.5


def handbook_card_precision(rows: Scored, k: int) -> float:
    """`card_precision_top_k` of the handbook's shared functions, on a frame."""
    frame = pd.DataFrame({"day": rows.time // DAY_US, "card": rows.card, "score": rows.score, "fraud": rows.fraud})
    detected: list[int] = []
    precisions = []
    for _, today in frame.groupby("day"):
        left = today[~today["card"].isin(detected)]
        cards = left.groupby("card").max().sort_values("score", ascending=False).head(k)
        hits = cards[cards["fraud"]].index.tolist()
        precisions.append(len(hits) / k)
        detected += hits
    return float(np.mean(precisions))


@pytest.mark.parametrize("seed", range(3))
def test_card_precision_is_the_handbooks(seed: int) -> None:
    rows = scored(seed=seed)
    assert card_precision(rows, 20) == pytest.approx(handbook_card_precision(rows, 20))


def test_a_calibrated_score_has_a_small_calibration_error_and_a_doubled_one_a_large() -> None:
    random = np.random.default_rng(1)
    score = random.random(20_000) * 0.4
    fraud = random.random(20_000) < score
    good, bad = of(score.tolist(), fraud.tolist()), of((2 * score).tolist(), fraud.tolist())
    assert reliability(good).ece < 0.01
    assert reliability(bad).ece == pytest.approx(0.2, abs=0.02)


def test_net_money_is_loss_saved_less_insults() -> None:
    costs = CostModel(recovery=0, chargeback_fee=0, margin=0.1, churn=5)
    policy = Policy.from_costs(costs, base_currency="EUR", actions=("allow", "block"))
    rows = of([1, 1, 0], [1, 0, 0])
    block, allow = 3, 0
    assert net_money(rows, policy, np.array([block, block, allow], np.uint8)) == pytest.approx(100 - 15)


def test_the_rankings_average_precision_is_sklearns_with_ties_and_weights() -> None:
    random = np.random.default_rng(3)
    score = random.integers(0, 20, 500) / 20
    fraud = random.random(500) < score / 3
    customer = random.integers(0, 50, 500).astype(np.intp)
    weight = random.integers(0, 4, 50).astype(np.float64)
    expected = average_precision_score(fraud, score, sample_weight=weight[customer])
    assert Ranking.of(score, fraud, customer).average_precision(weight[:, None]) == pytest.approx([expected])


def episodes(seed: int, *, size: int = 8, count: int = 30) -> Scored:
    """Frauds in episodes of equal score, each attempt by a new customer, among genuine payments."""
    random = np.random.default_rng(seed)
    episode = np.repeat(np.arange(count), size)
    genuine = 3_000
    score = np.concatenate([random.normal(2, 1, count)[episode], random.normal(size=genuine)])
    fraud = np.arange(len(score)) < len(episode)
    component = np.concatenate([episode, np.arange(count, count + genuine)])
    return of(score.tolist(), fraud.tolist(), component=component)


def test_an_interval_by_episode_is_as_wide_as_the_figure_varies_and_one_by_customer_is_not() -> None:
    worlds = [episodes(seed) for seed in range(60)]
    found = [interval(world, "average_precision", seed=1, repeats=200) for world in worlds]
    spread = float(np.std([i.value for i in found]))
    by_customer = replace(worlds[0], component=np.arange(len(worlds[0])))
    assert np.mean([i.error for i in found]) == pytest.approx(spread, rel=0.25)
    assert interval(by_customer, "average_precision", seed=1, repeats=200).error < 0.6 * spread
    assert found[0].clusters == pytest.approx(30)


def test_a_row_drawn_by_lot_counts_as_often_as_it_stands_for() -> None:
    rows = of([3, 2, 1, 0.5], [1, 0, 1, 0], weight=np.array([1.0, 1.0, 3.0, 1.0]))
    expected = average_precision_score(rows.fraud, rows.score, sample_weight=rows.weight)
    assert interval(rows, "average_precision", seed=1, repeats=2).value == pytest.approx(expected)


def test_the_interval_of_a_clear_difference_excludes_zero_and_that_of_none_holds_it() -> None:
    good, noise = scored(skill=3.0), np.random.default_rng(5).random(4_000)
    better = difference(good, noise, "average_precision", seed=1)
    assert 0 < better.low <= better.value <= better.high
    jitter = good.score + np.random.default_rng(6).normal(0, 1e-3, len(good))
    same = difference(good, jitter, "average_precision", seed=1)
    assert same.low <= 0 <= same.high


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = interval(scored(200_000, seed=99), "average_precision", seed=0, repeats=2).value
    held = [interval(scored(2_000, seed=s), "average_precision", seed=s, repeats=100) for s in range(40)]
    covered = sum(i.low <= truth <= i.high for i in held)
    assert covered >= 30


def test_the_same_seed_gives_the_same_interval() -> None:
    assert interval(scored(), "recall_at_1pct", seed=4) == interval(scored(), "recall_at_1pct", seed=4)
