"""What drafts of controls would have done to past payments, beside the model and the controls that act already."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from fraud.contracts.controls import Control
from fraud.contracts.inbound import Verdict
from fraud.controls.effects import Bools
from fraud.controls.state import Refused
from fraud.decisions.policy import ACTIONS
from fraud.money import MICRO
from runtime.errors import Misconfigured
from service.batch import PartitionBatch
from service.pipeline import Pipeline
from service.ports import Models, Records
from service.scored_batch import ScoredBatch

EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Example:
    """A payment whose action a draft flips, or that it hits."""

    transaction_id: str
    event_time: str
    amount: float
    score: float
    before: str
    after: str
    verdict: str | None


@dataclass
class DraftTally:
    """One draft's account.

    Attributes:
        name: `id@version`.
        hits: payments that it fired on.
        amount: money in them, base currency units.
        uncomputed: payments that it could not be computed for.
        frauds: hits with the verdict unauthorised.
        fraud_amount: money in those.
        only_here: frauds among them that neither the model nor another control had flagged.
        good: hits known as genuine or as a matter of service.
        good_customers: different customers among those.
        with_model: hits that the model's policy flags by itself.
        with_others: hits on which another control fired too.
    """

    name: str
    hits: int = 0
    amount: float = 0.0
    uncomputed: int = 0
    frauds: int = 0
    fraud_amount: float = 0.0
    only_here: int = 0
    good: int = 0
    good_customers: int = 0
    with_model: int = 0
    with_others: int = 0


@dataclass
class Backtest:
    """The outcome.

    Attributes:
        drafts: one tally each, in the order given.
        flips: "before -> after" -> payments whose action differs from what the present controls give.
        flipped_amount: money in those, base currency units.
        examples: the first of those that flip, and of a draft without flips the first that it hits.
        transactions: replayed.
        frauds: among them by verdict, over all.
        levers: whether a draft is a lever: its work shows in the flips only.
    """

    drafts: Sequence[DraftTally]
    flips: Counter[str] = field(default_factory=Counter)
    flipped_amount: float = 0.0
    examples: list[Example] = field(default_factory=list)
    transactions: int = 0
    frauds: int = 0
    levers: bool = False


def backtest(
    shares: Iterable[Records],
    pipelines: tuple[Pipeline, Pipeline],
    drafts: Sequence[Control],
    models: Models,
    verdict_of: Mapping[str, Verdict],
) -> Backtest:
    """Runs the records through two pipelines, with and without the drafts: each has histories and budgets of its own.

    Args:
        shares: the records, in log order.
        pipelines: without and with the drafts, both at the beginning of the log and under the same controls otherwise.
        drafts: they take part as if they were live and approved.
        models: who score.
        verdict_of: transaction id -> verdict; empty where there are no labels.

    Raises:
        Misconfigured: a draft cannot act on this platform.
    """
    before, after = pipelines
    for draft in drafts:
        taken = after.rulebook.propose(draft)
        broken = taken.detail if isinstance(taken, Refused) else after.rulebook.broken.get(draft.control_id)
        if broken:
            raise Misconfigured(f"{draft.name}: {broken}")
    found = Backtest([DraftTally(draft.name) for draft in drafts], levers=any(draft.policy for draft in drafts))
    customers: dict[str, set[str]] = {draft.name: set() for draft in drafts}
    for share in shares:
        was, would = before.process([share], models, 0), after.process([share], models, 0)
        for part, old, new in zip(would.parts, was.scored, would.scored, strict=True):
            _add(found, customers, part, (old, new), verdict_of)
    for tally in found.drafts:
        tally.good_customers = len(customers[tally.name])
    return found


def _add(
    found: Backtest,
    customers: Mapping[str, set[str]],
    part: PartitionBatch,
    scored: tuple[ScoredBatch, ScoredBatch],
    verdict_of: Mapping[str, Verdict],
) -> None:
    old, new = scored
    verdict = [verdict_of.get(transaction) for transaction in part.transaction_ids]
    fraud = np.array([said == "unauthorised" for said in verdict], np.bool_)
    good = np.array([said in {"genuine", "service"} for said in verdict], np.bool_)
    amounts = part.batch.amount / MICRO
    found.transactions += len(verdict)
    found.frauds += int(fraud.sum())
    flips = np.asarray(old.action != new.action)
    for row in np.flatnonzero(flips).tolist():
        found.flips[f"{ACTIONS[old.action[row]]} -> {ACTIONS[new.action[row]]}"] += 1
    found.flipped_amount += float(amounts[flips].sum())
    chosen = flips.copy()
    for tally in found.drafts:
        hit = _hits(new, tally.name)
        if not hit.any():
            tally.uncomputed += new.ruled.uncomputed.get(tally.name, 0) if new.ruled is not None else 0
            continue
        chosen |= hit & (not found.flips)
        _add_hits(tally, hit, (old, new), amounts=amounts, fraud=fraud, good=good)
        customers[tally.name].update(part.customer_ids[row] for row in np.flatnonzero(hit & good).tolist())
    found.examples += _examples(part, (old, new), chosen, verdict, EXAMPLES - len(found.examples))


def _add_hits(
    tally: DraftTally,
    hit: Bools,
    scored: tuple[ScoredBatch, ScoredBatch],
    *,
    amounts: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    fraud: Bools,
    good: Bools,
) -> None:
    old, new = scored
    ruled = new.ruled
    if ruled is not None:
        tally.uncomputed += ruled.uncomputed.get(tally.name, 0)
    others = np.zeros(len(hit), np.bool_)
    for name, rows in (ruled.fired if ruled is not None else {}).items():
        if name != tally.name:
            others |= rows
    tally.hits += int(hit.sum())
    tally.amount += float(amounts[hit].sum())
    tally.frauds += int((hit & fraud).sum())
    tally.fraud_amount += float(amounts[hit & fraud].sum())
    tally.only_here += int((hit & fraud & (old.action == 0) & ~others).sum())
    tally.good += int((hit & good).sum())
    tally.with_model += int((hit & (new.model_action != 0)).sum())
    tally.with_others += int((hit & others).sum())


def _hits(scored: ScoredBatch, name: str) -> Bools:
    none = np.zeros(len(scored.action), np.bool_)
    return none if scored.ruled is None else scored.ruled.fired.get(name, none)


def _examples(
    part: PartitionBatch,
    scored: tuple[ScoredBatch, ScoredBatch],
    chosen: Bools,
    verdict: Sequence[Verdict | None],
    most: int,
) -> Iterator[Example]:
    old, new = scored
    for row in np.flatnonzero(chosen).tolist()[: max(most, 0)]:
        yield Example(
            part.transaction_ids[row],
            part.event_times[row],
            float(part.batch.amount[row]) / MICRO,
            float(new.score[row]),
            ACTIONS[old.action[row]],
            ACTIONS[new.action[row]],
            verdict[row],
        )
