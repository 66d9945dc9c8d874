"""What `auto` stacks: models that learn from source, target or both, as trees or nets, each with its own mistakes.

| member | learns from | |
| --- | --- | --- |
| source | source | trees as pre-training left them: no adaptation |
| source_net | source | the nets as pre-training left them |
| joint | both | nets, source and target batches of equal weight |
| self_supervised | both, all rows | such a net that was pre-trained without labels, where it is asked for |
| continued | both | trees on the target that start from the source trees' score |
| pooled | both | trees, options as the source's later rows spoke for |
| raw_pooled | both | plain trees on the payment's own columns, without history |
| target | target | trees, options as the labels speak for: no transfer |
| raw_target | target | plain trees on the payment's own columns |
| forest | target | a random forest |
| net | target | a net, where there is no source |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeAlias

import lightgbm
import numpy as np

from training.data.sample import Floats
from training.modelling.base import MappedTrees, Weights
from training.modelling.columns.raw import raw_columns
from training.modelling.network import FraudNet, predict
from training.modelling.strategies.batches import classify, fit_strategy
from training.modelling.strategies.boosted import fit_continued, fit_pooled
from training.modelling.strategies.joint_distilled import fit_net
from training.modelling.strategies.self_supervised import taught_base
from training.modelling.strategies.target_only import options_of
from training.modelling.strategies.task import Task
from training.modelling.trees.boosting import (
    PLAIN,
    BoostOptions,
    booster_logits,
    fit_booster,
    fit_forest,
    forest_logits,
)

UNADAPTED: Final = ("source", "source_net")
"""Members that learn nothing from the target's labels."""

FOREST_FRAUDS: Final = 50
"""Labelled frauds from which on a forest, or a net without a source, is worth its time."""


NEW_NET_STEPS: Final = 600
"""Of a net that nothing was pre-trained for."""


class Fitted(Protocol):
    """A trained member."""

    def __call__(self, features: Floats) -> Floats:
        """Logits [n] of raw features [n, d]."""


@dataclass(frozen=True, slots=True)
class FittedTrees:
    """Boosters whose log-odds add up."""

    boosters: tuple[lightgbm.Booster | MappedTrees, ...]
    kinds: Sequence[str]

    def __call__(self, features: Floats) -> Floats:
        """Logits [n]."""
        parts = [booster_logits(booster, features, self.kinds) for booster in self.boosters]
        return np.asarray(np.sum(parts, axis=0), np.float32)


@dataclass(frozen=True, slots=True)
class FittedForest:
    """A random forest, whose trees' mean is a probability."""

    forest: lightgbm.Booster
    kinds: Sequence[str]

    def __call__(self, features: Floats) -> Floats:
        """Logits [n]."""
        return forest_logits(self.forest, features, self.kinds)


@dataclass(frozen=True, slots=True)
class FittedNets:
    """Nets whose mean logit counts."""

    nets: tuple[FraudNet, ...]

    def __call__(self, features: Floats) -> Floats:
        """Logits [n]."""
        return np.asarray(np.mean([predict(net, features) for net in self.nets], axis=0), np.float32)


Fit: TypeAlias = Callable[[Task], Fitted]
"""Trains a member on the task's labels."""


def members(task: Task, usable: Sequence[int]) -> dict[str, Fit]:
    """The members that this task can have.

    Args:
        task: with a source or without one.
        usable: columns for the trees.
    """
    raw = sorted(set(raw_columns(task.base.names)) & set(usable)) or list(usable)
    plain = replace(PLAIN, threads=task.options.threads)
    # Chosen once, from all labels: every fold and the final trees share it.
    alone = options_of(task, task.target)
    found: dict[str, Fit] = {}
    if len(task.base.source):
        found |= {
            "source": _source,
            "source_net": _source_net,
            "joint": _joint,
            "continued": _continued,
            "pooled": partial(_pooled, columns=usable, options=task.boost),
            "raw_pooled": partial(_pooled, columns=raw, options=plain),
        }
        if task.options.weigh_self_supervised:
            # No label of the target is in it, so that all folds may share it.
            found["self_supervised"] = partial(_self_supervised, teachers=taught_base(task).teachers)
    found["target"] = partial(_target, columns=usable, options=alone)
    found["raw_target"] = partial(_target, columns=raw, options=plain)
    if task.target.frauds >= FOREST_FRAUDS:
        found["forest"] = partial(_forest, columns=usable)
        if not len(task.base.source):
            found["net"] = _net
    return found


def _source(task: Task) -> Fitted:
    return FittedTrees((task.base.trees,), task.base.kinds)


def _source_net(task: Task) -> Fitted:
    base = task.base
    return FittedNets(tuple(base.teacher(number, seed=task.seed) for number in range(len(base.teachers))))


def _joint(task: Task) -> Fitted:
    return FittedNets(tuple(fit_net(task, number) for number in range(task.options.teachers)))


def _self_supervised(task: Task, *, teachers: tuple[Weights, ...]) -> Fitted:
    return FittedNets((fit_net(replace(task, base=replace(task.base, teachers=teachers)), 0),))


def _continued(task: Task) -> Fitted:
    return FittedTrees((task.base.trees, fit_continued(task, task.target)), task.base.kinds)


def _pooled(task: Task, *, columns: Sequence[int], options: BoostOptions) -> Fitted:
    trees = fit_pooled(task, task.target, columns=columns, options=options)
    return FittedTrees((trees,), task.base.kinds)


def _target(task: Task, *, columns: Sequence[int], options: BoostOptions) -> Fitted:
    target, kinds = task.target, task.base.kinds
    trees = fit_booster(
        target.features, target.label, kinds,
        seed=task.seed, options=options, columns=columns, weight=target.weight,
    )  # fmt: skip
    return FittedTrees((trees,), kinds)


def _forest(task: Task, *, columns: Sequence[int]) -> Fitted:
    target, kinds, threads = task.target, task.base.kinds, task.options.threads
    forest = fit_forest(
        target.features, target.label, kinds,
        seed=task.seed, threads=threads, columns=columns, weight=target.weight,
    )  # fmt: skip
    return FittedForest(forest, kinds)


def _net(task: Task) -> Fitted:
    task = replace(task, options=replace(task.options, steps=task.options.steps or NEW_NET_STEPS))
    net = task.base.teacher(0, seed=task.seed)
    fit_strategy(
        task, lambda batch, _: classify(net, batch, "target"), net.trainable_variables, ("target",),
        seed=task.seed, what="net on the target",
    )  # fmt: skip
    return FittedNets((net,))
