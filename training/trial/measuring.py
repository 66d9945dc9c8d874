"""What the test says: figures of the model and of its rival, alerts by day, what the score goes by, what has moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.metrics import average_precision_score

from fraud.decisions.policy import Policy
from fraud.features.spec import RISK
from fraud.units import DAY_US
from training.evaluation.evaluate import Floats, Json, Model, compare, evaluate, to_scored
from training.evaluation.scores import Scored
from training.loop.monitoring.drift import psi
from training.trial.learning import Split
from training.trial.plain_trees import NAME as RIVAL
from training.trial.plain_trees import plain_scores

MODEL: Final = "this model"
BUDGETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05)
EXPLAINED: Final = 1_000
MOVED: Final = 0.25
"""Population stability index from which on a column counts as moved."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What reviewing a share of the payments finds: (recall, precision) of the model and of its rival."""

    share: float
    payments: int
    model: tuple[float, float]
    rival: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the test under the model's policy."""

    day: str
    payments: int
    alerts: int
    caught: int
    frauds: int


@dataclass(frozen=True, slots=True)
class Importance:
    """How far a feature moves the score, mean absolute share in log-odds, and what it means."""

    feature: str
    meaning: str
    share: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was measured.

    Attributes:
        scored: the test's payments with the model's scores.
        rival: the same with the rival's.
        policy: the model's.
        figures: name of a model -> its figures.
        steady: average precision of the rival with leaves that cannot run away.
        difference: the model minus its rival, by figure.
        budgets, days, importance: see there.
        moved: feature -> how far its distribution has moved between past and test.
    """

    scored: Scored
    rival: Scored
    policy: Policy
    figures: dict[str, Json]
    steady: float
    difference: dict[str, Any]
    budgets: tuple[Budget, ...]
    days: tuple[Day, ...]
    importance: tuple[Importance, ...]
    moved: dict[str, float]


def measure(model: Model, parts: Split, *, seed: int) -> Outcome:
    """Everything of one version on the test, and of its rival."""
    score, (other, steady) = model.scores(parts.test.features), plain_scores(parts, seed=seed)
    scored, rival = to_scored(parts.test, score), to_scored(parts.test, other)
    figures = {name: evaluate(held, model.policy, seed=seed) for name, held in ((MODEL, scored), (RIVAL, rival))}
    return Outcome(
        scored=scored,
        rival=rival,
        policy=model.policy,
        figures=figures,
        steady=float(average_precision_score(scored.fraud, to_scored(parts.test, steady).score)),
        difference=compare(scored, {RIVAL: rival.score}, seed=seed),
        budgets=tuple(_budget(scored, rival, share) for share in BUDGETS if share * len(scored) >= 1),
        days=tuple(by_day(scored, model.policy)),
        importance=tuple(importance(model, parts, score, seed=seed)),
        moved=moved(parts),
    )


def _budget(scored: Scored, rival: Scored, share: float) -> Budget:
    count = int(np.ceil(share * len(scored)))

    def found(held: Scored) -> tuple[float, float]:
        hits = int(held.fraud[np.argsort(-held.score, kind="stable")[:count]].sum())
        return hits / max(int(held.fraud.sum()), 1), hits / count

    return Budget(share, count, found(scored), found(rival))


def by_day(scored: Scored, policy: Policy) -> list[Day]:
    """What would have been alerted each day (UTC)."""
    flagged = policy.decide(scored.score, scored.amount, time_us=scored.time).flagged
    day = scored.time // DAY_US
    return [
        Day(
            str(np.datetime64(int(today), "D")),
            int(rows.sum()),
            int((rows & flagged).sum()),
            int((rows & flagged & scored.fraud).sum()),
            int((rows & scored.fraud).sum()),
        )
        for today in np.unique(day)
        for rows in [day == today]
    ]


def importance(model: Model, parts: Split, score: Floats, *, seed: int) -> list[Importance]:
    """Features by how far they move scores, as reasons count them; half the rows are the riskiest, half are drawn."""
    riskiest = np.argsort(-score, kind="stable")[:EXPLAINED]
    drawn = np.random.default_rng(seed).choice(len(score), min(EXPLAINED, len(score)), replace=False)
    rows = np.unique(np.concatenate([riskiest, drawn]))
    shares = np.abs(model.contributions(parts.test.features[rows])).mean(axis=0)
    order = np.argsort(-shares, kind="stable")
    features = parts.spec.features
    return [Importance(features[j].name, features[j].meaning, float(shares[j])) for j in order if shares[j] > 0]


def moved(parts: Split) -> dict[str, float]:
    """Features whose values are distributed otherwise in the test than before it, the farthest first.

    Risk tables are left aside, for every one has rates of its own, and the time of day, which a short file cannot help.
    """
    features = enumerate(parts.spec.features)
    kept = [column for column, feature in features if feature.source[0] != RISK and feature.group != "time"]
    far = {parts.spec.names[j]: psi(_some(parts.past.features[:, j]), _some(parts.test.features[:, j])) for j in kept}
    return {name: value for name, value in sorted(far.items(), key=lambda pair: -pair[1]) if value > MOVED}


def _some(column: Sequence[float] | Any, rows: int = 20_000) -> Any:  # noqa: ANN401 - an array of floats
    return column[:: max(len(column) // rows, 1)]
