"""The compact tabular network and its separately named parts.

    features ─ extractor(encoder, widen, blocks [, adapters]) ─ h ─ head ─ logit        L_g
                                                              ├─ discriminator ─ domain  L_d (reversed gradient)
                                                              └─ auxiliary heads          L_a

Extractor and head are trained jointly, L = L_f + L_g: the losses that shape the representation (alignment, auxiliary
tasks, distillation) and the one that classifies share one backward pass. A linear *wide* path from the encoding to the
logit stands beside the deep one (Cheng et al. 2016, "Wide & Deep Learning").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.modelling.encoder import Encoding, TabularEncoder


@dataclass(frozen=True, slots=True)
class NetOptions:
    """Size and regularisation of a net.

    Attributes:
        width: of the representation h.
        blocks: residual blocks.
        dropout: inside blocks.
        embedding_dropout: on the embeddings.
        normalise: LayerNorm in blocks; the student does without, for speed.
    """

    width: int = 128
    blocks: int = 2
    dropout: float = 0.15
    embedding_dropout: float = 0.2
    normalise: bool = True


STUDENT = NetOptions(width=64, blocks=1, dropout=0.0, embedding_dropout=0.0, normalise=False)


class ResidualBlock(keras.layers.Layer):
    """h + W2 · dropout(relu(W1 · norm(h))), [n, width] -> [n, width]."""

    def __init__(self, options: NetOptions, *, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.normalise = keras.layers.LayerNormalization(name="normalise") if options.normalise else None
        self.inner = _dense(options.width, seed, "inner", activation="relu")
        self.outer = _dense(options.width, seed + 1, "outer")
        self.dropout = keras.layers.Dropout(options.dropout, seed=seed)

    def call(self, h: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The block's output, [n, width]."""
        inner = h if self.normalise is None else self.normalise(h)
        return h + self.outer(self.dropout(self.inner(inner), training=training))


class Adapter(keras.layers.Layer):
    """A bottleneck beside a frozen block: h + U · relu(D · h), U starting at 0, so that it starts as the identity.

    Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP".
    """

    def __init__(self, width: int, *, bottleneck: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.down = _dense(bottleneck, seed, "down", activation="relu")
        self.up = keras.layers.Dense(width, kernel_initializer="zeros", name="up")

    def call(self, h: tf.Tensor) -> tf.Tensor:
        """The adapted representation, [n, width]."""
        return h + self.up(self.down(h))


class Extractor(keras.layers.Layer):
    """Raw features [n, d] -> (representation h [n, width], encoded [n, e])."""

    def __init__(self, encoding: Encoding, options: NetOptions, *, seed: int, bottleneck: int = 0) -> None:
        super().__init__(name="extractor")
        self.encoder = TabularEncoder(encoding, dropout=options.embedding_dropout, seed=seed)
        self.widen = _dense(options.width, seed + 2, "widen", activation="relu")
        self.blocks = [ResidualBlock(options, seed=seed + 10 * i, name=f"block_{i}") for i in range(options.blocks)]
        self.adapters = [
            Adapter(options.width, bottleneck=bottleneck, seed=seed + 10 * i + 5, name=f"adapter_{i}")
            for i in range(options.blocks if bottleneck else 0)
        ]

    def call(self, features: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """The representation and the encoding that the wide path reads."""
        encoded = self.encoder(features, training=training)
        return self.deepen(encoded, training=training), encoded

    def deepen(self, encoded: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Encoded rows [n, e] -> h [n, width]."""
        h = self.widen(encoded)
        for i, block in enumerate(self.blocks):
            h = block(h, training=training)
            if self.adapters:
                h = self.adapters[i](h)
        return h


class Head(keras.layers.Layer):
    """The classifier g: deep and wide path to one logit, [n]."""

    def __init__(self, *, seed: int) -> None:
        super().__init__(name="head")
        self.deep = _dense(1, seed, "deep")
        self.wide = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="wide")

    def call(self, h: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
        """Logits, float32 [n]."""
        return (self.deep(h) + self.wide(encoded))[:, 0]


class FraudNet(keras.Model):
    """Extractor and head; calling it gives logits [n] of raw features [n, d]."""

    def __init__(self, encoding: Encoding, options: NetOptions, *, seed: int, bottleneck: int = 0) -> None:
        super().__init__(name="fraud_net")
        self.extractor = Extractor(encoding, options, seed=seed, bottleneck=bottleneck)
        self.head = Head(seed=seed + 3)

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, float32 [n]."""
        return self.represent(features, training=training)[1]

    def represent(self, features: tf.Tensor, *, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """(h [n, width], logits [n]): what losses on the representation need."""
        h, encoded = self.extractor(features, training=training)
        return h, self.head(h, encoded)

    def from_encoded(self, encoded: tf.Tensor) -> tf.Tensor:
        """Logits [n] of already encoded rows [n, e]: attributions follow a path between encoded rows."""
        return self.head(self.extractor.deepen(encoded), encoded)


def build_net(
    encoding: Encoding, *, features: int, seed: int, options: NetOptions = NetOptions(), bottleneck: int = 0
) -> FraudNet:
    """A net with its weights made, deterministic by seed.

    Args:
        encoding: fitted encoding of the raw features.
        features: d, columns of the raw features.
        seed: of every initial weight and dropout mask.
        options: size and regularisation.
        bottleneck: width of residual adapters; 0 for none.
    """
    net = FraudNet(encoding, options, seed=seed, bottleneck=bottleneck)
    net(tf.zeros([1, features]))
    return net


def build_discriminator(width: int, *, seed: int) -> keras.Sequential:
    """The domain discriminator: h [n, width] -> logit that the row is a target row, [n, 1]."""
    layers = [keras.Input((width,)), _dense(64, seed, "inner", activation="relu"), _dense(1, seed + 1, "domain")]
    return keras.Sequential(layers, name="discriminator")


def build_auxiliary(width: int, tasks: Mapping[str, int], *, seed: int) -> dict[str, keras.Sequential]:
    """One linear head per auxiliary task: name -> outputs (1 = regression, more = classes)."""
    return {
        name: keras.Sequential([keras.Input((width,)), _dense(outputs, seed + i, "out")], name=f"auxiliary_{name}")
        for i, (name, outputs) in enumerate(sorted(tasks.items()))
    }


def get_weights(net: FraudNet) -> dict[str, npt.NDArray[Any]]:
    """Weights by path ("extractor/block_0/inner/kernel"), for an npz file."""
    return {_path(w): w.numpy() for w in net.trainable_variables}


def set_weights(net: FraudNet, arrays: Mapping[str, npt.NDArray[Any]], *, strict: bool = True) -> None:
    """Sets weights by path; with `strict` off, weights without an array (new adapters) stay as they are."""
    for weight in net.trainable_variables:
        if strict or _path(weight) in arrays:
            weight.assign(arrays[_path(weight)])


def predict(net: keras.Model, features: npt.NDArray[np.float32], *, batch: int = 4096) -> npt.NDArray[np.float32]:
    """Logits of many rows, float32 [n], without Keras' `predict`, which is slow and leaks when called often."""
    call = tf.function(net, input_signature=[tf.TensorSpec([None, features.shape[1]], tf.float32)])
    parts = [call(features[i : i + batch]).numpy() for i in range(0, len(features), batch)]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _path(weight: Any) -> str:  # noqa: ANN401  # Keras' Variable has no type here
    return str(weight.path).partition("/")[2]


def _dense(units: int, seed: int, name: str, *, activation: str | None = None) -> keras.layers.Dense:
    initial = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, activation=activation, kernel_initializer=initial, name=name)
