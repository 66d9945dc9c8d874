"""What a candidate is made from: the cold start, the hand-over to labels, who judges, and where alerts begin."""

from dataclasses import replace

import numpy as np
import pytest

from fraud.decisions.policy import Policy
from tests.support import toy_models as toy
from training.data.dataset import Dataset, Identity
from training.loop.config import LoopConfig
from training.loop.training_step import COLD_START, TrainedCandidate, fraud_rate, held_out, policy_of, train_candidate
from training.modelling.base import Base

CONFIG = LoopConfig(strategy="frozen", teachers=1, min_frauds=20, baselines=False)


def payments(count: int, *, labelled: bool, seed: int = 7) -> Dataset:
    """Payments of the toy target."""
    sample = toy.rows(count, seed=seed, shifted=True)
    ids = np.arange(1, count + 1, dtype=np.uint64)
    return Dataset(
        identity=Identity("f" * 16, "h" * 16, 1, "pre_auth", "EUR"),
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
        propensity=np.ones(count, np.float32),
        segments={},
    )


@pytest.fixture(scope="module")
def cold(base: Base) -> TrainedCandidate:
    data = payments(1_000, labelled=False)
    return train_candidate(base, data, data, CONFIG, seed=1)


def test_without_labels_the_base_is_aligned_with_the_unlabelled_target_and_counts_no_rows(
    cold: TrainedCandidate,
) -> None:
    assert (cold.strategy, cold.rows, cold.frauds, dict(cold.baselines)) == (COLD_START, 0, 0, {})


def test_the_cold_start_ranks_the_target_already(cold: TrainedCandidate) -> None:
    from training.modelling.network import predict

    test = toy.target_test()
    assert toy.auc(test, predict(cold.candidate.scorer, test.features)) > 0.8


def test_labels_take_over_once_there_are_enough_frauds(base: Base) -> None:
    data = payments(1_000, labelled=True)
    assert data.frauds >= CONFIG.min_frauds
    trained = train_candidate(base, data, data, CONFIG, seed=1)
    assert (trained.strategy, trained.rows, trained.frauds) == ("frozen", 1_000, data.frauds)
    few = replace(data, label=np.where(np.cumsum(data.label == 1) <= 5, data.label, 0).astype(np.int8))
    assert train_candidate(base, few, few, CONFIG, seed=1).strategy == COLD_START


def test_the_gates_customers_are_the_same_in_every_run_and_about_the_share_that_was_asked_for() -> None:
    customers = np.random.default_rng(1).integers(1, 2**63, 20_000).astype(np.uint64)
    chosen = held_out(customers, 0.25)
    assert chosen.mean() == pytest.approx(0.25, abs=0.01)
    assert (held_out(customers[:100], 0.25) == chosen[:100]).all()
    assert not (chosen & ~held_out(customers, 0.5)).any()


def test_the_fraud_rate_is_the_recent_one_where_a_new_pattern_raised_it() -> None:
    data = payments(1_000, labelled=False)
    old = replace(data, label=np.where(np.arange(1_000) < 20, 1, 0).astype(np.int8))
    young = replace(data, label=np.where(np.arange(1_000) >= 980, 1, 0).astype(np.int8))
    assert fraud_rate(old) == (20, 1_000)
    assert fraud_rate(young) == (20, 500)


def test_alerts_begin_where_the_shops_budget_is_used_up(cold: TrainedCandidate) -> None:
    from training.modelling.network import predict

    data = payments(2_000, labelled=False, seed=9)
    costs = Policy.default("EUR")
    policy = policy_of(costs, cold.candidate, data, 0.02)
    logits = cold.candidate.calibration(predict(cold.candidate.scorer, data.features))
    score = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    assert 0 < policy.decide(score, data.amount).flagged.mean() <= 0.02
    assert policy_of(costs, cold.candidate, data, None) == costs
