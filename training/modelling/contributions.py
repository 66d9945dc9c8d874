"""The contributions to a score, per feature, in calibrated log-odds, that add up.

Against a reference row (a typical payment), c_j sums to score(x) − score(reference):

- nets: integrated gradients (Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks"), taken along the
  straight line between the two *encoded* rows, where the encoding's columns of one feature add up to its share;
- trees: each split on the path gives its feature the change in expected log-odds (Saabas 2014).
"""

from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.modelling.boosting_graph import Forest
from training.modelling.encoder import Encoding
from training.modelling.network import FraudNet
from training.modelling.self_supervised.surprise import Widened
from training.modelling.strategies.stack.stack_graph import Stack, log_odds

STEPS = 16


class Attribution(Protocol):
    """Raw features [n, d] -> contributions in raw log-odds [n, d]."""

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Contributions that sum, per row, to the logit less the reference's."""


class NetAttribution(tf.Module):
    """Integrated gradients of a net's logit."""

    def __init__(self, net: FraudNet, reference: npt.NDArray[np.float32]) -> None:
        super().__init__(name="net_attribution")
        self.net = net
        self.reference = tf.constant(reference[None, :])
        self.owner = tf.constant(owners(net.extractor.encoder.encoding))
        self.features = len(reference)

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Contributions [n, d] in raw log-odds."""
        encoder = self.net.extractor.encoder
        start, end = encoder(self.reference), encoder(features)
        # Midpoints of equal steps: the sum is then exact for piecewise-quadratic paths.
        at = (tf.range(STEPS, dtype=tf.float32) + 0.5) / STEPS
        path = start[None] + at[:, None, None] * (end - start)[None]
        flat = tf.reshape(path, [-1, encoder.encoding.width])
        with tf.GradientTape() as tape:
            tape.watch(flat)
            logits = self.net.from_encoded(flat)
        gradient = tf.reduce_mean(tf.reshape(tape.gradient(logits, flat), tf.shape(path)), axis=0)
        share = tf.transpose(gradient * (end - start))
        return tf.transpose(tf.math.unsorted_segment_sum(share, self.owner, self.features))


class StackAttribution(tf.Module):
    """The contributions to each part of a stack, added up."""

    def __init__(self, stack: Stack, reference: npt.NDArray[np.float32]) -> None:
        super().__init__(name="stack_attribution")
        features = len(reference)
        self.stack = stack
        self.trees = None if stack.trees is None else ForestAttribution(stack.trees, features)
        self.nets = [NetAttribution(net, reference) for net in stack.nets]
        self.forests = [ForestAttribution(forest, features) for forest in stack.forests]

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Contributions [n, d] in raw log-odds."""
        total = tf.zeros_like(features)
        if self.trees is not None:
            total += self.trees(features)
        for net, weight in zip(self.nets, self.stack.net_weights, strict=True):
            total += weight * net(features)
        for forest, weight in zip(self.forests, self.stack.forest_weights, strict=True):
            total += weight * self._on_log_odds(forest, features)
        return total

    def _on_log_odds(self, forest: "ForestAttribution", features: tf.Tensor) -> tf.Tensor:
        """Changes of a probability, stretched per row so that they add up to the change of its log-odds."""
        changes = forest(features)
        end, moved = forest.forest(features), tf.reduce_sum(changes, axis=1)
        rise = log_odds(end) - log_odds(end - moved)
        return changes * tf.math.divide_no_nan(rise, moved)[:, None]


class ForestAttribution(tf.Module):
    """Changes of the expected log-odds along the paths of a forest."""

    def __init__(self, forest: Forest, features: int) -> None:
        super().__init__(name="forest_attribution")
        self.forest = forest
        self.features = features

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Contributions [n, d] in raw log-odds, against the mean of the training rows."""
        count = tf.shape(features)[0]
        first_cell = (tf.range(count) * self.features)[:, None]
        total = tf.zeros([count * self.features], tf.float64)
        for node, following in pairwise(self.forest.walk(features)):
            change = tf.gather(self.forest.value, following) - tf.gather(self.forest.value, node)
            cell = first_cell + tf.gather(self.forest.feature, node)
            total += tf.math.unsorted_segment_sum(change, cell, count * self.features)
        return tf.cast(tf.reshape(total, [count, self.features]), tf.float32)


class WidenedAttribution(tf.Module):
    """The contributions to a scorer of wider rows; a surprise counts for the feature that it is about."""

    def __init__(self, widened: Widened, inner: Attribution, features: int) -> None:
        super().__init__(name="widened_attribution")
        self.widened, self.inner, self.features = widened, inner, features
        self.owners = tf.constant([*range(features), *widened.surprise.owners()], tf.int32)

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Contributions [n, d] in raw log-odds."""
        wide = tf.transpose(self.inner(self.widened.widen(features)))
        return tf.transpose(tf.math.unsorted_segment_sum(wide, self.owners, self.features))


def owners(encoding: Encoding) -> npt.NDArray[np.int32]:
    """Which feature each column of the encoding belongs to, int32 [width]; the order of `TabularEncoder.call`."""
    bins = encoding.slope.shape[0]
    numbers = np.tile(encoding.numbers, bins + 2)
    flags = np.tile(encoding.flags, 2)
    categories = np.repeat(encoding.categories, encoding.options.embedding)
    return np.concatenate([numbers, flags, categories]).astype(np.int32)


def reference_row(features: npt.NDArray[np.float32], kinds: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """A typical payment: medians of numbers and flags, commonest categories, NaN where mostly missing; [d]."""
    reference = np.full(len(kinds), np.nan, np.float32)
    for j, kind in enumerate(kinds):
        present = features[~np.isnan(features[:, j]), j]
        if 2 * len(present) < len(features):
            continue
        if kind == "category":
            values, counts = np.unique(present, return_counts=True)
            reference[j] = values[np.argmax(counts)]
        else:
            # An actual value, not the mean of the middle two: a flag stays 0 or 1.
            reference[j] = np.sort(present)[len(present) // 2]
    return reference
