"""Features to actions: champion and shadow score, their policies choose."""

import numpy as np

from fraud.decisions.exploration import Exploration
from fraud.decoding.batch import ENTITIES, Batch
from fraud.features.spec import FeatureSpec
from service.batch import PartitionBatch
from service.partition import Partition
from service.ports import Float32s, Model, Models
from service.scored_batch import ScoredBatch, Scores, ShadowScores


def score(models: Models, spec: FeatureSpec, features: Float32s, batch: Batch) -> Scores:
    """Scores n transactions, features float32 [n, d], by champion and shadow."""
    if not len(features):
        nothing = np.zeros(0, np.float32)
        return Scores(nothing, nothing, None if models.shadow is None else nothing)
    calibrated, raw = models.champion.score(features)
    if models.shadow is None:
        return Scores(calibrated, raw, None)
    return Scores(calibrated, raw, models.shadow.score(_with_risk(models.shadow, spec, features, batch))[0])


def judge(
    models: Models,
    scores: Scores,
    part: PartitionBatch,
    partition: Partition,
    exploration: Exploration | None,
) -> ScoredBatch:
    """The actions for the scored transactions of one partition, in log order; takes from its capacity and budget."""
    champion, shadow, batch = models.champion, None, part.batch
    known = np.where(np.isfinite(scores.raw), scores.calibrated, np.float32(np.nan))
    chosen = champion.policy.decide(known, batch.amount, time_us=batch.time, review_budget=partition.review_budget)
    partition.review_budget = chosen.review_budget
    action, propensity = chosen.action, np.ones(len(chosen.action))
    if exploration is not None:
        explored = exploration.apply(
            action,
            transaction_ids=[event.transaction_id for event in part.events],
            amount_micro=batch.amount,
            time_us=batch.time,
            spent=partition.explored,
        )
        partition.explored = explored.spent
        action, propensity = explored.action, explored.propensity
    if models.shadow is not None and scores.shadow is not None:
        seen = models.shadow.policy.decide(scores.shadow, batch.amount)
        shadow = ShadowScores(models.shadow, seen.score, seen.unscored, seen.action)
    return ScoredBatch(
        model=champion,
        features=part.features,
        score=chosen.score,
        raw=np.where(chosen.unscored, chosen.score, scores.raw.astype(np.float64)),
        unscored=chosen.unscored,
        model_action=chosen.action,
        action=action,
        propensity=propensity,
        threshold=chosen.threshold,
        cost=chosen.cost,
        policy_version=champion.policy_version,
        shadow=shadow,
    )


def _with_risk(model: Model, spec: FeatureSpec, features: Float32s, batch: Batch) -> Float32s:
    """The features as this model would have seen them: its own risk tables in place of the champion's."""
    risky = spec.risk_columns()
    if not risky:
        return features
    own = features.copy()
    for entity, (columns, windows) in risky.items():
        risks = model.risk.lookup(entity, batch.ids[:, ENTITIES.index(entity)], batch.time)
        own[:, columns] = risks[:, windows]
    return own
