"""The methods that are compared: the strategies, and what a good practitioner would do with LightGBM instead.

Nothing is tuned per cell: nets and trees have one setting each, found on streams of other seeds with equal effort.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from training.modelling.adapt import strategy_named
from training.modelling.network import predict
from training.modelling.strategies import auto
from training.modelling.strategies.boosted import continued_logits, fit_continued, fit_pooled
from training.modelling.strategies.target_only import fit_alone, options_of
from training.modelling.strategies.task import Task
from training.modelling.trees.boosting import booster_logits, fit_booster

Floats: TypeAlias = npt.NDArray[np.float32]
Method: TypeAlias = Callable[[Task, Floats], Floats]
"""(task, features of the test [t, d]) -> logits [t]."""


def lightgbm_target(task: Task, test: Floats) -> Floats:
    """Trees on the target's labels."""
    return booster_logits(fit_alone(task, task.target), test, task.base.kinds)


def lightgbm_pooled(task: Task, test: Floats) -> Floats:
    """Trees on source and target, the target up-weighted to a fifth."""
    return booster_logits(fit_pooled(task, task.target), test, task.base.kinds)


def lightgbm_source(task: Task, test: Floats) -> Floats:
    """Trees on the source alone."""
    return booster_logits(task.base.trees, test, task.base.kinds)


def lightgbm_score_feature(task: Task, test: Floats) -> Floats:
    """Trees on the target with the source trees' score as one more feature."""
    kinds = (*task.base.kinds, "number")
    train, later = (_with_score(task, rows) for rows in (task.target.features, test))
    booster = fit_booster(train, task.target.label, kinds, seed=task.seed, options=options_of(task, task.target))
    return booster_logits(booster, later, kinds)


def lightgbm_init_score(task: Task, test: Floats) -> Floats:
    """Trees on the target that start from the source trees' score."""
    return continued_logits(task, fit_continued(task, task.target), test)


def strategy(name: str) -> Method:
    """A strategy as a method."""

    def run(task: Task, test: Floats) -> Floats:
        return predict(strategy_named(name)(task).scorer, test)

    return run


def stacked_by_auto(task: Task, test: Floats) -> tuple[Floats, str]:
    """(logits of what `auto` would serve, how it weighed its members)."""
    adapted = auto.adapt(task)
    return predict(adapted.scorer, test), adapted.why


def _with_score(task: Task, rows: Floats) -> Floats:
    return np.column_stack([rows, booster_logits(task.base.trees, rows, task.base.kinds)]).astype(np.float32)


RIVALS: Final[dict[str, Method]] = {
    "lightgbm_target": lightgbm_target,
    "lightgbm_pooled": lightgbm_pooled,
    "lightgbm_score_feature": lightgbm_score_feature,
    "lightgbm_init_score": lightgbm_init_score,
    "lightgbm_source": lightgbm_source,
}

STRATEGIES: Final = ("source_only", "l2sp", "joint_distilled", "frozen", "adapters", "dann", "coral")

METHODS: Final[dict[str, Method]] = RIVALS | {name: strategy(name) for name in STRATEGIES}

OURS: Final = ("auto", "joint_distilled")
"""What is compared with the best rival."""

UNADAPTED: Final = ("lightgbm_source", "source_only")
"""What learns nothing from the target's labels."""
