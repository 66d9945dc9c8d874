"""The worth of a vector of scores: every figure of an evaluation, from scores, labels and money alone.

Rows are payments whose label is known. `flagged` means: the policy's action is not allow.
"""

from dataclasses import dataclass, field, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud.decisions.policy import Policy
from fraud.money import MICRO

DAY_US: Final = 86_400_000_000
ENOUGH_FRAUDS: Final = 600
"""Below, a gap of a seventh cannot be told from chance; the figures are marked underpowered."""
CARDS_PER_DAY: Final = 100
BINS: Final = 15

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scored:
    """n scored payments with known labels.

    Attributes:
        score: float64 [n], calibrated probability of fraud.
        fraud: bool [n].
        time: int64 [n], event time, µs.
        amount: int64 [n], micro-units of the base currency.
        card: uint64 [n], the card, or the customer where there is none.
        customer: uint64 [n].
        component: int64 [n], payments that a bootstrap keeps together; the customer's by default.
        weight: float64 [n], payments that each stands for: 1 / propensity where it was drawn by lot; ones by default.
    """

    score: Floats
    fraud: Bools
    time: npt.NDArray[np.int64]
    amount: npt.NDArray[np.int64]
    card: npt.NDArray[np.uint64]
    customer: npt.NDArray[np.uint64]
    component: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    weight: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if len(self.component) != len(self.score):
            object.__setattr__(self, "component", np.unique(self.customer, return_inverse=True)[1].astype(np.int64))
        if len(self.weight) != len(self.score):
            object.__setattr__(self, "weight", np.ones(len(self.score)))

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: Bools) -> Self:
        """The chosen rows."""
        return type(self)(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


@dataclass(frozen=True, slots=True)
class Reliability:
    """Mean score and fraud rate in bins of equal size, ascending by score, all of shape [b]."""

    score: Floats
    rate: Floats
    count: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error: mean |score - rate|, by size of the bin (Guo et al., ICML 2017)."""
        return float(np.average(np.abs(self.score - self.rate), weights=self.count))


def figures(
    scored: Scored, policy: Policy, *, cards_per_day: int = CARDS_PER_DAY
) -> dict[str, float | int | bool | None]:
    """Every figure of an evaluation; None where it is not defined (one class only).

    Args:
        scored: the payments.
        policy: decides which are flagged, and what mistakes cost.
        cards_per_day: cards that can be looked at a day, for precision@k.
    """
    both = bool(scored.fraud.any() and not scored.fraud.all())
    measured: dict[str, float | int | bool | None] = {
        "rows": len(scored),
        "frauds": int(scored.fraud.sum()),
        "underpowered": int(scored.fraud.sum()) < ENOUGH_FRAUDS,
        "average_precision": float(average_precision_score(scored.fraud, scored.score)) if both else None,
        "roc_auc": float(roc_auc_score(scored.fraud, scored.score)) if both else None,
        "recall_at_0.5pct": recall_at_review(scored, 0.005),
        "recall_at_1pct": recall_at_review(scored, 0.01),
        "first_fraud_recall_at_1pct": first_fraud_recall(scored, 0.01),
        "recall_at_1pct_fpr": recall_at_false_positives(scored, 0.01),
        "card_precision_at_k": card_precision(scored, cards_per_day),
        "cards_per_day": cards_per_day,
        "ece": reliability(scored).ece,
    }
    return measured | at_policy(scored, policy)


def at_policy(scored: Scored, policy: Policy) -> dict[str, float | int | bool | None]:
    """The figures of the policy's decisions: what was flagged, caught, insulted, and what that was worth."""
    decided = policy.decide(scored.score, scored.amount, time_us=scored.time)
    flagged, fraud = decided.flagged, scored.fraud
    caught, wrong = int((flagged & fraud).sum()), int((flagged & ~fraud).sum())
    missed, right = int((~flagged & fraud).sum()), int((~flagged & ~fraud).sum())
    costs = policy.costs
    turned_away = np.array([0.0, costs.challenge_abandon, costs.review_wrong, 1.0])[decided.action]
    fraud_value = int(scored.amount[fraud].sum())
    return {
        "accuracy": (caught + right) / max(len(scored), 1),
        "precision": _share(caught, caught + wrong),
        "recall": _share(caught, caught + missed),
        "f1": _share(2 * caught, 2 * caught + wrong + missed),
        "flagged": caught + wrong,
        "flagged_rate": (caught + wrong) / max(len(scored), 1),
        "value_recall": _share(int(scored.amount[fraud & flagged].sum()), fraud_value),
        "false_positives_per_caught": wrong / caught if caught else None,
        # Expected share of good payments that are lost: blocked, given up when challenged, wrongly refused in review.
        "insult_rate": float(turned_away[~fraud].mean()) if wrong + right else None,
        "net_money_per_1000": net_money(scored, policy, decided.action) * 1000 / max(len(scored), 1),
    }


def net_money(scored: Scored, policy: Policy, action: npt.NDArray[np.uint8]) -> float:
    """What the actions saved against allowing everything, in base currency, by the policy's cost model."""
    return float(_saved(scored, policy, action).sum())


def money_saved(scored: Scored, policy: Policy) -> Floats:
    """What the policy's decision on each payment saves against allowing it, in base currency, float64 [n]."""
    return _saved(scored, policy, policy.decide(scored.score, scored.amount, time_us=scored.time).action)


def _saved(scored: Scored, policy: Policy, action: npt.NDArray[np.uint8]) -> Floats:
    genuine, fraud = policy.costs.lines(scored.amount / MICRO)
    cost = np.where(scored.fraud[:, None], fraud, genuine)
    return np.asarray(cost[:, 0] - cost[np.arange(len(scored)), action], np.float64)


def recall_at_review(scored: Scored, share: float) -> float | None:
    """Share of the frauds among the `share` of payments with the highest scores."""
    return _share(int(scored.fraud[_top(scored.score, share)].sum()), int(scored.fraud.sum()))


def recall_at_false_positives(scored: Scored, rate: float) -> float | None:
    """Recall at the lowest threshold that flags at most `rate` of the genuine payments."""
    genuine = np.sort(scored.score[~scored.fraud])[::-1]
    if len(genuine) == 0 or not scored.fraud.any():
        return None
    allowed = int(rate * len(genuine))
    threshold = genuine[allowed] if allowed < len(genuine) else -np.inf
    return float((scored.score[scored.fraud] > threshold).mean())


def first_fraud_recall(scored: Scored, share: float) -> float | None:
    """As `recall_at_review`, counting only the first fraudulent payment of each card: the one that stops the rest."""
    order = np.lexsort((scored.time, ~scored.fraud))
    rows = order[: int(scored.fraud.sum())]
    first = rows[np.unique(scored.card[rows], return_index=True)[1]]
    reviewed = np.zeros(len(scored), np.bool_)
    reviewed[_top(scored.score, share)] = True
    return _share(int(reviewed[first].sum()), len(first))


def card_precision(scored: Scored, k: int) -> float | None:
    """CardPrecision@k: share of compromised cards among the k riskiest of a day, mean over days.

    A card's score is its highest of the day; a card found once is not looked at again (Le Borgne et al.,
    "Reproducible Machine Learning for Credit Card Fraud Detection", chapter 4).
    """
    day = scored.time // DAY_US
    found: set[int] = set()
    precisions = []
    for today in np.unique(day):
        rows = np.flatnonzero(day == today)
        if found:
            rows = rows[~np.isin(scored.card[rows], np.fromiter(found, np.uint64, len(found)))]
        cards, place = np.unique(scored.card[rows], return_inverse=True)
        risk = np.full(len(cards), -np.inf)
        np.maximum.at(risk, place, scored.score[rows])
        compromised = np.bincount(place, weights=scored.fraud[rows], minlength=len(cards)) > 0
        looked = np.argsort(-risk, kind="stable")[:k]
        hits = cards[looked][compromised[looked]]
        precisions.append(len(hits) / k)
        found.update(hits.tolist())
    return float(np.mean(precisions)) if precisions else None


def reliability(scored: Scored, bins: int = BINS) -> Reliability:
    """Score against fraud rate in bins of equal size; fewer bins where scores are tied."""
    order = np.argsort(scored.score, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return Reliability(
        np.array([scored.score[part].mean() for part in parts]),
        np.array([scored.fraud[part].mean() for part in parts]),
        np.array([len(part) for part in parts], np.int64),
    )


def _top(score: Floats, share: float) -> npt.NDArray[np.intp]:
    count = int(np.ceil(share * len(score)))
    return np.argsort(-score, kind="stable")[:count]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
