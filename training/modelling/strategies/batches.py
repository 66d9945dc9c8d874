"""Batches of the net strategies: pools and draws of source, target and unlabelled rows; one call of the train loop."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.sample import Sample, balanced, uniform
from training.modelling.losses import soft_cross_entropy
from training.modelling.network import FraudNet
from training.modelling.strategies.task import Task
from training.modelling.train_loop import Rows, fit

Batch: TypeAlias = dict[str, Rows]
"""Pool name ("source", "target", "unlabelled") -> its rows of this step."""


def classify(net: FraudNet, batch: Batch, *pools: str) -> tf.Tensor:
    """Σ over the named pools of the mean cross-entropy of their rows: pools weigh the same whatever their size."""
    return tf.add_n([soft_cross_entropy(net(batch[p]["features"], training=True), batch[p]["target"]) for p in pools])


def genuine(h: tf.Tensor, rows: Rows) -> tf.Tensor:
    """The genuine rows of h [b, w], [g, w]: what unlabelled target rows are to look like.

    A source batch is an eighth fraud and the target's payments hardly any: aligned as they are, fraud itself would be
    aligned away.
    """
    return tf.boolean_mask(h, rows["target"] < 0.5)


def fit_strategy(
    task: Task,
    loss: Callable[[Batch, tf.Tensor], tf.Tensor],
    variables: Sequence[tf.Variable],
    pools: Sequence[str],
    *,
    seed: int,
    what: str,
    learning_rate: float | None = None,
) -> None:
    """Trains `variables` on batches of the named pools, in the task's sizes and number of steps."""
    options = task.options
    steps = options.steps_for(len(task.target))
    columns: dict[str, dict[str, npt.NDArray[Any]]] = {}
    draws: dict[str, npt.NDArray[np.int64]] = {}
    if "source" in pools:
        columns["source"] = labelled(task.base.source)
        draws["source"] = balanced(
            task.base.source.label, steps=steps, batch=options.source_batch, share=task.base.fraud_share, seed=seed
        )
    if "target" in pools:
        columns["target"] = labelled(task.target)
        draws["target"] = balanced(
            task.target.label, steps=steps, batch=options.target_batch, share=options.target_fraud_share, seed=seed
        )
    if "unlabelled" in pools:
        columns["unlabelled"] = {"features": task.unlabelled}
        draws["unlabelled"] = uniform(len(task.unlabelled), steps=steps, batch=options.source_batch, seed=seed)
    how = options.fit if learning_rate is None else replace(options.fit, learning_rate=learning_rate)
    fit(loss, variables, columns, draws, options=how, seed=seed, report=partial(task.progress, what))


def labelled(sample: Sample) -> dict[str, npt.NDArray[Any]]:
    """A sample as a pool."""
    return {"features": sample.features, "target": sample.label.astype(np.float32)}
