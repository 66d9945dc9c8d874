"""Levers: what stands in for the bundle's policy until it expires, by event time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from fraud.contracts.controls import PolicyLevers
from fraud.controls.effects import Float64s, Int64s
from fraud.decisions.policy import CostModel, Policy, PolicyDecisions
from fraud.decisions.review_budget import Capacity, ReviewBudget


@dataclass(frozen=True, slots=True)
class Lever:
    """A live control of the kind policy.

    Attributes:
        name: `id@version`.
        span: event times in µs from which on, and until which, it holds.
        levers: what it sets.
    """

    name: str
    span: tuple[int, int]
    levers: PolicyLevers


@dataclass(frozen=True, slots=True)
class Levered:
    """What the policy chose under the levers.

    Attributes:
        chosen: the decisions.
        names: of the levers that held, one tuple a payment, [n].
        explore_share: float64 [n], share of allowed payments that is sent to review.
        uncomputed: name -> payments for which it names costs that the policy does not have, and so did nothing.
    """

    chosen: PolicyDecisions
    names: Sequence[tuple[str, ...]]
    explore_share: Float64s
    uncomputed: dict[str, int]


def decide_under(
    levers: Sequence[Lever],
    policy: Policy,
    score: npt.NDArray[np.floating],
    amount_micro: Int64s,
    *,
    time_us: Int64s,
    review_budget: ReviewBudget,
) -> Levered:
    """The policy's decisions on n ≥ 1 payments in log order; of two levers on one thing the later in the log holds.

    Runs of payments under the same levers are decided together, so that pacing sees the log's order.
    """
    parts: list[PolicyDecisions] = []
    names: list[tuple[str, ...]] = []
    shares: list[Float64s] = []
    uncomputed: dict[str, int] = {}
    budget = review_budget
    for start, stop, held in _runs(levers, time_us):
        rows, count = slice(start, stop), stop - start
        effective, failed = policy, set()
        for lever in held:
            try:
                effective = with_levers(effective, lever.levers)
            except ValidationError:
                failed.add(lever.name)
                uncomputed[lever.name] = uncomputed.get(lever.name, 0) + count
        chosen = effective.decide(score[rows], amount_micro[rows], time_us=time_us[rows], review_budget=budget)
        budget = chosen.review_budget
        parts.append(chosen)
        names += [tuple(lever.name for lever in held if lever.name not in failed)] * count
        set_shares = [lever.levers.explore_share for lever in held if lever.levers.explore_share is not None]
        shares.append(np.full(count, set_shares[-1] if set_shares else 0.0))
    return Levered(_joined(parts, budget), names, np.concatenate(shares), uncomputed)


def with_levers(policy: Policy, levers: PolicyLevers) -> Policy:
    """The policy with what the levers set in place of its own.

    Raises:
        ValidationError: they name a cost that it does not have, or set one out of its range.
    """
    changes: dict[str, Any] = {}
    if levers.flag_from is not None:
        changes["flag_from"] = levers.flag_from
    if levers.review_capacity is not None:
        capacity = policy.review_capacity or Capacity(per_day=levers.review_capacity)
        changes["review_capacity"] = capacity.model_copy(update={"per_day": levers.review_capacity})
    if levers.costs is not None:
        changes["costs"] = CostModel.model_validate({**policy.costs.model_dump(), **levers.costs})
    return policy.model_copy(update=changes)


def _runs(levers: Sequence[Lever], time_us: Int64s) -> Iterator[tuple[int, int, list[Lever]]]:
    """Consecutive rows under the same levers: start, stop, which."""
    held = np.stack([(time_us >= lever.span[0]) & (time_us < lever.span[1]) for lever in levers])
    edges = np.flatnonzero((held[:, 1:] != held[:, :-1]).any(axis=0)) + 1
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(time_us)], strict=True):
        yield start, stop, [lever for lever, holds in zip(levers, held[:, start].tolist(), strict=True) if holds]


def _joined(parts: Sequence[PolicyDecisions], budget: ReviewBudget) -> PolicyDecisions:
    return PolicyDecisions(
        np.concatenate([part.action for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.unscored for part in parts]),
        np.concatenate([part.threshold for part in parts]),
        np.concatenate([part.cost for part in parts]),
        budget,
    )
