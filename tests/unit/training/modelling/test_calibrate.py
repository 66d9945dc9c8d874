"""Calibrated scores mean what they say: on the target's own fraud rate, in the graph as in numpy."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from scipy.special import expit, logit

from training.modelling.calibration import SLOPES, Calibration, estimate_prior, fit_calibration, match_prior

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int8]


def drawn(count: int, *, rate: float, seed: int, slope: float = 1.0, offset: float = 0.0) -> tuple[Floats, Labels]:
    """Logits that are off by a slope and an offset, and labels that follow the true ones."""
    rng = np.random.default_rng(seed)
    true = rng.normal(logit(rate) - 1.0, 2.0, count)
    label = (rng.random(count) < expit(true)).astype(np.int8)
    return ((true - offset) / slope).astype(np.float32), label


def test_a_line_is_slope_and_height() -> None:
    line = Calibration(np.zeros(1, np.float32), np.array([0.5], np.float32), -3.0)
    np.testing.assert_allclose(line(np.array([-2.0, 0.0, 4.0])), [-4.0, -3.0, -1.0])


def test_a_curve_is_continuous_with_the_slope_of_each_piece() -> None:
    curve = Calibration(np.array([-1.0, 1.0], np.float32), np.array([0.5, 2.0], np.float32), 0.0)
    # Left of and between the knots slope 0.5, right of the last 2.
    np.testing.assert_allclose(curve(np.array([-3.0, -1.0, 0.0, 1.0, 2.0])), [-1.0, 0.0, 0.5, 1.0, 3.0])


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_the_graph_is_the_same_map(rate: float) -> None:
    logits, label = drawn(3_000, rate=rate, seed=1)
    fitted = fit_calibration(logits, label, np.ones(3_000), logits, rate)
    far = np.concatenate([logits, np.array([-60, 60], np.float32)])
    np.testing.assert_allclose(fitted.graph(tf.constant(far)), fitted(far), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frauds", ["few", "many"])
def test_it_finds_back_the_true_probabilities(frauds: str) -> None:
    count = 1_200 if frauds == "few" else 40_000
    logits, label = drawn(count, rate=0.05, seed=2, slope=0.6, offset=1.5)
    fitted = fit_calibration(logits, label, np.ones(count), logits, float(label.mean()))
    assert len(fitted.knots) == (1 if frauds == "few" else 6)
    fresh, truth = drawn(200_000, rate=0.05, seed=3, slope=0.6, offset=1.5)
    score = expit(fitted(fresh))
    for low, high in ((0.01, 0.05), (0.05, 0.2), (0.2, 0.6)):
        rows = (score >= low) & (score < high)
        assert score[rows].mean() == pytest.approx(truth[rows].mean(), rel=0.3)


@pytest.mark.parametrize("seed", range(4))
def test_it_never_changes_the_ranking(seed: int) -> None:
    logits, label = drawn(6_000, rate=0.2, seed=seed)
    # Worse than noise: frauds score lower. Even then the map may only be flat, not falling.
    turned = fit_calibration(-logits, label, np.ones(6_000), -logits, 0.2)
    assert len(turned.slopes) > 1
    assert (turned.slopes >= SLOPES[0] - 1e-6).all()
    assert (np.diff(turned(np.sort(-logits))) >= 0).all()


def test_the_mean_score_of_the_target_as_it_comes_is_its_fraud_rate() -> None:
    logits, label = drawn(2_000, rate=0.3, seed=1)  # a balanced sample …
    target, _ = drawn(30_000, rate=0.004, seed=2)  # … for a target with hardly any fraud
    fitted = fit_calibration(logits, label, np.ones(2_000), target, 0.004)
    assert expit(fitted(target)).mean() == pytest.approx(0.004, rel=1e-4)


def test_the_correction_for_another_prior_moves_every_score_alike_in_log_odds() -> None:
    shape = Calibration(np.zeros(1, np.float32), np.array([1.3], np.float32), 0.7)
    logits = drawn(5_000, rate=0.05, seed=1)[0]
    low, high = (match_prior(shape, logits, prior) for prior in (0.001, 0.1))
    gap = high(logits) - low(logits)
    np.testing.assert_allclose(gap, gap[0])
    assert gap[0] > logit(0.1) - logit(0.001) - 1.0
    np.testing.assert_array_equal(high.slopes, shape.slopes)


def test_rows_of_no_weight_do_not_count() -> None:
    logits, label = drawn(1_000, rate=0.2, seed=1)
    spoilt = np.concatenate([label, 1 - label])
    weight = np.concatenate([np.ones(1_000), np.zeros(1_000)])
    one = fit_calibration(logits, label, np.ones(1_000), logits, 0.2)
    other = fit_calibration(np.concatenate([logits, logits]), spoilt, weight, logits, 0.2)
    assert one.slopes[0] == pytest.approx(other.slopes[0], rel=1e-3)


def test_separable_labels_do_not_make_scores_certain() -> None:
    logits = np.array([-3, -2, -1, 2, 3], np.float32)
    label = np.array([0, 0, 0, 1, 1], np.int8)
    fitted = fit_calibration(logits, label, np.ones(5), logits, 0.3)
    assert SLOPES[0] <= fitted.slopes[0] <= SLOPES[1]
    assert np.isfinite(fitted(logits)).all()


def test_tied_logits_are_calibrated_too() -> None:
    label = (np.arange(1_000) % 5 == 0).astype(np.int8)
    fitted = fit_calibration(np.zeros(1_000, np.float32), label, np.ones(1_000), np.zeros(50, np.float32), 0.2)
    assert expit(fitted(np.zeros(1)))[0] == pytest.approx(0.2, rel=1e-4)


def test_few_payments_leave_the_prior_near_the_sources_and_many_near_their_own_rate() -> None:
    assert estimate_prior(0, 0, 0.01) == pytest.approx(0.01)
    assert estimate_prior(0, 100, 0.01) == pytest.approx(10 / 1_100)
    assert estimate_prior(4_000, 100_000, 0.01) == pytest.approx(0.04, rel=0.02)
    assert estimate_prior(0, 10**7, 0.001) > 0
