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

    The defaults are what is right for many features of little use each; `training.modelling.trees.tree_choice` finds
    others where the data want them.

    Attributes:
        trees: boosting rounds.
        leaves: per tree.
        learning_rate: shrinkage.
        min_leaf: rows in a leaf at least.
        l2: on leaf values.
        columns: share of features per tree, but at least `MIN_COLUMNS` that vary; small, where a few hundred frauds
            would teach a hundred features by heart.
        rows: share of rows per tree.
        bins: of a number, at most.
        min_hessian: of a leaf at least, the sum of p (1 - p).
        threads: of LightGBM; the trees do not depend on it.
    """

    trees: int = 200
    leaves: int = 31
    learning_rate: float = 0.045
    min_leaf: int = 20
    l2: float = 5.0
    columns: float = 0.1
    rows: float = 1.0
    bins: int = 127
    min_hessian: float = 1e-2
    threads: int = 2


MIN_COLUMNS: Final = 8
"""A tree sees at least so many features: platforms that tell little have few."""

FEW_LABELS: Final = BoostOptions(trees=100, leaves=7, learning_rate=0.06, min_leaf=5)
"""For a handful of labels: shallow trees, small leaves."""

PLAIN: Final = BoostOptions(
    trees=300, leaves=31, learning_rate=0.05, min_leaf=20, l2=0.0, columns=1.0, bins=255, min_hessian=1e-3
)
"""What a practitioner takes first: LightGBM's own defaults at half the rate and three times the rounds."""

FOREST_TREES: Final = 150
FOREST_DEPTH: Final = 14
"""Bounded, because all trees of a graph walk as far down as the deepest."""

FOREST_FLOOR: Final = 1e-4
"""Probabilities of a forest stay so far from 0 and 1: their log-odds are finite."""


def fit_booster(
    features: Floats,
    target: npt.NDArray[Any],
    kinds: Sequence[str],
    *,
    seed: int,
    options: BoostOptions = BoostOptions(),
    weight: npt.NDArray[Any] | None = None,
    init_score: npt.NDArray[Any] | None = None,
    columns: Sequence[int] | None = None,
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
        columns: that the trees may use; all by default. The trees still take whole rows.
    """
    coded = _usable(features, kinds, columns)
    data = _dataset(coded, target, kinds, weight=weight, init_score=init_score)
    return lightgbm.train(parameters(coded, options, seed=seed), data, num_boost_round=options.trees)


def fit_forest(
    features: Floats,
    target: npt.NDArray[Any],
    kinds: Sequence[str],
    *,
    seed: int,
    threads: int = 2,
    columns: Sequence[int] | None = None,
    weight: npt.NDArray[Any] | None = None,
) -> lightgbm.Booster:
    """A random forest: deep trees on bootstrapped rows, whose mean is the probability of fraud; arguments as above.

    Each tree is wrong in its own way where boosted ones correct each other, which serves where frauds are told by few
    columns and much noise. Breiman 2001, "Random Forests".
    """
    coded = _usable(features, kinds, columns)
    forest = {
        "objective": "regression", "boosting": "rf", "bagging_fraction": 0.632, "bagging_freq": 1, "max_bin": 255,
        "num_leaves": 127, "max_depth": FOREST_DEPTH, "min_data_in_leaf": 5, "min_sum_hessian_in_leaf": 0.0,
        "lambda_l2": 0.0, "feature_fraction": _share(coded, 0.5), "feature_fraction_bynode": 0.6,
    }  # fmt: skip
    data = _dataset(coded, target, kinds, weight=weight)
    return lightgbm.train(_fixed(seed, threads) | forest, data, num_boost_round=FOREST_TREES)


def parameters(coded: Floats, options: BoostOptions, *, seed: int) -> dict[str, Any]:
    """LightGBM's parameters for these rows, float32 [n, d] with coded categories."""
    sampled = {"bagging_fraction": options.rows, "bagging_freq": 1} if options.rows < 1 else {}
    chosen = {
        "objective": "binary", "num_leaves": options.leaves, "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.min_leaf, "lambda_l2": options.l2, "max_bin": options.bins,
        "feature_fraction": _share(coded, options.columns), "min_sum_hessian_in_leaf": options.min_hessian,
    }  # fmt: skip
    return _fixed(seed, options.threads) | chosen | sampled


def _fixed(seed: int, threads: int) -> dict[str, Any]:
    return {
        "num_threads": threads, "seed": seed, "deterministic": True, "force_row_wise": True, "verbosity": -1,
        "bin_construct_sample_cnt": 100_000,
    }  # fmt: skip


def _usable(features: Floats, kinds: Sequence[str], columns: Sequence[int] | None) -> Floats:
    """Coded rows in which columns that may not be used are missing throughout: LightGBM never splits on those."""
    coded = encode_categories(features, kinds)
    if columns is None or len(columns) == len(kinds):
        return coded
    masked = np.full_like(features, np.nan)
    masked[:, list(columns)] = coded[:, list(columns)]
    return masked


def _dataset(
    coded: Floats,
    target: npt.NDArray[Any],
    kinds: Sequence[str],
    *,
    weight: npt.NDArray[Any] | None = None,
    init_score: npt.NDArray[Any] | None = None,
) -> lightgbm.Dataset:
    categorical = [i for i, kind in enumerate(kinds) if kind == "category"]
    return lightgbm.Dataset(
        coded,
        np.asarray(target, np.float64),
        weight=weight,
        init_score=init_score,
        categorical_feature=categorical,
        free_raw_data=True,
    )


def _share(features: Floats, share: float) -> float:
    """`share`, or what makes it `MIN_COLUMNS` of the columns that hold two values; LightGBM drops the others."""
    # fmin and fmax pass over NaN.
    varying = int(np.count_nonzero(np.fmin.reduce(features) < np.fmax.reduce(features)))
    return min(max(share, MIN_COLUMNS / max(varying, 1)), 1.0)


def booster_logits(booster: lightgbm.Booster, features: Floats, kinds: Sequence[str]) -> Floats:
    """Log-odds, float32 [n]."""
    raw = booster.predict(encode_categories(features, kinds), raw_score=True, num_threads=2)
    return np.asarray(raw, np.float32)


def forest_logits(forest: lightgbm.Booster, features: Floats, kinds: Sequence[str]) -> Floats:
    """Log-odds of a forest's probability, float32 [n]."""
    # Not `booster_logits`: a raw score of LightGBM's forests is their trees' sum, not the mean.
    mean = np.asarray(forest.predict(encode_categories(features, kinds), num_threads=2))
    bounded = np.clip(mean, FOREST_FLOOR, 1 - FOREST_FLOOR)
    return np.asarray(np.log(bounded) - np.log1p(-bounded), np.float32)


def encode_categories(features: Floats, kinds: Sequence[str]) -> Floats:
    """Hashes to codes 1..CATEGORY_CODES-1; absent (NaN or 0) stays NaN. A copy only where there are categories."""
    columns = [i for i, kind in enumerate(kinds) if kind == "category"]
    if not columns:
        return features
    coded = features.copy()
    hashed = np.nan_to_num(features[:, columns], nan=0.0).astype(np.int64)
    coded[:, columns] = np.where(hashed == 0, np.float32(np.nan), 1 + hashed % (CATEGORY_CODES - 1))
    return coded


MAX_TARGET_WEIGHT: Final = 30.0
"""Of one target row among source rows: a few labels, chosen by somebody, must not outweigh a whole platform."""


def pooled(source: Sample, target: Sample, *, target_share: float = 0.2) -> tuple[Sample, npt.NDArray[np.float64]]:
    """Source and target rows as one sample; weights give the target `target_share` of the whole, as far as they may."""
    both = Sample(
        np.concatenate([source.features, target.features]),
        np.concatenate([source.label, target.label]),
        np.concatenate([source.time, target.time]),
        np.concatenate([source.weight, target.weight]),
    )
    up = target_share / (1 - target_share) * len(source) / max(len(target), 1)
    share = np.concatenate([np.ones(len(source)), np.full(len(target), np.clip(up, 1.0, MAX_TARGET_WEIGHT))])
    return both, share * both.weight
