"""Domain-adversarial training: a representation from which the domain cannot be told.

    L = CE(source) + CE(target) + CE_d(D(R_λ(h)))      R_λ: identity forwards, −λ · gradient backwards
    λ(p) = Λ (2 / (1 + e^{−10 p}) − 1),   p = share of the training done

The discriminator D learns to tell genuine source rows from unlabelled target rows; through the reversed gradient the
extractor learns to stop it. Equal marginals are no gain by themselves where fraud rates or fraud types differ.

Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks".
"""

import tensorflow as tf

from training.modelling.losses import domain_confusion, reverse_gradient, soft_cross_entropy
from training.modelling.network import build_discriminator
from training.modelling.strategies.batches import Batch, fit_strategy, genuine
from training.modelling.strategies.task import Adapted, Task

STRENGTH = 0.3


def adapt(task: Task) -> Adapted:
    """One net, trained against a domain discriminator."""
    net = task.base.teacher(0, seed=task.seed)
    discriminator = build_discriminator(task.base.net_options.width, seed=task.seed)

    def loss(batch: Batch, share: tf.Tensor) -> tf.Tensor:
        h_source, source = net.represent(batch["source"]["features"], training=True)
        h_unlabelled, _ = net.represent(batch["unlabelled"]["features"], training=True)
        _, target = net.represent(batch["target"]["features"], training=True)
        strength = STRENGTH * (2.0 / (1.0 + tf.exp(-10.0 * share)) - 1.0)
        sides = (genuine(h_source, batch["source"]), h_unlabelled)
        domain = [discriminator(reverse_gradient(h, strength))[:, 0] for h in sides]
        return (
            soft_cross_entropy(source, batch["source"]["target"])
            + soft_cross_entropy(target, batch["target"]["target"])
            + domain_confusion(*domain)
        )

    fit_strategy(
        task,
        loss,
        [*net.trainable_variables, *discriminator.trainable_variables],
        ("source", "target", "unlabelled"),
        seed=task.seed,
        what="adversarial net",
    )
    return Adapted(net, why="one net, trained against a domain discriminator")
