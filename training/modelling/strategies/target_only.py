"""No transfer: boosted trees on the target's own labels.

    B = LightGBM(target),  shallow trees, small leaves

Where the source teaches the wrong thing, this is the best there is, and `auto` may choose it.
"""

import lightgbm

from training.data.sample import Sample
from training.modelling.boosting import fit_booster
from training.modelling.boosting_graph import Forest
from training.modelling.strategies.boosted import out_of_fold
from training.modelling.strategies.task import Adapted, Task


def adapt(task: Task) -> Adapted:
    """Trees on the target alone, compiled; calibrated on logits of rows left out by folds."""
    task.progress("trees on the target", 0.0)
    trees = fit_alone(task, task.target)
    held_out = out_of_fold(task, lambda part: fit_alone(task, part))
    return Adapted(Forest(trees, task.base.kinds), held_out, why="trees on the target alone: no transfer")


def fit_alone(task: Task, target: Sample) -> lightgbm.Booster:
    """Trees on these target rows only."""
    return fit_booster(target.features, target.label, task.base.kinds, seed=task.seed, options=task.options.few)
