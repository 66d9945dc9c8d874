"""No transfer: boosted trees on the target's own labels.

    B = LightGBM(target),  shallow trees for a handful of frauds, else what the later labels speak for

Where the source teaches the wrong thing, this is the best there is, and `auto` may choose it.
"""

from dataclasses import replace

import lightgbm

from training.data.sample import Sample
from training.modelling.boosting_graph import Forest
from training.modelling.strategies.boosted import out_of_fold
from training.modelling.strategies.task import Adapted, Task
from training.modelling.trees.boosting import BoostOptions, fit_booster
from training.modelling.trees.tree_choice import options_alone


def adapt(task: Task) -> Adapted:
    """Trees on the target alone, compiled; calibrated on logits of rows left out by folds."""
    task.progress("trees on the target", 0.0)
    # The same options for all folds.
    task = replace(task, options=replace(task.options, few=options_of(task, task.target)))
    trees = fit_alone(task, task.target)
    held_out = out_of_fold(task, lambda part: fit_alone(task, part))
    return Adapted(Forest(trees, task.base.kinds), held_out, why="trees on the target alone: no transfer")


def fit_alone(task: Task, target: Sample) -> lightgbm.Booster:
    """Trees on these target rows only."""
    return fit_booster(
        target.features, target.label, task.base.kinds,
        seed=task.seed, options=options_of(task, target), weight=target.weight,
    )  # fmt: skip


def options_of(task: Task, target: Sample) -> BoostOptions:
    """Of trees on these target rows only."""
    return task.options.few or options_alone(target, task.base.kinds, seed=task.seed, threads=task.options.threads)
