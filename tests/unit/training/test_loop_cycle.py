"""How the loop compares models: each payment's score against those of its own time."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from training.ledger import DAY_US
from training.loop.cycle import in_its_time


def test_a_score_becomes_its_rank_among_payments_of_the_same_month() -> None:
    time = np.array([0, 1, 2, 40, 41], np.int64) * DAY_US
    assert in_its_time(np.array([0.1, 0.3, 0.2, 0.9, 0.8]), time) == pytest.approx([1 / 3, 1, 2 / 3, 1, 1 / 2])
    assert len(in_its_time(np.zeros(0), np.zeros(0, np.int64))) == 0


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
    assert precision(in_its_time(clever, time)) < precision(in_its_time(honest, time)) - 0.05
