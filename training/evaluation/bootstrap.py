"""Paired bootstrap by customer: how sure a difference between two models is.

Customers, not payments, are drawn with replacement, since one customer's payments are alike. Both models are measured
on the same draw, so that what they share cancels out (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from training.evaluation.scores import Scored

Floats: TypeAlias = npt.NDArray[np.float64]
REPEATS: Final = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval that holds `confidence` of the bootstrap's draws."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """For metrics.json."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows sorted by falling score, ready to be weighed again and again.

    Attributes:
        fraud: float64 [n], 1 for fraud, in that order.
        customer: intp [n], number of the row's customer.
        ends: intp [n], last row with an equal score: tied rows count as one step.
        above: float64 [n], 1 where the score is above zero.
    """

    fraud: Floats
    customer: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    above: Floats

    @classmethod
    def of(cls, score: Floats, fraud: npt.NDArray[np.bool_], customer: npt.NDArray[np.intp]) -> "Ranking":
        """The ranking of one model's scores."""
        order = np.argsort(-score, kind="stable")
        ordered = score[order]
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        ends = last[np.searchsorted(last, np.arange(len(order)))]
        return cls(fraud[order].astype(np.float64), customer[order], ends, (ordered > 0).astype(np.float64))

    def average_precision(self, weight: Floats) -> float:
        """Σ (R_i - R_{i-1}) P_i with weighted customers. `weight` is float64 [customers]."""
        w = weight[self.customer]
        hits = np.cumsum(w * self.fraud)
        if hits[-1] == 0:
            return float("nan")
        precision = hits[self.ends] / np.maximum(np.cumsum(w)[self.ends], 1e-12)
        return float((w * self.fraud * precision).sum() / hits[-1])

    def recall_at_1pct(self, weight: Floats) -> float:
        """Share of the weighted frauds in the first hundredth of the weight."""
        w = weight[self.customer]
        hits = np.cumsum(w * self.fraud)
        if hits[-1] == 0:
            return float("nan")
        total = np.cumsum(w)
        within = int(np.searchsorted(total, 0.01 * total[-1], side="left"))
        return float(hits[min(within, len(hits) - 1)] / hits[-1])

    def recall_at_budget(self, weight: Floats) -> float:
        """Share of the weighted frauds whose score is above zero, where the scores' zero is the end of the budget."""
        frauds = weight[self.customer] * self.fraud
        return float((frauds * self.above).sum() / frauds.sum()) if frauds.any() else float("nan")


Measure: TypeAlias = Callable[[Ranking, Floats], float]
MEASURES: Final[dict[str, Measure]] = {
    "average_precision": Ranking.average_precision,
    "recall_at_1pct": Ranking.recall_at_1pct,
}
"""Of any scores."""

GATED: Final[dict[str, Measure]] = MEASURES | {"recall_at_budget": Ranking.recall_at_budget}
"""What a gate may compare: scores whose zero means something, too."""


def interval(scored: Scored, measure: str, *, seed: int, repeats: int = REPEATS, confidence: float = 0.9) -> Interval:
    """One model's figure with its interval."""
    rankings, weights = _prepared(scored, [scored.score], seed, repeats)
    of = MEASURES[measure]
    return _interval(of(rankings[0], np.ones(weights.shape[1])), [of(rankings[0], w) for w in weights], confidence)


def difference(
    scored: Scored, other: Floats, measure: str, *, seed: int, repeats: int = REPEATS, confidence: float = 0.9
) -> Interval:
    """How much better `scored` is than another model's scores of the same rows.

    Args:
        scored: rows with the first model's scores.
        other: float64 [n], the second model's.
        measure: a name in `GATED`.
        seed: of the draws.
        repeats: number of draws.
        confidence: share of the draws inside the interval.
    """
    rankings, weights = _prepared(scored, [scored.score, other], seed, repeats)
    of = GATED[measure]
    once = np.ones(weights.shape[1])
    draws = [of(rankings[0], w) - of(rankings[1], w) for w in weights]
    return _interval(of(rankings[0], once) - of(rankings[1], once), draws, confidence)


def _prepared(scored: Scored, scores: list[Floats], seed: int, repeats: int) -> tuple[list[Ranking], Floats]:
    customers, place = np.unique(scored.customer, return_inverse=True)
    place = place.astype(np.intp)
    random = np.random.default_rng(seed)
    share = np.full(len(customers), 1 / max(len(customers), 1))
    weights = random.multinomial(len(customers), share, size=repeats).astype(np.float64)
    return [Ranking.of(score, scored.fraud, place) for score in scores], weights


def _interval(value: float, draws: list[float], confidence: float) -> Interval:
    known = np.array([draw for draw in draws if not np.isnan(draw)])
    if len(known) == 0:
        return Interval(value, float("-inf"), float("inf"))
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
