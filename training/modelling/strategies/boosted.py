"""Boosted trees on source and target together, compiled into tensor operations.

    B = LightGBM(source ∪ target),   target weights such that  Σ w_target = ρ Σ w,   ρ = 0.2

What a good practitioner does first, and hard to beat by one net. `training.modelling.boosting_graph` turns the trees
into the SavedModel. Ke et al. 2017, "LightGBM: A Highly Efficient Gradient Boosting Decision Tree"; up-weighting the
target's rows is the simplest case of Dai et al. 2007, "Boosting for Transfer Learning".
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import lightgbm
import numpy as np
import numpy.typing as npt

from training.data.sample import Floats, Sample
from training.modelling.boosting_graph import Forest
from training.modelling.strategies.task import Adapted, Task
from training.modelling.trees.boosting import FEW_LABELS, BoostOptions, booster_logits, fit_booster, pooled

FOLDS = 3

Trainer: TypeAlias = Callable[[Sample], lightgbm.Booster]
"""Labelled target rows -> trees."""


def adapt(task: Task) -> Adapted:
    """Pooled trees; calibrated on logits of labelled rows left out by folds."""
    task.progress("trees on source and target", 0.0)
    trees = fit_pooled(task, task.target)
    held_out = out_of_fold(task, lambda part: fit_pooled(task, part))
    return Adapted(Forest(trees, task.base.kinds), held_out, why="trees on source and target together")


def fit_pooled(
    task: Task,
    target: Sample,
    *,
    columns: Sequence[int] | None = None,
    options: BoostOptions | None = None,
) -> lightgbm.Booster:
    """Trees on the source's rows and these target rows; all columns and the base's options by default."""
    both, weight = pooled(task.base.source, target, target_share=task.options.target_share)
    return fit_booster(
        both.features,
        both.label,
        task.base.kinds,
        seed=task.seed,
        options=options or task.boost,
        weight=weight,
        columns=columns,
    )


def fit_continued(task: Task, target: Sample) -> lightgbm.Booster:
    """Trees on these target rows that start from the source trees' score: they learn what it gets wrong here.

    Their own logits are the correction; `continued_logits` adds the start. A teacher and a rival, no strategy.
    """
    base = task.base
    start = booster_logits(base.trees, target.features, base.kinds)
    few = task.options.few or replace(FEW_LABELS, threads=task.options.threads)
    return fit_booster(
        target.features, target.label, base.kinds,
        seed=task.seed, options=few, init_score=start, weight=target.weight,
    )  # fmt: skip


def continued_logits(task: Task, correction: lightgbm.Booster, features: Floats) -> Floats:
    """The source trees' score and its correction, log-odds, float32 [n]."""
    base = task.base
    return booster_logits(base.trees, features, base.kinds) + booster_logits(correction, features, base.kinds)


def out_of_fold(task: Task, train: Trainer) -> Floats:
    """Logits of each labelled target row by trees that saw neither it nor its neighbours in time, float32 [n]."""
    target = task.target
    fold = folds(target.label, FOLDS)
    logits = np.zeros(len(target), np.float32)
    for k in range(FOLDS):
        booster = train(target.take(fold != k))
        logits[fold == k] = booster_logits(booster, target.features[fold == k], task.base.kinds)
    return logits


def folds(label: npt.NDArray[np.int8], count: int) -> npt.NDArray[np.intp]:
    """A fold for each row in time order, [n]: spans of each class, of equal size; attacks stay whole."""
    fold = np.zeros(len(label), np.intp)
    for value in np.unique(label):
        rows = np.flatnonzero(label == value)
        fold[rows] = np.arange(len(rows)) * count // len(rows)
    return fold
