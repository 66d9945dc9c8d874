"""Features to actions: champion and shadow score, their policies choose."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fraud.batch import ENTITIES, Batch
from fraud.feature_spec import RISK, FeatureSpec
from fraud.pacing import Pacing
from service.ports import Float32s, Model, Models

Float64s = npt.NDArray[np.float64]
UInt8s = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ShadowView:
    """What the shadow says of n transactions: its scores and actions, which count for nothing."""

    model: Model
    score: Float32s
    action: UInt8s


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the champion says of n transactions.

    Attributes:
        model: the champion.
        features: float32 [n, d], what it saw.
        score: calibrated, float32 [n].
        raw: uncalibrated, float32 [n].
        action: uint8 [n], index into `fraud.policy.ACTIONS`.
        threshold: float64 [n].
        cost: float64 [n, 4].
        policy_version: of the champion's policy.
        shadow: the shadow's view, where there is one.
    """

    model: Model
    features: Float32s
    score: Float32s
    raw: Float32s
    action: UInt8s
    threshold: Float64s
    cost: Float64s
    policy_version: str
    shadow: ShadowView | None


def score(
    models: Models, spec: FeatureSpec, features: Float32s, batch: Batch
) -> tuple[Float32s, Float32s, Float32s | None]:
    """Calibrated and raw scores of the champion and calibrated ones of the shadow, each [n], of n transactions."""
    if not len(features):
        nothing = np.zeros(0, np.float32)
        return nothing, nothing, None if models.shadow is None else nothing
    calibrated, raw = models.champion.score(features)
    if models.shadow is None:
        return calibrated, raw, None
    return calibrated, raw, models.shadow.score(_with_risk(models.shadow, spec, features, batch))[0]


def judge(
    models: Models, scores: tuple[Float32s, Float32s, Float32s | None], features: Float32s, batch: Batch, pacing: Pacing
) -> tuple[Verdicts, Pacing]:
    """The actions for n transactions of one partition, in log order, and what is left of its review capacity."""
    calibrated, raw, shadow_score = scores
    chosen = models.champion.policy.decide(calibrated, batch.amount, time_us=batch.time, pacing=pacing)
    shadow = None
    if models.shadow is not None and shadow_score is not None:
        action = models.shadow.policy.decide(shadow_score, batch.amount).action
        shadow = ShadowView(models.shadow, shadow_score, action)
    verdicts = Verdicts(
        models.champion,
        features,
        calibrated,
        raw,
        chosen.action,
        chosen.threshold,
        chosen.cost,
        models.champion.policy_version,
        shadow,
    )
    return verdicts, chosen.pacing


def _with_risk(model: Model, spec: FeatureSpec, features: Float32s, batch: Batch) -> Float32s:
    """The features as this model would have seen them: its own risk tables in place of the champion's."""
    columns = spec.columns(RISK)
    if not columns:
        return features
    own = features.copy()
    for column in columns:
        entity = spec.features[column].source[1]
        own[:, column] = model.risk.lookup(entity, batch.ids[:, ENTITIES.index(entity)], batch.time)
    return own
