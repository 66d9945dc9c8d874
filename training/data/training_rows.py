"""What a target's labels and silence teach: rows with weights, and a rate of fraud, both as of a time.

Labels of a young shop are chosen: chargebacks are all fraud, and analysts were shown what looked worst. Payments that
nobody has said anything about are nearly all genuine. Some of them are *presumed genuine*, each with the weight of how
much its silence says by now: the share of frauds of its age that would have been reported (positive-unlabelled learning
with reporting delay; Elkan and Noto, KDD 2008; Chapelle, KDD 2014). So a shop learns from its first frauds, before any
payment has been called genuine.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from training.data.dataset import FRAUD, Dataset
from training.data.sample import Sample
from training.labels.delay import DelayCurve, exposure

PRESUMED_PER_FRAUD: Final = 20
PRESUMED_LIMITS: Final = (500, 20_000)
"""Silent payments that are presumed genuine: so many for each known fraud, at least and at most so many."""

SURE: Final = 0.05
"""Below this p-value the younger half has another rate than the whole."""


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows to learn from.

    Attributes:
        sample: labelled and presumed rows in time order, with weights.
        transaction: uint64 [n], hashed ids, in the same order.
        component: int64 [n], what belongs together.
        labelled: rows that somebody spoke about, or that are old enough.
    """

    sample: Sample
    transaction: npt.NDArray[np.uint64]
    component: npt.NDArray[np.int64]
    labelled: int


def training_rows(data: Dataset, curve: DelayCurve, at: int, *, seed: int) -> TrainingRows:
    """Known labels, and silent payments that are presumed genuine; nothing is presumed before the first fraud.

    Args:
        data: payments with what is known of them at `at`.
        curve: how late frauds are reported.
        at: now, µs.
        seed: of the draw.
    """
    presumed = _presumed(data, seed)
    weight = np.ones(len(data), np.float32)
    weight[presumed] = curve.share(np.maximum(at - data.time[presumed], 0))
    label = data.label.copy()
    label[presumed] = 0
    taught = np.flatnonzero(np.not_equal(label, -1) & (weight > 0))
    taught = taught[np.argsort(data.time[taught], kind="stable")]
    sample = Sample(data.features[taught], label[taught], data.time[taught], weight[taught])
    return TrainingRows(sample, data.transaction[taught], data.component[taught], int(data.observed.sum()))


def _presumed(data: Dataset, seed: int) -> npt.NDArray[np.intp]:
    """Row numbers of a uniform draw of silent payments."""
    silent = np.flatnonzero(data.silent)
    if not data.frauds:
        return silent[:0]
    least, most = PRESUMED_LIMITS
    count = min(max(PRESUMED_PER_FRAUD * data.frauds, least), most)
    if len(silent) <= count:
        return silent
    return np.sort(np.random.default_rng(seed).choice(silent, count, replace=False))


@dataclass(frozen=True, slots=True)
class FraudRate:
    """Frauds over the payments that they were found among.

    Attributes:
        frauds: known ones; one that a lottery let through stands for 1 / propensity.
        payments: as many as would have shown all their frauds by now.
        reported: payments, counted plainly.
    """

    frauds: float
    payments: float
    reported: int

    @property
    def value(self) -> float:
        """The rate, 0 without payments."""
        return min(self.frauds / self.payments, 1.0) if self.payments > 0 else 0.0


def fraud_rate(data: Dataset, curve: DelayCurve, at: int) -> FraudRate:
    """The rate of fraud of payments as they come, corrected for reports that are still to come.

    It is the whole window's, or the younger half's where that is surely another: a new pattern raises it for good.
    """
    whole = _counted(data, curve, at)
    young = _counted(data.take(data.time >= np.median(data.time)) if len(data) else data, curve, at)
    share = young.payments / whole.payments if whole.payments > 0 else 0.0
    if not 0 < share < 1 or whole.frauds < 1:
        return whole
    test = binomtest(min(round(young.frauds), round(whole.frauds)), round(whole.frauds), share)
    return young if test.pvalue < SURE else whole


def _counted(data: Dataset, curve: DelayCurve, at: int) -> FraudRate:
    frauds = float((1 / data.propensity[data.label == FRAUD]).sum())
    return FraudRate(frauds, exposure(curve, data.time, at), len(data))
