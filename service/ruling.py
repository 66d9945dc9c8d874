"""The rules' turn on a batch: what policies chose becomes what controls make of it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate

import numpy as np

from fraud.controls.effects import Payments
from fraud.controls.facts import Facts
from fraud.controls.rulebook import Rulebook
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import ENTITIES, Batch
from service.batch import PartitionBatch
from service.scored_batch import ScoredBatch

_CUSTOMER = ENTITIES.index("customer")


def apply_controls(
    rulebook: Rulebook, parts: Sequence[PartitionBatch], scored: Sequence[ScoredBatch], *, own: Collection[str]
) -> list[ScoredBatch]:
    """The scored transactions of all partitions under the rules: evaluated together, since most of it is per rule."""
    offset = rulebook.offset
    if not rulebook.rules_anything or not any(len(each.action) for each in scored):
        return [replace(each, controls_offset=offset) for each in scored]
    ruled = rulebook.rule(_payments(parts, scored, own))
    ends = list(accumulate(len(each.action) for each in scored))
    shares = [ruled.rows(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return [
        replace(each, action=share.action, ruled=share, controls_offset=offset)
        for each, share in zip(scored, shares, strict=True)
    ]


def _payments(parts: Sequence[PartitionBatch], scored: Sequence[ScoredBatch], own: Collection[str]) -> Payments:
    batch = Batch.concatenate(part.batch for part in parts)
    events = cache(lambda: [part.transaction(row) for part in parts for row in range(len(part.rows))])
    score = np.concatenate([np.where(each.unscored, np.nan, each.score) for each in scored])
    model_action = np.concatenate([each.model_action for each in scored])
    facts = Facts(batch, events, score=score, model_action=model_action, own=own)
    return Payments(
        time=batch.time,
        amount=batch.amount,
        score=score,
        customer=batch.ids[:, _CUSTOMER],
        model_action=model_action,
        possible=frozenset(map(ACTIONS.index, scored[0].model.policy.actions)),
        text=facts.text,
        facts=facts,
    )
