"""From a net's logit to a probability on the target: a monotone piecewise-linear map of log-odds, in the graph.

With few frauds the map is a straight line (Platt 1999, "Probabilistic Outputs for Support Vector Machines"); with many
it follows pooled adjacent violators at a few knots. Its height then follows the prior: batches, source and target
have different fraud rates, so the intercept is set where the mean score of *unlabelled* target rows equals the
target's counted rate. That matches one moment to a rate that is known; it is no estimate of an unknown rate, as the
expectation maximisation of Saerens, Latinne & Decaestecker 2002 is ("Adjusting the Outputs of a Classifier to New a
Priori Probabilities").
"""

from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.optimize import brentq, minimize
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

PIECEWISE_FRAUDS: Final = 100
"""From so many frauds on a curve is fitted instead of a line."""

KNOTS: Final = 6
SLOPES: Final = (0.05, 3.0)
"""Bounds of every piece's slope: the map stays strictly increasing, so it never changes the ranking."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """log-odds out = y_0 + s_0 (x − x_0) + Σ_k (s_k − s_{k−1}) relu(x − x_k).

    Attributes:
        knots: x_k, float32 [k]; k = 1 is a line.
        slopes: s_k of the piece right of x_k (the first also left of it), float32 [k].
        height: y_0.
    """

    knots: Floats
    slopes: Floats
    height: float

    def __call__(self, logits: npt.ArrayLike) -> Doubles:
        """Calibrated log-odds, float64 [n]."""
        x = np.asarray(logits, np.float64)
        out = self.height + self.slopes[0] * (x - self.knots[0])
        for knot, change in zip(self.knots[1:], np.diff(self.slopes), strict=True):
            out = out + change * np.maximum(x - knot, 0)
        return np.asarray(out, np.float64)

    def graph(self, logits: tf.Tensor) -> tf.Tensor:
        """The same in the graph, float32 [n]."""
        out = self.height + float(self.slopes[0]) * (logits - float(self.knots[0]))
        for knot, change in zip(self.knots[1:], np.diff(self.slopes), strict=True):
            out += float(change) * tf.nn.relu(logits - float(knot))
        return out

    def shifted(self, by: float) -> Self:
        """The same shape, higher by `by` log-odds."""
        return type(self)(self.knots, self.slopes, self.height + by)


def fit_calibration(
    logits: Floats, label: npt.NDArray[np.int8], weight: Doubles, unlabelled: Floats, prior: float
) -> Calibration:
    """Shape from labelled rows, height from unlabelled ones.

    Args:
        logits: of labelled rows, float32 [n].
        label: 1 fraud, 0 genuine, int8 [n].
        weight: of each labelled row, [n].
        unlabelled: logits of target rows as they come, float32 [u], u > 0.
        prior: the target's fraud rate.
    """
    frauds = float(weight[label == 1].sum())
    shape = _line(logits, label, weight)
    if frauds >= PIECEWISE_FRAUDS:
        shape = _curve(shape, logits, label, weight)
    return match_prior(shape, unlabelled, prior)


def match_prior(shape: Calibration, unlabelled: Floats, prior: float) -> Calibration:
    """Moves the map up or down until the mean score of the unlabelled target rows is the prior."""
    scores = shape(unlabelled)
    shift = brentq(lambda by: float(expit(scores + by).mean()) - prior, -60, 60)
    return shape.shifted(float(shift))


def estimate_prior(frauds: float, rows: float, source_prior: float, *, strength: float = 1000.0) -> float:
    """The target's fraud rate: its own count, drawn towards the source's rate (a Beta prior worth `strength` rows)."""
    return (frauds + strength * source_prior) / (rows + strength)


def _line(logits: Floats, label: npt.NDArray[np.int8], weight: Doubles) -> Calibration:
    """Weighted Platt scaling; the slope is drawn towards 1 as if by a few frauds."""
    x, y = logits.astype(np.float64), label.astype(np.float64)

    def loss(ab: Doubles) -> float:
        z = ab[0] * x + ab[1]
        return float((weight * (np.logaddexp(0, z) - y * z)).sum() + 2.0 * (ab[0] - 1) ** 2)

    slope, height = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[SLOPES, (None, None)]).x
    return Calibration(np.zeros(1, np.float32), np.array([slope], np.float32), float(height))


def _curve(line: Calibration, logits: Floats, label: npt.NDArray[np.int8], weight: Doubles) -> Calibration:
    """Isotonic regression read at knots (weighted quantiles of the frauds' logits), as a strictly increasing map."""
    fitted = IsotonicRegression(y_min=1e-5, y_max=1 - 1e-5, out_of_bounds="clip").fit(
        logits, label, sample_weight=weight
    )
    fraud = label == 1
    # The one method of numpy's that knows weights.
    at = np.quantile(logits[fraud], np.linspace(0.05, 0.95, KNOTS), weights=weight[fraud], method="inverted_cdf")
    knots = np.unique(at).astype(np.float64)
    # Isotonic steps are noisy at one point: read the mean over a neighbourhood of each knot.
    width = 0.5 * np.median(np.diff(knots)) if len(knots) > 1 else 0.5
    rates = [fitted.predict(knot + width * np.linspace(-1, 1, 11)).mean() for knot in knots]
    heights = np.log(rates) - np.log1p(-np.array(rates))
    inner = np.clip(np.diff(heights) / np.diff(knots), *SLOPES)
    slopes = np.concatenate([inner, line.slopes[:1]]).astype(np.float32)
    return Calibration(knots.astype(np.float32), slopes, float(heights[0]))
