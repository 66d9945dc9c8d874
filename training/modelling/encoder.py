"""From raw features to what a net can use: fitted on arrays with numpy, run inside the graph with TensorFlow.

A numeric feature becomes a clipped, standardised signed logarithm, a missing flag, and a piecewise-linear encoding
(Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep Learning") whose edges are *tail*
quantiles: fraud lives in the top percents, where equal-frequency bins are blind.

    z = sign(x) · log(1 + |x|);   bin_k(z) = clip((z − e_k) / (e_{k+1} − e_k), 0, 1)

A category (a stable hash) is looked up in a small table by hash modulo its size. Missing values are NaN throughout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Floats: TypeAlias = npt.NDArray[np.float32]

TAIL_QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995, 1.0)
FEW_QUANTILES: Final = (0.02, 0.5, 0.8, 0.95, 0.99, 0.999)
"""For the student: bins are what scoring costs."""

MISSING_Z: Final = -1e30
"""Stands for NaN before the bins: below every edge, also where numbers stay as large as they come."""


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """How features are encoded.

    Attributes:
        quantiles: edges of the piecewise-linear bins.
        buckets: rows of the embedding table per category.
        embedding: width of an embedding.
        log: signed logarithm of the numbers first; against the skew of amounts and counts.
        fit_rows: rows drawn to fit the quantiles.
    """

    quantiles: tuple[float, ...] = TAIL_QUANTILES
    buckets: int = 512
    embedding: int = 6
    log: bool = True
    fit_rows: int = 50_000


@dataclass(frozen=True, slots=True)
class Encoding:
    """The fitted encoding; p numbers, f flags and c categories of the d features.

    Attributes:
        numbers, flags, categories: column numbers, intp [p], [f], [c].
        slope, offset: bins, float32 [k, p]: bin = clip(slope · z + offset, 0, 1); a bin of no width has both 0.
        centre, scale: of z, float32 [p].
        options: what it was fitted with.
    """

    numbers: npt.NDArray[np.intp]
    flags: npt.NDArray[np.intp]
    categories: npt.NDArray[np.intp]
    slope: Floats
    offset: Floats
    centre: Floats
    scale: Floats
    options: EncodingOptions

    @property
    def width(self) -> int:
        """Columns of the encoded row."""
        bins, numbers = self.slope.shape
        return int(numbers * (bins + 2) + 2 * len(self.flags) + len(self.categories) * self.options.embedding)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As plain arrays, for an npz file."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        sizes = np.array([self.options.buckets, self.options.embedding, self.options.log, self.options.fit_rows])
        return arrays | {"quantiles": np.array(self.options.quantiles), "sizes": sizes}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Back from `to_arrays`."""
        buckets, embedding, log, fit_rows = (int(v) for v in arrays["sizes"])
        options = EncodingOptions(tuple(arrays["quantiles"].tolist()), buckets, embedding, bool(log), fit_rows)
        return cls(**{name: arrays[name] for name in _ARRAYS}, options=options)


_ARRAYS: Final = ("numbers", "flags", "categories", "slope", "offset", "centre", "scale")


def fit_encoding(
    parts: Sequence[Floats],
    kinds: Sequence[str],
    *,
    options: EncodingOptions = EncodingOptions(),
    seed: int = 0,
) -> Encoding:
    """Fits bins and scales on equal shares of every part (source, unlabelled target …); labels play no role.

    Args:
        parts: feature arrays float32 [n_i, d]; empty ones are left out.
        kinds: "number", "flag" or "category" per feature, [d].
        options: how to encode.
        seed: of the draw of rows.
    """
    rows = _draw(parts, options.fit_rows, seed)
    by_kind = {
        k: np.array([i for i, kind in enumerate(kinds) if kind == k], np.intp) for k in ("number", "flag", "category")
    }
    numbers = by_kind["number"]
    fitted = [_fit_number(_transform(rows[:, column], options), options.quantiles) for column in numbers]
    bins = len(options.quantiles) - 1
    stack = np.array([np.concatenate(f) for f in fitted], np.float32).reshape(len(numbers), 2 * bins + 2).T
    return Encoding(
        numbers, by_kind["flag"], by_kind["category"], stack[:bins], stack[bins:-2], stack[-2], stack[-1], options
    )


def _draw(parts: Sequence[Floats], count: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    filled = [part for part in parts if len(part)]
    share = count // max(len(filled), 1)
    return np.concatenate([p if len(p) <= share else p[rng.choice(len(p), share, replace=False)] for p in filled])


def _transform(x: Floats, options: EncodingOptions) -> npt.NDArray[np.float64]:
    finite = x[np.isfinite(x)].astype(np.float64)
    return np.asarray(np.sign(finite) * np.log1p(np.abs(finite)), np.float64) if options.log else finite


def _fit_number(
    z: npt.NDArray[np.float64], quantiles: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[float]]:
    """Slopes [k], offsets [k] and (centre, scale) of one feature; zeros where it is constant or absent."""
    bins = len(quantiles) - 1
    slope, offset = np.zeros(bins), np.zeros(bins)
    if len(z) == 0:
        return slope, offset, [0.0, 1.0]
    edges = np.unique(np.quantile(z, quantiles).astype(np.float32)).astype(np.float64)
    width = np.diff(edges)
    slope[: len(width)] = 1 / width
    offset[: len(width)] = -edges[:-1] / width
    return slope, offset, [float(z.mean()), float(z.std()) or 1.0]


class TabularEncoder(keras.layers.Layer):
    """Runs an `Encoding` in the graph: raw features [n, d] -> encoded [n, width].

    Built for speed at a thousand rows: all bins of all numbers are one broadcast multiply-add and one clip.
    """

    def __init__(self, encoding: Encoding, *, dropout: float = 0.0, seed: int = 0, name: str = "encoder") -> None:
        super().__init__(name=name)
        self.encoding = encoding
        self.seed = seed
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.table = None

    def build(self, input_shape: tuple[int | None, int]) -> None:  # noqa: ARG002  # Keras' signature
        """Makes the one table that holds every category's embeddings."""
        count, options = len(self.encoding.categories), self.encoding.options
        if count:
            self.table = self.add_weight(
                name="embeddings",
                shape=(count * options.buckets, options.embedding),
                initializer=keras.initializers.RandomNormal(stddev=0.05, seed=self.seed),
            )

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encoded rows, float32 [n, width]."""
        parts = [*self._numbers(features), *self._flags(features), *self._categories(features, training=training)]
        return tf.concat(parts, axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, int]) -> tuple[int | None, int]:
        """[n, width]."""
        return (input_shape[0], self.encoding.width)

    def _numbers(self, features: tf.Tensor) -> list[tf.Tensor]:
        code = self.encoding
        if len(code.numbers) == 0:
            return []
        x = tf.gather(features, code.numbers.astype(np.int32), axis=1)
        missing = tf.math.is_nan(x)
        if code.options.log:
            x = tf.sign(x) * tf.math.log1p(tf.abs(x))
        # Bounded, because infinity times the slope 0 of an empty bin would be NaN.
        z = tf.clip_by_value(tf.where(missing, MISSING_Z, x), MISSING_Z, -MISSING_Z)
        scalar = tf.where(missing, 0.0, tf.clip_by_value((z - code.centre) * (1 / code.scale), -4.0, 4.0))
        bins = tf.clip_by_value(z[:, None, :] * code.slope + code.offset, 0.0, 1.0)
        return [tf.reshape(bins, [-1, code.slope.size]), scalar, tf.cast(missing, tf.float32)]

    def _flags(self, features: tf.Tensor) -> list[tf.Tensor]:
        if len(self.encoding.flags) == 0:
            return []
        x = tf.gather(features, self.encoding.flags.astype(np.int32), axis=1)
        missing = tf.math.is_nan(x)
        # Bounded, because weights of both signs would make NaN of an absurd value.
        return [tf.where(missing, 0.0, tf.clip_by_value(x, 0.0, 1.0)), tf.cast(missing, tf.float32)]

    def _categories(self, features: tf.Tensor, *, training: bool) -> list[tf.Tensor]:
        if self.table is None:
            return []
        options, count = self.encoding.options, len(self.encoding.categories)
        x = tf.gather(features, self.encoding.categories.astype(np.int32), axis=1)
        hashed = tf.cast(tf.where(tf.math.is_nan(x), 0.0, x), tf.int32)
        # Bucket 0 is "missing"; present values share the others.
        bucket = tf.where(hashed == 0, 0, 1 + hashed % (options.buckets - 1))
        rows = tf.gather(self.table, bucket + np.arange(count, dtype=np.int32) * options.buckets)
        return [self.dropout(tf.reshape(rows, [-1, count * options.embedding]), training=training)]
