"""From a calibrated score to an action: the cheapest of allow, challenge, review and block.

With p the probability of fraud, a the amount (at least the exposure floor), and

    loss   = a (1 - recovery) + chargeback fee      what a fraud that gets through costs
    insult = a margin + churn                       what refusing a good customer costs

the expected costs are linear in p:

    allow      p loss
    challenge  fee + (1 - p) abandon a margin + p pass loss
    review     minutes x price + (1 - p) insult x wrong + p miss loss
    block      (1 - p) insult

Source: cost-sensitive decisions, Elkan, "The foundations of cost-sensitive learning" (IJCAI 2001).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fraud.contracts.inbound import Action, RiskLevel
from fraud.decisions.review_budget import Capacity, ReviewBudget
from fraud.money import MICRO

ACTIONS: Final[tuple[Action, ...]] = ("allow", "challenge", "review", "block")
ALLOW: Final = 0
REVIEW: Final = 2
LEVELS: Final[tuple[RiskLevel, ...]] = ("low", "medium", "high", "critical")

_UNSCORED: Final = np.array([3.0, 1.0, 0.0, 2.0])
"""The order of `ACTIONS` for a payment without a score: somebody looks, or the customer proves who he is; only a shop
that can do neither refuses it. In place of costs, so that the capacity for reviews holds here too."""

_EXAMPLES: Final = (10, 50, 200, 1000)
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Money: TypeAlias = Annotated[float, Field(ge=0)]
Float64s: TypeAlias = npt.NDArray[np.float64]


class InvalidPolicy(Exception):  # noqa: N818 - as `InvalidEvent`
    """A `policy.json` that cannot be used; one line that says why."""


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CostModel(_Facts):
    """What mistakes cost; money in units of the base currency."""

    recovery: Share = Field(0.1, description="share of a lost amount that is won back")
    chargeback_fee: Money = Field(20.0, description="fee of a chargeback")
    margin: Share = Field(0.25, description="profit as a share of the amount")
    churn: Money = Field(8.0, description="future profit lost by refusing a good customer")
    challenge_fee: Money = Field(0.05, description="price of asking for a second factor")
    challenge_abandon: Share = Field(0.08, description="good customers who give up when challenged")
    challenge_pass: Share = Field(0.15, description="frauds that pass the challenge")
    review_minutes: Money = Field(5.0, description="minutes of an analyst for a review")
    review_price: Money = Field(0.6, description="price of an analyst's minute")
    review_wrong: Share = Field(0.04, description="good payments that a review refuses")
    review_miss: Share = Field(0.08, description="frauds that a review lets through")
    exposure_floor: Money = Field(20.0, description="amounts below count as this much: a tiny one tests a card")

    def lines(self, amounts: Float64s) -> tuple[Float64s, Float64s]:
        """Costs at p = 0 and at p = 1 of each action, both float64 [n, 4], for amounts in units, [n]."""
        exposed = np.maximum(amounts, self.exposure_floor)
        loss = exposed * (1 - self.recovery) + self.chargeback_fee
        insult = amounts * self.margin + self.churn
        none = np.zeros_like(amounts)
        review = self.review_minutes * self.review_price
        genuine = [none, self.challenge_fee + self.challenge_abandon * amounts * self.margin,
                   review + self.review_wrong * insult, insult]  # fmt: skip
        fraud = [loss, self.challenge_fee + self.challenge_pass * loss, review + self.review_miss * loss, none]
        return np.column_stack(genuine), np.column_stack(fraud)


@dataclass(frozen=True, slots=True)
class PolicyDecisions:
    """What to do with n transactions.

    Attributes:
        action: uint8 [n], index into `ACTIONS`.
        score: float64 [n], as given; the threshold where that was no score within 0..1.
        unscored: bool [n], where it was none.
        threshold: float64 [n], score from which a transaction of that amount is no longer allowed.
        cost: float64 [n, 4], expected cost of each action in units of the base currency.
        review_budget: what is left of the review capacity afterwards.
    """

    action: npt.NDArray[np.uint8]
    score: Float64s
    unscored: npt.NDArray[np.bool_]
    threshold: Float64s
    cost: Float64s
    review_budget: ReviewBudget

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """Bool [n]: every action but allow raises an alert."""
        return np.not_equal(self.action, ALLOW)


class Policy(_Facts):
    """The content of `policy.json`: costs, capacity, and why."""

    base_currency: str = Field(description="currency of all money in here")
    costs: CostModel = Field(description="inputs of the decision")
    actions: tuple[Action, ...] = Field(ACTIONS, description="actions that the shop can take; allow is always one")
    flag_from: Share = Field(0.0, description="nothing below this score is flagged, whatever it costs")
    levels: tuple[Share, Share, Share] = Field((0.1, 0.4, 0.8), description="scores where the risk levels begin")
    review_capacity: Capacity | None = Field(None, description="reviews a day; absent: as many as are worth it")
    reasoning: str = Field(description="for people: what follows from the costs")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if "allow" not in self.actions:
            raise ValueError("actions must name allow")
        if list(self.levels) != sorted(self.levels):
            raise ValueError("levels must ascend")
        return self

    @classmethod
    def default(cls, base_currency: str = "USD") -> Self:
        """The policy of a shop that has not said what its mistakes cost."""
        return cls.from_costs(CostModel(), base_currency=base_currency)

    @classmethod
    def from_costs(
        cls,
        costs: CostModel,
        *,
        base_currency: str = "USD",
        actions: Sequence[Action] = ACTIONS,
        flag_from: float = 0.0,
        review_capacity: Capacity | None = None,
    ) -> Self:
        """The policy that follows from costs, with its reasoning in words."""
        policy = cls(
            base_currency=base_currency,
            costs=costs,
            actions=tuple(actions),
            flag_from=flag_from,
            review_capacity=review_capacity,
            reasoning="",
        )
        return policy.model_copy(update={"reasoning": _reasoning(policy)})

    @classmethod
    def parse(cls, content: str | bytes) -> Self:
        """The policy of a `policy.json`.

        Raises:
            InvalidPolicy: when it is not one.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InvalidPolicy(f"policy.json: {place}: {first['msg']}") from error

    @property
    def version(self) -> str:
        """Changes with anything that decides."""
        return hashlib.sha256(self.model_dump_json(exclude={"reasoning"}).encode()).hexdigest()[:12]

    def decide(
        self,
        score: npt.ArrayLike,
        amount_micro: npt.ArrayLike,
        *,
        time_us: npt.ArrayLike | None = None,
        review_budget: ReviewBudget | None = None,
    ) -> PolicyDecisions:
        """The cheapest action of each transaction; of one without a score, the first that can be taken of `_UNSCORED`.

        Args:
            score: calibrated probability of fraud, [n]; what is not within 0..1 counts as none.
            amount_micro: micro-units of the base currency, [n].
            time_us: event times in µs, [n]; needed for review_budget.
            review_budget: what is left of the review capacity; a full one when absent.
        """
        scores = np.asarray(score, np.float64)
        unscored = ~((scores >= 0) & (scores <= 1))
        genuine, fraud = self.costs.lines(np.asarray(amount_micro, np.float64) / MICRO)
        allowed = np.array([name in self.actions for name in ACTIONS])
        threshold = self._threshold(genuine, fraud, allowed)
        scores = np.where(unscored, threshold, scores)
        cost = genuine + (fraud - genuine) * scores[:, None]
        choice = np.where(allowed, np.where(unscored[:, None], _UNSCORED, cost), np.inf)
        choice[scores < self.flag_from, ALLOW + 1 :] = np.inf
        action = choice.argmin(axis=1).astype(np.uint8)
        left = review_budget or ReviewBudget()
        if self.review_capacity is not None and time_us is not None:
            left = _pace(action, choice, np.asarray(time_us, np.int64), self.review_capacity, left)
        return PolicyDecisions(action, scores, unscored, threshold, cost, left)

    def risk_level(self, score: float) -> RiskLevel:
        """A coarse level for people."""
        return LEVELS[sum(score >= level for level in self.levels)]

    def _threshold(self, genuine: Float64s, fraud: Float64s, allowed: npt.NDArray[np.bool_]) -> Float64s:
        """Where the line of allow first meets another action's: p = g / (loss - f + g)."""
        gain = fraud[:, :1] - fraud + genuine
        meets = np.divide(genuine, gain, out=np.ones_like(gain), where=gain > 0)
        others = np.where(allowed, meets, 1.0)[:, ALLOW + 1 :]
        lowest: Float64s = np.clip(others.min(axis=1), self.flag_from, 1.0)
        return lowest


def _pace(
    action: npt.NDArray[np.uint8],
    choice: Float64s,
    time_us: npt.NDArray[np.int64],
    capacity: Capacity,
    review_budget: ReviewBudget,
) -> ReviewBudget:
    """Replaces the reviews that capacity does not allow, in the given order, by the next cheapest action."""
    for row in np.flatnonzero(action == REVIEW).tolist():
        possible, review_budget = review_budget.take(int(time_us[row]), capacity)
        if not possible:
            choice[row, REVIEW] = np.inf
            action[row] = choice[row].argmin()
    return review_budget


def _reasoning(policy: Policy) -> str:
    amounts = np.array(_EXAMPLES, np.float64)
    scores = np.linspace(0, 1, 1001)
    sentences = [
        "Each payment takes the action with the lowest expected cost, from its amount and probability of fraud.",
    ]
    for amount in amounts:
        actions = policy.decide(scores, np.full(len(scores), amount * MICRO)).action
        starts = [i for i in range(len(actions)) if i == 0 or actions[i] != actions[i - 1]]
        steps = ", ".join(f"{ACTIONS[actions[i]]} from {scores[i]:.1%}" for i in starts)
        sentences.append(f"{amount:.0f} {policy.base_currency}: {steps}.")
    if policy.review_capacity is not None:
        sentences.append(
            f"At most {policy.review_capacity.per_day:g} reviews a day, paced by the hour of the week; past that, the "
            "next cheapest action."
        )
    return " ".join(sentences)
