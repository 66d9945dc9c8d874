"""Drift: the distance of today's payments from those that the champion learnt from.

Population stability index (Siddiqi, "Credit Risk Scorecards", 2006): Σ (p - q) ln(p / q) over bins; 0.1 is a small
move, 0.25 a large one. The domain classifier's AUC says how well a linear model tells the two apart: 0.5 is not at all.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import QuantileTransformer

from training.data.dataset import Dataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import from_stream
from training.evaluation.evaluate import Model
from training.loop.ledger_view import WARM_UP_US, LedgerView

Floats = npt.NDArray[np.floating]

BINS: Final = 10
FLOOR: Final = 1e-3
ROWS: Final = 5_000
MIN_ROWS: Final = 200
RECENT_SHARE: Final = 0.2
"""Of the window: what counts as today."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Distances between a reference and today.

    Attributes:
        features: the features' index, nine in ten are below it: single counters always move.
        worst: name of the feature that moved most.
        scores: index of the champion's scores.
        ks: Kolmogorov-Smirnov distance of the scores.
        domain: AUC of the domain classifier.
    """

    features: float
    worst: str
    scores: float
    ks: float
    domain: float

    def beyond(self, *, psi: float, auc: float) -> str:
        """What moved beyond its limit, in words; "" when nothing did."""
        moved = []
        if self.features > psi:
            moved.append(f"features (index {self.features:.2f}, most of all {self.worst})")
        if self.scores > psi:
            moved.append(f"scores (index {self.scores:.2f})")
        if self.domain > auc:
            moved.append(f"the domain (AUC {self.domain:.2f})")
        return " and ".join(moved)

    def by_kind(self) -> dict[str, float]:
        """For metrics and records."""
        return {"features": self.features, "scores": self.scores, "scores_ks": self.ks, "domain": self.domain}


def drift_of(view: LedgerView, champion: Model, context: FeatureContext, *, seed: int) -> Drift | None:
    """The younger part of the window against the older one, in features and in the champion's scores."""
    data = from_stream(view.stream, context, as_of=view.now, risk=champion.risk)
    # In its first month a history is still filling up: that is no drift.
    data = data.between(max(view.since, int(data.time.min()) + WARM_UP_US) if len(data) else None, None)
    start = data.time.min() + int((1 - RECENT_SHARE) * (data.time.max() - data.time.min())) if len(data) else 0
    before, today = (_some(data.take(rows), seed) for rows in (data.time < start, data.time >= start))
    scores = champion.scores(before.features), champion.scores(today.features)
    # Every risk table has its own rates: they would tell the weeks apart, and nothing else.
    kept = [place for place, name in enumerate(data.names) if name.partition("_risk_")[0] not in data.risk_ids]
    names = tuple(data.names[place] for place in kept)
    return measure(before.features[:, kept], today.features[:, kept], names=names, scores=scores, seed=seed)


def _some(data: Dataset, seed: int, rows: int = 20_000) -> Dataset:
    if len(data) <= rows:
        return data
    return data.take(np.sort(np.random.default_rng(seed).choice(len(data), rows, replace=False)))


def measure(
    reference: Floats, today: Floats, *, names: tuple[str, ...], scores: tuple[Floats, Floats], seed: int
) -> Drift | None:
    """The distances; None when there are too few rows on one side.

    Args:
        reference: float32 [n, d], NaN where missing.
        today: float32 [m, d].
        names: of the columns.
        scores: the champion's scores of both, [n] and [m].
        seed: of the sample that the classifier sees.
    """
    if min(len(reference), len(today)) < MIN_ROWS:
        return None
    moves = np.array([psi(reference[:, j], today[:, j]) for j in range(reference.shape[1])])
    before, after = scores
    return Drift(
        features=float(np.quantile(moves, 0.9)),
        worst=names[int(moves.argmax())],
        scores=psi(before, after),
        ks=float(ks_2samp(before, after).statistic),
        domain=domain_auc(reference, today, seed=seed),
    )


def psi(reference: Floats, today: Floats) -> float:
    """Population stability index of one column; missing values are a bin of their own."""
    known = reference[~np.isnan(reference)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(0)
    p, q = (_shares(column, edges) for column in (reference, today))
    return float(((p - q) * np.log(p / q)).sum())


def _shares(column: Floats, edges: Floats) -> npt.NDArray[np.float64]:
    missing = np.isnan(column)
    places = np.where(missing, len(edges) + 1, np.searchsorted(edges, np.where(missing, 0, column), side="left"))
    counts = np.bincount(places, minlength=len(edges) + 2)
    shares: npt.NDArray[np.float64] = np.maximum(counts / max(len(column), 1), FLOOR)
    return shares


def domain_auc(reference: Floats, today: Floats, *, seed: int) -> float:
    """How well a logistic regression on ranks tells the two apart, cross-validated on equal samples."""
    random = np.random.default_rng(seed)
    size = min(len(reference), len(today), ROWS)
    rows = np.concatenate([part[random.choice(len(part), size, replace=False)] for part in (reference, today)])
    missing = np.isnan(rows)
    ranks = QuantileTransformer(n_quantiles=50, random_state=0).fit_transform(np.where(missing, 0, rows))
    inputs = np.concatenate([ranks, missing.astype(np.float64)], axis=1)
    side = np.repeat([0, 1], size)
    model = LogisticRegression(max_iter=500, C=0.05)
    guess = cross_val_predict(model, inputs, side, cv=3, method="predict_proba")[:, 1]
    return float(roc_auc_score(side, guess))
