"""Scores and actions of transactions, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.controls.effects import BLOCK, Ruled
from fraud.decisions.policy import ALLOW
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
        action: uint8 [m]: what is done; differs where rules or a lot say otherwise.
        propensity: float64 [m], probability of that, as far as lots decide.
        threshold: float64 [m].
        cost: float64 [m, 4].
        explore_share: float64 [m], share of allowed payments that levers send to review; None without levers.
        levers: names of the levers that stood in for the policy, [m]; None without any.
        uncomputed_levers: name -> payments that it could not act on.
        ruled: what rules and conditions did; None without any.
        controls_offset: position in the controls log.
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
    explore_share: Float64s | None = None
    levers: Sequence[tuple[str, ...]] | None = None
    uncomputed_levers: Mapping[str, int] = field(default_factory=dict)
    ruled: Ruled | None = None
    controls_offset: int = 0
    shadow: "ScoredBatch | None" = None

    @property
    def explored(self) -> Bools:
        """Bool [m], the would-be blocks that a lot let through to learn."""
        explored: Bools = (self.model_action == BLOCK) & (self.action == ALLOW) & (self.propensity < 1)
        return explored
