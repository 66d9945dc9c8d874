"""Features to actions: champion and shadow score, their policies choose."""

from dataclasses import replace

import numpy as np

from fraud.decisions.exploration import Exploration
from fraud.decisions.policy import PolicyDecisions
from fraud.decoding.batch import ENTITIES, Batch
from fraud.features.spec import FeatureSpec
from service.batch import PartitionBatch
from service.partition import Partition
from service.ports import Float32s, Model, Models
from service.scored_batch import ScoredBatch


def score(models: Models, spec: FeatureSpec, features: Float32s, batch: Batch) -> Float32s:
    """Scores n transactions, features float32 [n, d].

    Returns:
        float32 [k, 2, n]: calibrated and raw, by the champion and then by the shadow where there is one.
    """
    champion, shadow = models.champion, models.shadow
    if not len(features):
        return np.zeros((1 if shadow is None else 2, 2, 0), np.float32)
    scores = [champion.score(features)]
    if shadow is not None:
        scores.append(shadow.score(_with_risk(shadow, spec, features, batch)))
    return np.array(scores)


def choose_actions(
    models: Models,
    scores: Float32s,
    part: PartitionBatch,
    partition: Partition,
    exploration: Exploration | None,
) -> ScoredBatch:
    """The actions for the m scored transactions of one partition, in log order; takes from its capacity and budget.

    Args:
        models: who scored.
        scores: float32 [k, 2, m], see `score`.
        part: the transactions.
        partition: theirs.
        exploration: what is let through to learn; None for nothing.
    """
    champion, batch = models.champion, part.batch
    calibrated, raw = scores[0]
    known = np.where(np.isfinite(raw), calibrated, np.float32(np.nan))
    chosen = champion.policy.decide(known, batch.amount, time_us=batch.time, review_budget=partition.review_budget)
    partition.review_budget = chosen.review_budget
    scored = _scored(champion, raw, chosen)
    if exploration is not None:
        explored = exploration.apply(
            chosen.action,
            transaction_ids=part.transaction_ids,
            amount_micro=batch.amount,
            time_us=batch.time,
            spent=partition.explored,
        )
        partition.explored = explored.spent
        scored = replace(scored, action=explored.action, propensity=explored.propensity)
    if models.shadow is not None:
        calibrated, raw = scores[1]
        seen = models.shadow.policy.decide(calibrated, batch.amount)
        scored = replace(scored, shadow=_scored(models.shadow, raw, seen))
    return scored


def _scored(model: Model, raw: Float32s, chosen: PolicyDecisions) -> ScoredBatch:
    """A model's scores with what its policy chose."""
    return ScoredBatch(
        model=model,
        score=chosen.score,
        raw=np.where(chosen.unscored, chosen.score, raw.astype(np.float64)),
        unscored=chosen.unscored,
        model_action=chosen.action,
        action=chosen.action,
        propensity=np.ones(len(chosen.action)),
        threshold=chosen.threshold,
        cost=chosen.cost,
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
