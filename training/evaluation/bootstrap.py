"""Paired bootstrap by episode: how sure a figure is, and a difference between two models.

Connected components of customer, card, device and address are drawn with replacement, not payments and not customers:
frauds of one episode are alike, and most attempts of an episode have a new customer, so that intervals by customer are
1.3 to 2.1 times too narrow. Both models are measured on the same draw, so that what they share cancels out (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8 for clusters). A component's weight in a draw is a
Poisson(1) number: the multinomial's limit, which needs no pass over all of them (Chamandy et al., "Estimating
Uncertainty for Massive Data Streams", 2012).

Rows only count through how many of them stand above each fraud, so that all draws together are one matrix product.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from training.evaluation.scores import Scored

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.intp]

REPEATS: Final = 1_000
GENUINE_UNITS: Final = 2_000
"""Components without fraud are drawn in so many groups: sums of independent groups vary as their members' do."""

HELD: Final = 4_000_000
"""Weights of units in draws that are held in memory at once, 32 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval that holds `confidence` of the bootstrap's draws.

    Attributes:
        value: of all rows.
        low, high: ends of the interval.
        error: standard error, the draws' standard deviation.
        clusters: components with fraud, as if all were of equal size (Kish 1965): what the figure stands on.
    """

    value: float
    low: float
    high: float
    error: float = float("nan")
    clusters: float = 0.0

    def as_json(self) -> dict[str, float]:
        """For metrics.json."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Ranking:
    """One model's scores as u units of rows and m steps: the distinct scores of frauds, falling.

    Attributes:
        frauds: float64 [m, u], sparse, weight of the unit's frauds whose score is the step's.
        rows: float64 [m + 1, u], sparse, weight of its rows that reach the step and not the one before; the last reach
            none.
        above: bool [m], whether the step's score is above zero.
    """

    frauds: csr_array
    rows: csr_array
    above: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, score: Floats, fraud: npt.NDArray[np.bool_], unit: Ints, weight: Floats | None = None) -> Self:
        """The ranking of n rows in units numbered from 0, each row of some weight (1 by default)."""
        weight = np.ones(len(score)) if weight is None else weight
        steps = np.unique(score[fraud])[::-1]
        reached = np.searchsorted(-steps, -score, side="left")
        units, count = int(unit.max()) + 1 if len(unit) else 1, len(steps)
        rows = csr_array((weight, (reached, unit)), shape=(count + 1, units))
        frauds = csr_array((weight[fraud], (reached[fraud], unit[fraud])), shape=(count, units))
        return cls(frauds, rows, steps > 0)

    def average_precision(self, draws: Floats) -> Floats:
        """Σ (R_i - R_{i-1}) P_i under each draw's weights of the units, float64 [u, b]; float64 [b]."""
        frauds = self.frauds @ draws
        hits, reached = np.cumsum(frauds, axis=0), np.cumsum((self.rows @ draws)[:-1], axis=0)
        return _share((frauds * hits / np.maximum(reached, 1e-12)).sum(axis=0), frauds.sum(axis=0))

    def recall_at_1pct(self, draws: Floats) -> Floats:
        """Share of the frauds in the first hundredth of all weight, float64 [b]."""
        frauds, rows = self.frauds @ draws, self.rows @ draws
        before = np.cumsum(rows[:-1], axis=0) - frauds
        return _share((frauds * (before < 0.01 * rows.sum(axis=0))).sum(axis=0), frauds.sum(axis=0))

    def recall_at_budget(self, draws: Floats) -> Floats:
        """Share of the frauds whose score is above zero, where zero is the end of the budget, float64 [b]."""
        found, every = self.frauds[self.above].sum(axis=0), self.frauds.sum(axis=0)
        return _share(found @ draws, every @ draws)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0), np.float64)


Measure: TypeAlias = Callable[[Ranking, Floats], Floats]
MEASURES: Final[dict[str, Measure]] = {
    "average_precision": Ranking.average_precision,
    "recall_at_1pct": Ranking.recall_at_1pct,
}
"""Of any scores."""

GATED: Final[dict[str, Measure]] = MEASURES | {"recall_at_budget": Ranking.recall_at_budget}
"""What a gate may compare: scores whose zero means something, too."""


def interval(scored: Scored, measure: str, *, seed: int, repeats: int = REPEATS, confidence: float = 0.9) -> Interval:
    """One model's figure with its interval."""
    unit = units(scored)
    ranking, of = Ranking.of(scored.score, scored.fraud, unit, scored.weight), MEASURES[measure]
    return _interval(lambda draws: of(ranking, draws), scored, unit, seed=seed, repeats=repeats, confidence=confidence)


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
    unit, of = units(scored), GATED[measure]
    ours, theirs = (Ranking.of(score, scored.fraud, unit, scored.weight) for score in (scored.score, other))

    def gap(draws: Floats) -> Floats:
        return np.asarray(of(ours, draws) - of(theirs, draws), np.float64)

    return _interval(gap, scored, unit, seed=seed, repeats=repeats, confidence=confidence)


def units(scored: Scored) -> Ints:
    """What is drawn as one: each component with fraud, and `GENUINE_UNITS` groups of the others. Shape [n]."""
    _, component = np.unique(scored.component, return_inverse=True)
    with_fraud, number = np.unique(component[scored.fraud], return_inverse=False), component % GENUINE_UNITS
    place = np.searchsorted(with_fraud, component)
    own = np.isin(component, with_fraud)
    return np.asarray(np.where(own, place, len(with_fraud) + number), np.intp)


def clusters(scored: Scored) -> float:
    """Components with fraud, as if all held equally much of it: (Σ n)² / Σ n²."""
    _, place = np.unique(scored.component[scored.fraud], return_inverse=True)
    held = np.bincount(place, weights=scored.weight[scored.fraud])
    return float(held.sum() ** 2 / (held**2).sum()) if len(held) else 0.0


def _interval(
    measure: Callable[[Floats], Floats], scored: Scored, unit: Ints, *, seed: int, repeats: int, confidence: float
) -> Interval:
    count = int(unit.max()) + 1 if len(unit) else 1
    value = float(measure(np.ones((count, 1)))[0])
    random = np.random.default_rng(seed)
    chunk = max(HELD // count, 1)
    sizes = [min(chunk, repeats - start) for start in range(0, repeats, chunk)]
    draws = np.concatenate([measure(random.poisson(1.0, (count, size)).astype(np.float64)) for size in sizes])
    known = draws[~np.isnan(draws)]
    if len(known) < 2:
        return Interval(value, float("-inf"), float("inf"))
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high), float(known.std(ddof=1)), clusters(scored))
