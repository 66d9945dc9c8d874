"""Precision of a policy that blocks what it flags, from the few blocks that were let through.

A blocked payment reports nothing, so the labels of a blocking policy are those of what it did *not* block. With
exploration a share ε of would-be blocks is let through, by a draw that does not depend on the payment; each of those
stands for 1 / ε payments (Horvitz and Thompson 1952; self-normalised, Hájek 1971):

    precision = Σ w y / Σ w,   w = 1 / propensity over flagged payments whose label is known
    effective sample size = (Σ w)² / Σ w²      (Kish 1965)
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A precision with its 90 % interval.

    Attributes:
        value, low, high: 0..1; NaN without any support.
        observed: payments it stands on.
        effective: as many equally weighted ones would say as much.
    """

    value: float
    low: float
    high: float
    observed: int
    effective: float


def weighted_precision(fraud: Bools, propensity: Floats, *, confidence: float = 0.9) -> Estimate:
    """Share of fraud among flagged payments, each observed one weighed by 1 / propensity.

    The interval is Wilson's, which stays inside 0..1 with few observations, at Kish's effective sample size or at the
    one that the weighted residuals Σ w² (y - p)² / (Σ w)² imply, whichever is smaller; with Student's quantile at as
    many degrees of freedom as there are payments that had been drawn, less one. Kish's alone covers too rarely: it
    knows nothing of how much the drawn payments differ from the others.

    Args:
        fraud: of the observed flagged payments, [n].
        propensity: probability with which each was let through to be observed, [n], in (0, 1].
        confidence: of the interval.
    """
    if len(fraud) == 0:
        return Estimate(float("nan"), 0.0, 1.0, 0, 0.0)
    weight = 1 / propensity
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    value = float((weight * fraud).sum() / weight.sum())
    implied = value * (1 - value) / max(float((weight**2 * (fraud - value) ** 2).sum() / weight.sum() ** 2), 1e-12)
    drawn = int((propensity < 1).sum())
    z = float(t.ppf((1 + confidence) / 2, max(drawn - 1, 1)) if drawn else norm.ppf((1 + confidence) / 2))
    size = max(min(effective, implied), 1.0)
    middle = (value + z**2 / (2 * size)) / (1 + z**2 / size)
    spread = z * np.sqrt(value * (1 - value) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return Estimate(value, max(middle - float(spread), 0.0), min(middle + float(spread), 1.0), len(fraud), effective)
