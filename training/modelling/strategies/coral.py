"""Aligned statistics of the representation: Deep CORAL (second moments) or MMD (all moments a kernel sees).

    L = CE(source) + CE(target) + λ · d(h_genuine source, h_unlabelled target),    d = CORAL or MMD

Sun & Saenko 2016, "Deep CORAL"; Long et al. 2015, "Learning Transferable Features with Deep Adaptation Networks".
"""

from collections.abc import Callable

import tensorflow as tf

from training.modelling.losses import coral, mmd, soft_cross_entropy
from training.modelling.strategies.batches import Batch, fit_strategy, genuine
from training.modelling.strategies.task import Adapted, Task

CORAL_STRENGTH = 1.0
MMD_STRENGTH = 0.5


def adapt(task: Task) -> Adapted:
    """One net whose covariances on source and target are drawn together."""
    return _align(task, coral, CORAL_STRENGTH, "covariances aligned (Deep CORAL)")


def adapt_mmd(task: Task) -> Adapted:
    """One net whose distributions on source and target are drawn together."""
    return _align(task, mmd, MMD_STRENGTH, "distributions aligned (MMD)")


def _align(task: Task, distance: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], strength: float, why: str) -> Adapted:
    net = task.base.teacher(0, seed=task.seed)

    def loss(batch: Batch, _share: tf.Tensor) -> tf.Tensor:
        h_source, source = net.represent(batch["source"]["features"], training=True)
        h_unlabelled, _ = net.represent(batch["unlabelled"]["features"], training=True)
        _, target = net.represent(batch["target"]["features"], training=True)
        return (
            soft_cross_entropy(source, batch["source"]["target"])
            + soft_cross_entropy(target, batch["target"]["target"])
            + strength * distance(genuine(h_source, batch["source"]), h_unlabelled)
        )

    fit_strategy(
        task,
        loss,
        net.trainable_variables,
        ("source", "target", "unlabelled"),
        seed=task.seed,
        what="aligned net",
    )
    return Adapted(net, why=f"one net, {why}")
