"""What a candidate is made from: the cold start, the hand-over to labels, who judges it, and where alerts begin."""

from dataclasses import replace

import numpy as np
import pytest

from fraud.decisions.policy import Policy
from tests.support import toy_models as toy
from training.data.dataset import Dataset, Identity
from training.data.training_rows import TrainingRows, fraud_rate, training_rows
from training.labels.delay import DelayCurve
from training.loop.config import LoopConfig
from training.loop.training_step import (
    COLD_START,
    TrainedCandidate,
    folds,
    policy_of,
    ranks_of,
    retrained,
    train_candidate,
)
from training.modelling.base import Base

CONFIG = LoopConfig(strategy="frozen", teachers=1, min_frauds=20, baselines=False)
ONCE = DelayCurve.at_once()
NOW = 2 * toy.DAY_US * 20


def payments(count: int, *, labelled: bool, seed: int = 7) -> Dataset:
    """Payments of the toy target."""
    sample = toy.rows(count, seed=seed, shifted=True)
    ids = np.arange(1, count + 1, dtype=np.uint64)
    return Dataset(
        identity=Identity("f" * 16, "h" * 16),
        names=toy.NAMES,
        features=sample.features,
        time=sample.time,
        amount=np.full(count, 10_000_000, np.int64),
        customer=ids * np.uint64(0x9E3779B97F4A7C15),
        card=ids,
        transaction=ids,
        transaction_ids=ids.astype(str).astype(object),
        component=np.arange(count),
        label=sample.label if labelled else np.full(count, -1, np.int8),
        received=np.zeros(count, np.int64),
        silent=np.full(count, not labelled),
        chosen=np.zeros(count, np.bool_),
        propensity=np.ones(count, np.float32),
        segments={},
    )


@pytest.fixture(scope="module")
def cold(base: Base) -> TrainedCandidate:
    return trained(base, payments(1_000, labelled=False))


def trained(base: Base, data: Dataset, config: LoopConfig = CONFIG) -> TrainedCandidate:
    return train_candidate(base, data, taught(data), fraud_rate(data, ONCE, NOW), config, seed=1)


def taught(data: Dataset) -> TrainingRows:
    return training_rows(data, ONCE, NOW, seed=1)


def test_without_labels_the_base_is_aligned_with_the_unlabelled_target_and_counts_no_rows(
    cold: TrainedCandidate,
) -> None:
    assert (cold.strategy, cold.rows, cold.frauds, dict(cold.baselines)) == (COLD_START, 0, 0, {})
    trained_on = cold.candidate.trained_on
    assert (trained_on.rows, trained_on.frauds, trained_on.until) == (0, 0, None)


def test_the_cold_start_ranks_the_target_already(cold: TrainedCandidate) -> None:
    from training.modelling.network import predict

    test = toy.target_test()
    assert toy.auc(test, predict(cold.candidate.scorer, test.features)) > 0.8


def test_labels_take_over_once_there_are_enough_frauds(base: Base) -> None:
    data = payments(1_000, labelled=True)
    assert data.frauds >= CONFIG.min_frauds
    made = trained(base, data)
    assert (made.strategy, made.rows, made.frauds) == ("frozen", 1_000, data.frauds)
    few = replace(data, label=np.where(np.cumsum(data.label == 1) <= 5, data.label, 0).astype(np.int8))
    assert trained(base, few).strategy == COLD_START


def test_three_frauds_without_any_genuine_label_teach(base: Base) -> None:
    data = payments(1_000, labelled=True)
    chargebacks = np.where((data.label == 1) & (np.cumsum(data.label == 1) <= 3), 1, -1).astype(np.int8)
    shop = replace(data, label=chargebacks, silent=chargebacks == -1)
    made = trained(base, shop, replace(CONFIG, min_frauds=LoopConfig().min_frauds))
    assert (made.strategy, made.rows, made.frauds) == ("frozen", 3, 3)
    assert made.candidate.prior == pytest.approx(0.06, abs=0.06)


def test_every_fraud_judges_by_a_model_that_did_not_learn_from_its_component(base: Base) -> None:
    data = payments(1_000, labelled=True)
    # Labels that are a matter of luck, but for pairs of equal payments: a model that saw one knows the other.
    random = np.random.default_rng(1)
    label = (random.random(1_000) < 0.1).astype(np.int8)
    pairs = np.arange(1_000) // 2
    twins = replace(
        data, features=data.features[pairs * 2], label=label[pairs * 2], component=pairs, silent=np.zeros(1_000, bool)
    )
    config = replace(CONFIG, strategy="boosted")
    apart, together = (trained(base, replace(twins, component=c), config) for c in (np.arange(1_000), pairs))
    fraud = twins.label == 1
    assert not np.isnan(together.ranks).any()
    gap = [made.ranks[fraud].mean() - made.ranks[~fraud].mean() for made in (apart, together)]
    assert gap[0] > gap[1] + 0.1
    assert abs(gap[1]) < 0.1


def test_a_version_that_had_learnt_the_same_is_ranked_as_the_candidate_is(base: Base) -> None:
    data = payments(1_000, labelled=True)
    made, rows = trained(base, data), taught(data)
    again = retrained(base, data, rows, rows, CONFIG, strategy="frozen", seed=1)
    assert again.tolist() == made.ranks.tolist()


def test_what_a_version_had_not_learnt_yet_does_not_teach_its_like(base: Base) -> None:
    data = payments(1_000, labelled=True)
    earlier = taught(data.between(None, int(np.median(data.time))))
    again = retrained(base, data, taught(data), earlier, CONFIG, strategy="frozen", seed=1)
    made = trained(base, data)
    assert not np.isnan(again).any()
    assert not np.array_equal(again, made.ranks)


def test_folds_keep_components_whole_and_spread_the_frauds_over_them() -> None:
    data = payments(1_000, labelled=True)
    data = replace(data, component=np.arange(1_000) // 3)
    fold = folds(data, taught(data), 3)
    assert all(len(set(fold[data.component == c].tolist())) == 1 for c in range(334))
    held = [int(((fold == number) & (data.label == 1)).sum()) for number in range(3)]
    assert max(held) - min(held) <= 3
    assert np.bincount(fold).min() > 250


def test_the_ranks_of_what_was_learnt_are_kept_as_shares_in_the_order_of_the_rows() -> None:
    data = payments(1_000, labelled=True)
    data = data.take(np.random.default_rng(1).permutation(1_000))
    rank = ranks_of(data, taught(data), np.arange(1_000) / 1_000 - 0.99, 0.01)
    order = np.argsort(data.time, kind="stable")
    assert rank == pytest.approx(order / 1_000)


def test_with_baselines_trees_on_the_same_labels_are_judged_alike(base: Base) -> None:
    made = trained(base, payments(600, labelled=True), replace(CONFIG, baselines=True))
    assert {name: len(ranks) for name, ranks in made.baselines.items()} == {
        "trees on source and target": 600, "trees on the target": 600,
    }  # fmt: skip


def test_alerts_begin_where_the_shops_budget_is_used_up(cold: TrainedCandidate) -> None:
    from training.modelling.network import predict

    data = payments(2_000, labelled=False, seed=9)
    costs = Policy.default("EUR")
    policy = policy_of(costs, cold.candidate, data, 0.02)
    logits = cold.candidate.calibration(predict(cold.candidate.scorer, data.features))
    score = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    assert 0 < policy.decide(score, data.amount).flagged.mean() <= 0.02
    assert policy_of(costs, cold.candidate, data, None) == costs
