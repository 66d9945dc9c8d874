"""A stack of trees, nets and forests in the graph, where no student ranks payments as they do together."""

from collections.abc import Sequence

import tensorflow as tf

from training.modelling.boosting_graph import Forest
from training.modelling.network import FraudNet
from training.modelling.trees.boosting import FOREST_FLOOR


class Stack(tf.Module):
    """Weighted sum of log-odds; calling it gives logits [n] of raw features [n, d].

    Boosters need no weights here: `Forest` holds them, all in one.
    """

    def __init__(
        self,
        *,
        trees: Forest | None,
        nets: Sequence[tuple[FraudNet, float]],
        forests: Sequence[tuple[Forest, float]],
        shift: float,
    ) -> None:
        super().__init__(name="stack")
        self.trees = trees
        self.nets = [net for net, _ in nets]
        self.net_weights = [weight for _, weight in nets]
        self.forests = [forest for forest, _ in forests]
        self.forest_weights = [weight for _, weight in forests]
        self.shift = shift

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Logits, float32 [n]."""
        total = tf.fill([tf.shape(features)[0]], tf.constant(self.shift, tf.float32))
        if self.trees is not None:
            total += self.trees(features)
        for net, weight in zip(self.nets, self.net_weights, strict=True):
            total += weight * net(features)
        for forest, weight in zip(self.forests, self.forest_weights, strict=True):
            total += weight * log_odds(forest(features))
        return total


def log_odds(probability: tf.Tensor) -> tf.Tensor:
    """Of a forest's mean, bounded as in `training.modelling.trees.boosting.forest_logits`; float32 [n]."""
    bounded = tf.clip_by_value(probability, FOREST_FLOOR, 1 - FOREST_FLOOR)
    return tf.math.log(bounded) - tf.math.log1p(-bounded)
