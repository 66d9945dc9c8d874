"""Auxiliary heads on the shared representation.

    L = CE(source) + CE(target) + λ Σ_k L_k

Three tasks beside fraud, all from the rows themselves, so that unlabelled target rows teach too:

- *next merchant category*: from the history alone (the event's own columns are masked), which kind of shop comes next;
- *amount*: from the history alone, the logarithm of the amount;
- *fraud type*, on frauds only: card testing, takeover of a known account, or a new account. Labels carry no type, so
  it is read off the row as an analyst would.

Caruana 1997, "Multitask Learning".
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import tensorflow as tf

from training.modelling.losses import soft_cross_entropy
from training.modelling.network import build_auxiliary
from training.modelling.strategies.batches import Batch, fit_strategy
from training.modelling.strategies.task import Adapted, Task

STRENGTH: Final = 0.2
CATEGORIES: Final = 16
TYPES: Final = 3
TINY: Final = 2.0
"""Amounts up to this many units of the base currency are what card testers try."""

OWN: Final = ("amount", "cents", "items_count", "is_digital")
"""Features of the event itself that give its amount or its shop away."""

OWN_BEGINNINGS: Final = ("merchant_", "customer_merchant_")
"""The shop's own past tells which shop it is."""

OWN_ENDS: Final = ("amount_gap", "amount_score")


def adapt(task: Task) -> Adapted:
    """One net with auxiliary heads, which are dropped afterwards."""
    net = task.base.teacher(0, seed=task.seed)
    names = task.base.names
    heads = build_auxiliary(
        task.base.net_options.width, {"amount": 1, "category": CATEGORIES, "type": TYPES}, seed=task.seed
    )
    own = tf.constant(np.isin(np.arange(len(names)), own_columns(names)))

    def history_loss(features: tf.Tensor) -> tf.Tensor:
        masked = tf.where(own, tf.constant(np.nan, tf.float32), features)
        h, _ = net.represent(masked, training=True)
        return amount_loss(heads["amount"](h)[:, 0], features, names) + category_loss(
            heads["category"](h), features, names
        )

    def loss(batch: Batch, _share: tf.Tensor) -> tf.Tensor:
        h, source = net.represent(batch["source"]["features"], training=True)
        _, target = net.represent(batch["target"]["features"], training=True)
        kinds = type_loss(heads["type"](h), batch["source"]["features"], batch["source"]["target"], names)
        auxiliary = history_loss(batch["unlabelled"]["features"]) + kinds
        return (
            soft_cross_entropy(source, batch["source"]["target"])
            + soft_cross_entropy(target, batch["target"]["target"])
            + STRENGTH * auxiliary
        )

    extra = [weight for head in heads.values() for weight in head.trainable_variables]
    fit_strategy(
        task,
        loss,
        [*net.trainable_variables, *extra],
        ("source", "target", "unlabelled"),
        seed=task.seed,
        what="net with auxiliary heads",
    )
    return Adapted(net, why="one net with auxiliary heads for amount, merchant category and fraud type")


def own_columns(names: Sequence[str]) -> list[int]:
    """Columns that tell the event itself rather than its history."""
    return [i for i, n in enumerate(names) if n in OWN or n.startswith(OWN_BEGINNINGS) or n.endswith(OWN_ENDS)]


def amount_loss(predicted: tf.Tensor, features: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """Huber distance to log(1 + amount), [n] against [n]; 0 where the features hold no amount."""
    x = _column(features, names, "amount")
    known = tf.cast(~tf.math.is_nan(x), tf.float32)
    truth = tf.math.log1p(tf.where(tf.math.is_nan(x), 0.0, tf.abs(x)))
    error = tf.abs(predicted - truth)
    return _mean(tf.where(error < 1.0, 0.5 * error * error, error - 0.5), known)


def category_loss(logits: tf.Tensor, features: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """Cross-entropy of the merchant category's bucket, logits [n, CATEGORIES]."""
    x = _column(features, names, "merchant_category")
    known = tf.cast(~tf.math.is_nan(x), tf.float32)
    bucket = tf.cast(tf.where(tf.math.is_nan(x), 0.0, x), tf.int32) % CATEGORIES
    return _mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=bucket, logits=logits), known)


def type_loss(logits: tf.Tensor, features: tf.Tensor, fraud: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """Cross-entropy of the fraud's type on frauds, logits [n, TYPES], fraud [n] 0 or 1."""
    amount = _column(features, names, "amount")
    age = _column(features, names, "account_age_hours")
    # NaN compares false: an unknown age counts as a known account, an unknown amount as no test.
    kind = tf.where(amount <= TINY, 0, tf.where(age < 24.0, 2, 1))
    return _mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=kind, logits=logits), fraud)


def _column(features: tf.Tensor, names: Sequence[str], name: str) -> tf.Tensor:
    if name in names:
        return features[:, list(names).index(name)]
    return tf.fill([tf.shape(features)[0]], np.float32(np.nan))


def _mean(values: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
