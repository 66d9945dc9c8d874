"""Twelve periods of a policy that blocks: what its own labels say of its precision, three ways."""

import numpy as np
import pytest

from training.evaluation.propensity import weighted_precision

PERIODS, FLAGGED, SHARE = 12, 4_000, 0.01


def period(seed: int, precision: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(fraud, let through, propensity) of flagged payments: most are blocked, the review queue sees the rest."""
    random = np.random.default_rng(seed)
    score = random.beta(2, 2, FLAGGED)
    fraud = random.random(FLAGGED) < np.clip(score * 2 * precision, 0, 1)
    blocked = score > 0.3
    explored = blocked & (random.random(FLAGGED) < SHARE)
    propensity = np.where(blocked, SHARE, 1.0)
    return fraud, ~blocked | explored, propensity


def test_weighing_by_propensity_covers_the_truth_where_counting_what_is_observed_does_not() -> None:
    covered, naive_errors, weighted_errors = 0, [], []
    seeds = range(20)
    for seed in seeds:
        kept = [period(seed * PERIODS + c, precision=0.5) for c in range(PERIODS)]
        fraud, seen, propensity = (np.concatenate([part[i] for part in kept]) for i in range(3))
        truth = fraud.mean()
        estimate = weighted_precision(fraud[seen], propensity[seen])
        covered += estimate.low <= truth <= estimate.high
        naive_errors.append(abs(fraud[seen].mean() - truth))  # what was let through anyway: the low scores
        weighted_errors.append(abs(estimate.value - truth))
    assert covered >= 0.75 * len(seeds)
    assert np.mean(weighted_errors) < 0.2 * np.mean(naive_errors)


@pytest.mark.parametrize(
    ("blocks", "in_blocks", "in_reviews"), [(1_200, 0.38, 0.11), (4_000, 0.38, 0.11), (600, 0.7, 0.3)]
)
def test_the_interval_covers_about_as_often_as_it_says_with_a_dozen_explored_payments(
    blocks: int, in_blocks: float, in_reviews: float
) -> None:
    random = np.random.default_rng(1)
    blocked, reviewed = (np.arange(blocks) < rate * blocks for rate in (in_blocks, in_reviews))
    truth = (blocked.sum() + reviewed.sum()) / (2 * blocks)
    covered = []
    for _ in range(500):
        explored = blocked[random.random(blocks) < SHARE]
        propensity = np.concatenate([np.ones(blocks), np.full(len(explored), SHARE)])
        estimate = weighted_precision(np.concatenate([reviewed, explored]), propensity)
        covered.append(estimate.low <= truth <= estimate.high)
    assert 0.86 <= np.mean(covered) <= 0.97


def test_equal_weights_give_the_plain_share_and_its_full_sample_size() -> None:
    estimate = weighted_precision(np.array([True, False, True, True]), np.ones(4))
    assert estimate.value == 0.75
    assert estimate.effective == pytest.approx(4)
    assert 0 < estimate.low < 0.75 < estimate.high <= 1


def test_unequal_weights_shrink_the_effective_sample() -> None:
    estimate = weighted_precision(np.array([True] * 50 + [False] * 50), np.array([1.0] * 99 + [0.01]))
    assert estimate.observed == 100
    assert estimate.effective < 5


def test_without_support_nothing_is_claimed() -> None:
    nothing = weighted_precision(np.zeros(0, np.bool_), np.zeros(0))
    assert np.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0.0, 1.0)
