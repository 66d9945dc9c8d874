"""Hidden values are filled in from the others: the pretext task of a net that has seen no label.

    L = mean over hidden numbers of Huber(ẑ − z) + mean over hidden flags of CE + mean over hidden categories of CE

z is the encoder's standardised logarithm, so that no column outweighs another; categories are asked for as one of a
few buckets of their hash. Devlin et al. 2019, "BERT"; for tables Zhu et al. 2023, "XTab: Cross-table Pretraining for
Tabular Transformers", where reconstruction was the best of the objectives.
"""

from typing import Final

import keras
import numpy as np
import tensorflow as tf

from training.modelling.encoder import Encoding
from training.modelling.losses import masked_mean
from training.modelling.network import FraudNet, build_auxiliary

BUCKETS: Final = 16
"""Of a hidden category's hash that are told apart."""


class Reconstruction:
    """Linear decoders h -> what was hidden, dropped after pre-training."""

    def __init__(self, encoding: Encoding, width: int, *, ignored: list[int], seed: int) -> None:
        """Decoders for every column but the `ignored` ones; `width` is that of h."""
        self.encoding = encoding
        held = (encoding.numbers, encoding.flags, encoding.categories)
        self.asked = [tf.constant(~np.isin(columns, ignored)) for columns in held]
        sizes = (len(encoding.numbers), len(encoding.flags), BUCKETS * len(encoding.categories))
        named = zip(("numbers", "flags", "categories"), sizes, strict=True)
        self.decoders = build_auxiliary(width, {name: size for name, size in named if size}, seed=seed)

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Of the decoders."""
        return [weight for decoder in self.decoders.values() for weight in decoder.trainable_variables]

    def loss(self, net: FraudNet, features: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """Of one batch: features [b, d], hidden bool [b, d]."""
        h, _ = net.represent(tf.where(hidden, tf.constant(np.nan, tf.float32), features), training=True)
        places = (self.encoding.numbers, self.encoding.flags, self.encoding.categories)
        parts = {}
        for (name, wanted), columns, asked in zip(_LOSSES.items(), places, self.asked, strict=True):
            if name in self.decoders:
                x = tf.gather(features, columns.astype(np.int32), axis=1)
                counts = tf.gather(hidden, columns.astype(np.int32), axis=1) & ~tf.math.is_nan(x) & asked
                parts[name] = masked_mean(wanted(self.decoders[name](h), x, self.encoding), counts)
        return tf.add_n(list(parts.values()))


def _numbers(guess: tf.Tensor, x: tf.Tensor, encoding: Encoding) -> tf.Tensor:
    """Huber distance of the encoder's scalars, [b, p]."""
    held = tf.where(tf.math.is_nan(x), 0.0, x)
    logged = tf.sign(held) * tf.math.log1p(tf.abs(held)) if encoding.options.log else held
    z = tf.clip_by_value((logged - encoding.centre) / encoding.scale, -4.0, 4.0)
    error = tf.abs(guess - z)
    return tf.where(error < 1.0, 0.5 * error * error, error - 0.5)


def _flags(guess: tf.Tensor, x: tf.Tensor, _encoding: Encoding) -> tf.Tensor:
    truth = tf.clip_by_value(tf.where(tf.math.is_nan(x), 0.0, x), 0.0, 1.0)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=truth, logits=guess)


def _categories(guess: tf.Tensor, x: tf.Tensor, _encoding: Encoding) -> tf.Tensor:
    bucket = tf.cast(tf.where(tf.math.is_nan(x), 0.0, x), tf.int32) % BUCKETS
    logits = tf.reshape(guess, [-1, x.shape[1], BUCKETS])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=bucket, logits=logits)


_LOSSES: Final = {"numbers": _numbers, "flags": _flags, "categories": _categories}
