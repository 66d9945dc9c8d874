"""What anybody would try first: LightGBM as it is, on the payment's own columns, categories native."""

from collections.abc import Sequence
from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

from training.data.sample import Floats, Sample

ROUNDS: Final = 300
SETTINGS: Final = {"objective": "binary", "learning_rate": 0.05, "num_leaves": 31, "verbosity": -1}
"""Everything else is LightGBM's default."""

TARGET_SHARE: Final = 0.2
"""Of the pooled rows' weight: the usual best practice where the source is far larger."""

MOST_CATEGORIES: Final = 1_000
"""Rarer values of a column are missing."""


def raw_scores(
    train: Sample, test: Floats, kinds: Sequence[str], *, seed: int, threads: int, source: Sample | None = None
) -> Floats:
    """Log-odds of the test's rows, float32 [t], by trees on the target's labels, or pooled with the source's."""
    rows = train.features if source is None else np.concatenate([source.features, train.features])
    label = train.label if source is None else np.concatenate([source.label, train.label])
    weight = None
    if source is not None:
        up = TARGET_SHARE / (1 - TARGET_SHARE) * len(source) / len(train)
        weight = np.concatenate([np.ones(len(source)), np.full(len(train), max(up, 1.0))])
    categories = [column for column, kind in enumerate(kinds) if kind == "category"]
    learnt, asked = rows.astype(np.float64), test.astype(np.float64)
    for column in categories:
        known = _frequent(rows[:, column])
        learnt[:, column], asked[:, column] = _coded(rows[:, column], known), _coded(test[:, column], known)
    data = lightgbm.Dataset(learnt, label.astype(np.float64), weight=weight, categorical_feature=categories)
    settings = SETTINGS | {"seed": seed, "num_threads": threads, "deterministic": True, "force_row_wise": True}
    trees = lightgbm.train(settings, data, num_boost_round=ROUNDS)
    return np.asarray(trees.predict(asked, raw_score=True, num_threads=threads), np.float32)


def _frequent(values: Floats) -> Floats:
    known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return np.sort(known[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])


def _coded(values: Floats, known: Floats) -> npt.NDArray[np.float64]:
    """Positions among the known values, NaN for others."""
    if len(known) == 0:
        return np.full(len(values), np.nan)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[place] == values, place.astype(np.float64), np.nan)
