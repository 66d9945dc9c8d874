"""What models and policies say of transactions, as columns."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from service.ports import Float32s, Model

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
UInt8s: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ShadowScores:
    """What the shadow says of n transactions: its scores and actions, which count for nothing."""

    model: Model
    score: Float64s
    unscored: Bools
    action: UInt8s


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """What the champion says of n transactions.

    Attributes:
        model: the champion.
        features: float32 [n, d], what it saw.
        score: calibrated, float64 [n], within 0..1; the threshold where the model gave none.
        raw: uncalibrated, float64 [n]; the same there.
        unscored: bool [n], where the model gave no score within 0..1.
        model_action: uint8 [n], index into `fraud.decisions.policy.ACTIONS`: what the policy chose.
        action: uint8 [n]: what is done; differs where a would-be block is let through to learn.
        propensity: float64 [n], probability of that.
        threshold: float64 [n].
        cost: float64 [n, 4].
        policy_version: of the champion's policy.
        shadow: the shadow's view, where there is one.
    """

    model: Model
    features: Float32s
    score: Float64s
    raw: Float64s
    unscored: Bools
    model_action: UInt8s
    action: UInt8s
    propensity: Float64s
    threshold: Float64s
    cost: Float64s
    policy_version: str
    shadow: ShadowScores | None


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n transactions, each float32 [n].

    Attributes:
        calibrated: the champion's.
        raw: the champion's, before calibration.
        shadow: the shadow's, calibrated; None without one.
    """

    calibrated: Float32s
    raw: Float32s
    shadow: Float32s | None

    def take(self, rows: slice) -> "Scores":
        """The scores of some of them."""
        return Scores(self.calibrated[rows], self.raw[rows], None if self.shadow is None else self.shadow[rows])
