"""What drafts of controls would have done to past payments, counted: hits, frauds among them, money, good customers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from fraud.contracts.controls import Control
from fraud.contracts.inbound import Verdict
from fraud.controls.effects import Bools, Float64s, UInt8s
from fraud.controls.rulebook import Rulebook
from fraud.controls.state import Refused
from fraud.decisions.policy import ACTIONS

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


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """m past payments, decided on without the drafts and with them.

    Attributes:
        transaction_ids: [m].
        customer_ids: [m].
        event_times: [m], as the events have them.
        amount: float64 [m], base currency units.
        score: float64 [m].
        model_action: uint8 [m], index into `ACTIONS`: what the policy chose, levers among the drafts included.
        before: uint8 [m], the action without the drafts.
        after: uint8 [m], the action with them.
        fired: control's `id@version` -> bool [m], of every control, drafts included.
        uncomputed: the same name -> payments that it could not be computed for.
    """

    transaction_ids: Sequence[str]
    customer_ids: Sequence[str]
    event_times: Sequence[str]
    amount: Float64s
    score: Float64s
    model_action: UInt8s
    before: UInt8s
    after: UInt8s
    fired: Mapping[str, Bools]
    uncomputed: Mapping[str, int]


def propose_all(rulebook: Rulebook, drafts: Sequence[Control]) -> None:
    """Has drafts act in a rulebook as if they were live and approved.

    Raises:
        ValueError: one cannot act on this platform; one line with its name and what is wrong.
    """
    for draft in drafts:
        taken = rulebook.propose(draft)
        broken = taken.detail if isinstance(taken, Refused) else rulebook.broken.get(draft.control_id)
        if broken:
            raise ValueError(f"{draft.name}: {broken}")


class Tallying:
    """Counts share by share.

    Attributes:
        found: the outcome so far.
    """

    def __init__(self, drafts: Sequence[Control], verdict_of: Mapping[str, Verdict]) -> None:
        """Nothing counted yet.

        Args:
            drafts: whose hits are counted.
            verdict_of: transaction id -> verdict; empty where there are no labels.
        """
        self.found = Backtest([DraftTally(each.name) for each in drafts], levers=any(each.policy for each in drafts))
        self._verdict_of = verdict_of
        self._customers: dict[str, set[str]] = {draft.name: set() for draft in drafts}

    def add(self, past: Judged) -> None:
        """Takes in a share."""
        found, verdict = self.found, [self._verdict_of.get(transaction) for transaction in past.transaction_ids]
        fraud = np.array([said == "unauthorised" for said in verdict], np.bool_)
        good = np.array([said in {"genuine", "service"} for said in verdict], np.bool_)
        found.transactions += len(verdict)
        found.frauds += int(fraud.sum())
        flips = np.asarray(past.before != past.after)
        for row in np.flatnonzero(flips).tolist():
            found.flips[f"{ACTIONS[past.before[row]]} -> {ACTIONS[past.after[row]]}"] += 1
        found.flipped_amount += float(past.amount[flips].sum())
        chosen = flips.copy()
        for tally in found.drafts:
            tally.uncomputed += past.uncomputed.get(tally.name, 0)
            hit = past.fired.get(tally.name)
            if hit is None or not hit.any():
                continue
            chosen |= hit & (not found.flips)
            _add_hits(tally, hit, past, fraud=fraud, good=good)
            customers = self._customers[tally.name]
            customers.update(past.customer_ids[row] for row in np.flatnonzero(hit & good).tolist())
            tally.good_customers = len(customers)
        found.examples += _examples(past, chosen, verdict, EXAMPLES - len(found.examples))


def _add_hits(tally: DraftTally, hit: Bools, past: Judged, *, fraud: Bools, good: Bools) -> None:
    others = np.zeros(len(hit), np.bool_)
    for name, rows in past.fired.items():
        if name != tally.name:
            others |= rows
    tally.hits += int(hit.sum())
    tally.amount += float(past.amount[hit].sum())
    tally.frauds += int((hit & fraud).sum())
    tally.fraud_amount += float(past.amount[hit & fraud].sum())
    tally.only_here += int((hit & fraud & (past.before == 0) & ~others).sum())
    tally.good += int((hit & good).sum())
    tally.with_model += int((hit & (past.model_action != 0)).sum())
    tally.with_others += int((hit & others).sum())


def _examples(past: Judged, chosen: Bools, verdict: Sequence[Verdict | None], most: int) -> Iterator[Example]:
    for row in np.flatnonzero(chosen).tolist()[: max(most, 0)]:
        yield Example(
            past.transaction_ids[row],
            past.event_times[row],
            float(past.amount[row]),
            float(past.score[row]),
            ACTIONS[past.before[row]],
            ACTIONS[past.after[row]],
            verdict[row],
        )
