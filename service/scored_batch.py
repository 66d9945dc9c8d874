"""Scores and actions of transactions, as columns."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from service.ports import Model

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
UInt8s: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """Scores and actions of one model for the m scored transactions of a `PartitionBatch`, row by row.

    Attributes:
        model: who scored.
        score: calibrated, float64 [m], within 0..1; the threshold where the model gave none.
        raw: uncalibrated, float64 [m]; the same there.
        unscored: bool [m], where the model gave no score within 0..1.
        model_action: uint8 [m], index into `fraud.decisions.policy.ACTIONS`: what the policy chose.
        action: uint8 [m]: what is done; differs where a would-be block is let through to learn.
        propensity: float64 [m], probability of that.
        threshold: float64 [m].
        cost: float64 [m, 4].
        shadow: the same by the champion's shadow, which counts for nothing; None without one.
    """

    model: Model
    score: Float64s
    raw: Float64s
    unscored: Bools
    model_action: UInt8s
    action: UInt8s
    propensity: Float64s
    threshold: Float64s
    cost: Float64s
    shadow: "ScoredBatch | None" = None
