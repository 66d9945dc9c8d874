"""The one training loop: draws are made beforehand, so that the whole of it runs inside one TensorFlow graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Every fit traces one graph of its own; TensorFlow takes that for a mistake and warns.
tf.get_logger().setLevel("ERROR")

Rows: TypeAlias = dict[str, tf.Tensor]
"""One pool's part of a step's batch: column name -> tensor [b, …]."""

Loss: TypeAlias = Callable[[dict[str, Rows], tf.Tensor], tf.Tensor]
"""(pool name -> rows, share of the training done, 0..1) -> scalar."""

Pools: TypeAlias = Mapping[str, Mapping[str, npt.NDArray[Any]]]
Draws: TypeAlias = Mapping[str, npt.NDArray[np.int64]]
Report: TypeAlias = Callable[[float], None]
"""Told the share done."""

Progress: TypeAlias = Callable[[str, float], None]
"""Told what is going on and the share of it done."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to descend.

    Attributes:
        learning_rate: at its peak; warms up over a twentieth of the steps, then follows a cosine down to 2 % of it.
        weight_decay: decoupled (AdamW).
        clip: of the gradient's global norm.
        mask_rate: share of feature values replaced by "missing" in each batch: augmentation against a target that
            lacks features, and against leaning on one of them.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    mask_rate: float = 0.0


def silent(_share: float) -> None:
    """A `Report` that says nothing."""


def quiet(_what: str, _share: float) -> None:
    """A `Progress` that says nothing."""


def make_deterministic(seed: int) -> None:
    """Same seed, same weights: seeds every generator and asks TensorFlow for deterministic kernels."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fit(
    loss: Loss,
    variables: Sequence[tf.Variable],
    pools: Pools,
    draws: Draws,
    *,
    options: FitOptions = FitOptions(),
    seed: int = 0,
    chunk: int = 50,
    report: Report = silent,
) -> float:
    """Minimises `loss` over the drawn batches; the mean loss of the last chunk of steps.

    Args:
        loss: of one step.
        variables: what may change; everything else is frozen.
        pools: name -> columns, arrays of equal length within a pool; "features" is masked when asked.
        draws: name -> row numbers of that pool, int64 [steps, b]; all with the same number of steps.
        options: how to descend.
        seed: of the masks.
        chunk: steps between two calls of `report`, at most.
        report: told the share of steps done.
    """
    steps = min(len(draw) for draw in draws.values())
    schedule = _Schedule(options.learning_rate, steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay, global_clipnorm=options.clip)
    optimizer.build(list(variables))
    # An argument of the graph, no part of it: TensorFlow never lets go of a graph with a gradient in it.
    tensors = {name: {k: tf.constant(v) for k, v in pool.items()} for name, pool in pools.items()}

    @tf.function(reduce_retracing=True)
    def run(tensors: dict[str, Rows], chosen: dict[str, tf.Tensor], first: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        count = tf.shape(next(iter(chosen.values())))[0]
        for i in tf.range(count):
            step = first + i
            batch = {
                name: _gather(tensors[name], rows[i], options.mask_rate, tf.stack([seed, step]))
                for name, rows in chosen.items()
            }
            with tf.GradientTape() as tape:
                value = loss(batch, tf.cast(step, tf.float32) / steps)
            gradients = tape.gradient(value, list(variables))
            optimizer.apply(gradients, list(variables))
            total += value
        return total / tf.cast(count, tf.float32)

    value = tf.constant(0.0)
    # Chunks of one size where that is possible: another size is another trace, which takes seconds.
    size = -(-steps // -(-steps // chunk))
    for first in range(0, steps, size):
        part = {name: tf.constant(draw[first : first + size]) for name, draw in draws.items()}
        value = run(tensors, part, tf.constant(first))
        report(min((first + size) / steps, 1.0))
    result = float(value)
    if not np.isfinite(result):
        raise FloatingPointError("training diverged: the loss is not finite; lower the learning rate")
    return result


def _gather(columns: Rows, rows: tf.Tensor, mask_rate: float, seed: tf.Tensor) -> Rows:
    batch = {name: tf.gather(column, rows) for name, column in columns.items()}
    if mask_rate:
        features = batch["features"]
        masked = tf.random.stateless_uniform(tf.shape(features), seed) < mask_rate
        batch["features"] = tf.where(masked, tf.constant(np.nan, tf.float32), features)
    return batch


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then cosine."""

    def __init__(self, peak: float, steps: int) -> None:
        self.peak, self.steps, self.warm = peak, float(steps), max(steps / 20, 1.0)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        cosine = 0.51 + 0.49 * tf.cos(np.pi * tf.minimum(step / self.steps, 1.0))
        return self.peak * tf.minimum((step + 1) / self.warm, 1.0) * cosine

    def get_config(self) -> dict[str, float]:
        """What it was made with."""
        return {"peak": self.peak, "steps": self.steps}
