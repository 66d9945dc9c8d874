"""Gradient-boosted trees (LightGBM): teachers, rivals, and a strategy of their own.

Categories are hashes below 2^24; trees see them in `CATEGORY_CODES` buckets, natively as categories.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import lightgbm
import numpy as np
import numpy.typing as npt

from training.data.sample import Sample

Floats: TypeAlias = npt.NDArray[np.float32]

CATEGORY_CODES: Final = 256


@dataclass(frozen=True, slots=True)
class BoostOptions:
    """LightGBM's parameters that matter here.

    Attributes:
        trees: boosting rounds.
        leaves: per tree.
        learning_rate: shrinkage.
        min_leaf: rows in a leaf at least.
        l2: on leaf values.
        columns: share of features per tree, but at least `MIN_COLUMNS` that vary; small, because a few hundred frauds
            teach a hundred features by heart.
        threads: fixed, so that equal input gives equal trees.
    """

    trees: int = 200
    leaves: int = 31
    learning_rate: float = 0.045
    min_leaf: int = 20
    l2: float = 5.0
    columns: float = 0.1
    threads: int = 2


MIN_COLUMNS: Final = 8
"""A tree sees at least so many features: platforms that tell little have few."""

FEW_LABELS: Final = BoostOptions(trees=100, leaves=7, learning_rate=0.06, min_leaf=5)
"""For a handful of labels: shallow trees, small leaves."""


def fit_booster(
    features: Floats,
    target: npt.NDArray[Any],
    kinds: Sequence[str],
    *,
    seed: int,
    options: BoostOptions = BoostOptions(),
    weight: npt.NDArray[Any] | None = None,
    init_score: npt.NDArray[Any] | None = None,
) -> lightgbm.Booster:
    """Trees for fraud; deterministic by seed.

    Args:
        features: raw, float32 [n, d].
        target: 1 fraud, 0 genuine, [n].
        kinds: of the features, [d].
        seed: of column and row draws.
        options: see there.
        weight: per row, [n].
        init_score: log-odds to start from, [n].
    """
    categorical = [i for i, kind in enumerate(kinds) if kind == "category"]
    coded = encode_categories(features, kinds)
    data = lightgbm.Dataset(
        coded,
        np.asarray(target, np.float64),
        weight=weight,
        init_score=init_score,
        categorical_feature=categorical,
        free_raw_data=True,
    )
    share = _share(coded, options.columns)
    parameters = {
        "objective": "binary", "num_leaves": options.leaves, "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.min_leaf, "lambda_l2": options.l2, "feature_fraction": share,
        "num_threads": options.threads, "seed": seed, "deterministic": True, "force_row_wise": True, "verbosity": -1,
        "min_sum_hessian_in_leaf": 1e-2, "max_bin": 127, "bin_construct_sample_cnt": 100_000,
    }  # fmt: skip
    return lightgbm.train(parameters, data, num_boost_round=options.trees)


def _share(features: Floats, share: float) -> float:
    """`share`, or what makes it `MIN_COLUMNS` of the columns that hold two values; LightGBM drops the others."""
    # fmin and fmax pass over NaN.
    varying = int(np.count_nonzero(np.fmin.reduce(features) < np.fmax.reduce(features)))
    return min(max(share, MIN_COLUMNS / max(varying, 1)), 1.0)


def booster_logits(booster: lightgbm.Booster, features: Floats, kinds: Sequence[str]) -> Floats:
    """Log-odds, float32 [n]."""
    raw = booster.predict(encode_categories(features, kinds), raw_score=True, num_threads=2)
    return np.asarray(raw, np.float32)


def encode_categories(features: Floats, kinds: Sequence[str]) -> Floats:
    """Hashes to codes 1..CATEGORY_CODES-1; absent (NaN or 0) stays NaN. A copy only where there are categories."""
    columns = [i for i, kind in enumerate(kinds) if kind == "category"]
    if not columns:
        return features
    coded = features.copy()
    hashed = np.nan_to_num(features[:, columns], nan=0.0).astype(np.int64)
    coded[:, columns] = np.where(hashed == 0, np.float32(np.nan), 1 + hashed % (CATEGORY_CODES - 1))
    return coded


def pooled(source: Sample, target: Sample, *, target_share: float = 0.2) -> tuple[Sample, npt.NDArray[np.float64]]:
    """Source and target rows as one sample, with weights that give the target `target_share` of the whole."""
    both = Sample(
        np.concatenate([source.features, target.features]),
        np.concatenate([source.label, target.label]),
        np.concatenate([source.time, target.time]),
    )
    up = target_share / (1 - target_share) * len(source) / max(len(target), 1)
    weight = np.concatenate([np.ones(len(source)), np.full(len(target), max(up, 1.0))])
    return both, weight
