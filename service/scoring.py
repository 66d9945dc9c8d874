"""Features to actions: champion and shadow score, their policies choose."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fraud.controls.levers import Lever, decide_under
from fraud.decisions.exploration import Exploration, sample_allowed
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
    models: Models, scores: Float32s, part: PartitionBatch, partition: Partition, levers: Sequence[Lever] = ()
) -> ScoredBatch:
    """What the policies choose for the m scored transactions of one partition, in log order; takes from its capacity.

    Args:
        models: who scored.
        scores: float32 [k, 2, m], see `score`.
        part: the transactions.
        partition: theirs.
        levers: what stands in for the champion's policy, in the order of the controls log.
    """
    champion, batch = models.champion, part.batch
    calibrated, raw = scores[0]
    known = np.where(np.isfinite(raw), calibrated, np.float32(np.nan))
    budget = partition.review_budget
    if levers and len(batch):
        levered = decide_under(levers, champion.policy, known, batch.amount, time_us=batch.time, review_budget=budget)
        scored = replace(
            _scored(champion, raw, levered.chosen),
            levers=levered.names,
            explore_share=levered.explore_share,
            uncomputed_levers=levered.uncomputed,
        )
        partition.review_budget = levered.chosen.review_budget
    else:
        chosen = champion.policy.decide(known, batch.amount, time_us=batch.time, review_budget=budget)
        partition.review_budget = chosen.review_budget
        scored = _scored(champion, raw, chosen)
    if models.shadow is not None:
        calibrated, raw = scores[1]
        seen = models.shadow.policy.decide(calibrated, batch.amount)
        scored = replace(scored, shadow=_scored(models.shadow, raw, seen))
    return scored


def draw_lots(
    scored: ScoredBatch,
    part: PartitionBatch,
    partition: Partition,
    *,
    exploration: Exploration | None,
    lots: bytes | None,
) -> ScoredBatch:
    """The actions after lots, in log order; takes from the partition's budget. What a control ruled is left alone.

    Args:
        scored: what policy and rules say.
        part: the transactions.
        partition: theirs.
        exploration: which would-be blocks are let through; None for none.
        lots: key of the lot by which allowed payments are sent to review; without one none are.
    """
    ids = part.transaction_ids
    if exploration is not None:
        ruled = scored.ruled.ruled if scored.ruled is not None else np.zeros(len(scored.action), np.bool_)
        open_to_lot = np.flatnonzero(~ruled)
        explored = exploration.apply(
            scored.action[open_to_lot],
            transaction_ids=[ids[row] for row in open_to_lot.tolist()],
            amount_micro=part.batch.amount[open_to_lot],
            time_us=part.batch.time[open_to_lot],
            spent=partition.explored,
        )
        partition.explored = explored.spent
        action, propensity = scored.action.copy(), scored.propensity.copy()
        action[open_to_lot], propensity[open_to_lot] = explored.action, explored.propensity
        scored = replace(scored, action=action, propensity=propensity)
    if scored.explore_share is not None and lots is not None:
        untouched = scored.propensity == 1  # not what the first lot has let through
        action, propensity = sample_allowed(
            scored.action, np.where(untouched, scored.explore_share, 0.0), transaction_ids=ids, secret=lots
        )
        scored = replace(scored, action=action, propensity=scored.propensity * propensity)
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
