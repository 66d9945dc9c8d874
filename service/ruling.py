"""The rules' turn on a batch: what policies chose becomes what controls make of it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate

import numpy as np

from fraud.controls.effects import Payments
from fraud.controls.payment_facts import PaymentFacts
from fraud.controls.rulebook import Rulebook
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import ENTITIES, Batch
from fraud.decoding.own_fields import OwnFields
from fraud.money import Rates
from service.batch import PartitionBatch
from service.scored_batch import ScoredBatch

_CUSTOMER = ENTITIES.index("customer")


def apply_controls(
    rulebook: Rulebook,
    parts: Sequence[PartitionBatch],
    scored: Sequence[ScoredBatch],
    *,
    fields: OwnFields,
    rates: Rates,
) -> list[ScoredBatch]:
    """The scored transactions of all partitions under the rules: evaluated together, since most of it is per rule.

    Args:
        rulebook: the controls as they stand; the parts were encoded with what its rules ask for.
        parts: the transactions.
        scored: what the policies chose.
        fields: the shop's own.
        rates: of exchange.
    """
    offset = rulebook.offset
    if not rulebook.rules_anything or not any(len(each.action) for each in scored):
        return [replace(each, controls_offset=offset) for each in scored]
    ruled = rulebook.rule(*_payments(rulebook, parts, scored, fields, rates))
    ends = list(accumulate(len(each.action) for each in scored))
    shares = [ruled.rows(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return [
        replace(each, action=share.action, ruled=share, controls_offset=offset)
        for each, share in zip(scored, shares, strict=True)
    ]


def _payments(
    rulebook: Rulebook,
    parts: Sequence[PartitionBatch],
    scored: Sequence[ScoredBatch],
    fields: OwnFields,
    rates: Rates,
) -> tuple[Payments, PaymentFacts]:
    batch = Batch.concatenate(part.batch for part in parts)
    score = np.concatenate([np.where(each.unscored, np.nan, each.score) for each in scored])
    model_action = np.concatenate([each.model_action for each in scored])
    asked = np.concatenate([part.encoded.asked[part.places] for part in parts])
    facts = PaymentFacts(
        batch,
        cache(lambda: [part.transaction(row) for part in parts for row in range(len(part.rows))]),
        score=score,
        model_action=model_action,
        asked={source: asked[:, column] for column, source in enumerate(rulebook.measures)},
        vocabulary=rulebook.vocabulary,
        fields=fields,
        lists=rulebook.lists.lists,
        rates=rates,
    )
    payments = Payments(
        time=batch.time,
        amount=batch.amount,
        score=score,
        customer=batch.ids[:, _CUSTOMER],
        model_action=model_action,
        possible=frozenset(map(ACTIONS.index, scored[0].model.policy.actions)),
        hashes=facts.hashes,
    )
    return payments, facts
