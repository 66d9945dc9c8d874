"""How the loop compares models: each payment's score against those of its own time."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from runtime.errors import Misconfigured
from training.gate.paired_scores import in_its_time
from training.labels.ledger import DAY_US
from training.loop.config import LoopConfig
from training.settings import load_settings


def test_a_score_becomes_its_rank_among_payments_of_the_same_month() -> None:
    time = np.array([0, 1, 2, 40, 41], np.int64) * DAY_US
    ranks = in_its_time(np.array([0.1, 0.3, 0.2, 0.9, 0.8]), time, budget=1.0)
    assert ranks == pytest.approx([1 / 3, 1, 2 / 3, 1, 1 / 2])
    assert len(in_its_time(np.zeros(0), np.zeros(0, np.int64), budget=0.1)) == 0


def test_as_many_payments_as_the_budget_allows_are_above_zero_in_every_month() -> None:
    random = np.random.default_rng(3)
    time = np.arange(6_000) * DAY_US // 100
    ranks = in_its_time(random.random(6_000) + (time > 30 * DAY_US), time, budget=0.05)
    assert [(ranks[start : start + 3_000] > 0).mean() for start in (0, 3_000)] == pytest.approx([0.05, 0.05], abs=1e-3)


def test_each_models_scores_are_ranked_among_themselves() -> None:
    time = np.zeros(4, np.int64)
    ranks = in_its_time(np.array([1.0, 2.0, 80.0, 90.0]), time, 1.0, np.array([0, 0, 1, 1]))
    assert ranks == pytest.approx([0.5, 1.0, 0.5, 1.0])
    assert np.isnan(in_its_time(np.array([1.0, np.nan]), time[:2], 1.0)).tolist() == [False, True]


def test_the_gate_compares_recall_within_the_shops_budget_or_a_hundredth() -> None:
    assert LoopConfig().gate.figure == "recall_at_budget"
    assert (LoopConfig().budget, LoopConfig(alert_share=0.03).budget) == (0.01, 0.03)
    assert LoopConfig.of(load_settings(loop_margin=0.1)).gate.margin == 0.1


def test_the_key_that_signs_models_is_handed_on_and_never_shown() -> None:
    config = LoopConfig.of(load_settings(bundle_key="a key of some length"))
    assert config.bundle_key == "a key of some length"
    assert "a key" not in repr(config)
    with pytest.raises(Misconfigured, match="FRAUD_BUNDLE_KEY"):
        load_settings(bundle_key="short")


def test_calling_everything_young_risky_gains_nothing_although_young_labels_are_nearly_all_fraud() -> None:
    random = np.random.default_rng(1)
    count = 40_000
    time = np.sort(random.integers(0, 240 * DAY_US, count))
    fraud = random.random(count) < 0.02
    # Silence is mature after 120 days: of the younger half only fraud is known.
    known = fraud | (time < 120 * DAY_US)
    honest = random.normal(size=count) + 2.0 * fraud
    clever = random.normal(size=count) + 1.5 * fraud + 4.0 * (time > 120 * DAY_US)

    def precision(score: np.ndarray) -> float:
        return float(average_precision_score(fraud[known], score[known]))

    assert precision(clever) > precision(honest) + 0.2
    assert precision(in_its_time(clever, time, 0.02)) < precision(in_its_time(honest, time, 0.02)) - 0.05
