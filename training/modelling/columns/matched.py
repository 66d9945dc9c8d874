"""A base in the columns of a target with other fields: matched by name, with nets that score as before.

What the target lacks is dropped. The nets learnt what to make of a missing value of it; that is constant now, and goes
into their biases. What only the target has is missing in the source's rows; the nets get inputs for it with weights of
zero, so that at first it changes nothing, and the target's labels can teach it. The source's trees go on reading their
own columns.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

from training.data.errors import InvalidDataset
from training.data.sample import Floats, Sample
from training.modelling.base import Base, MappedTrees, Weights, taken
from training.modelling.encoder import Encoding, fit_encoding

_EMBEDDINGS: Final = "extractor/encoder/embeddings"
_READERS: Final = (("extractor/widen/kernel", "extractor/widen/bias"), ("head/wide/kernel", "head/deep/bias"))
"""What reads encoded rows, and the bias that is added to what it makes of them."""

_SPREAD: Final = 0.05
"""Of the first embeddings of a new category, as `TabularEncoder` draws them."""


def in_columns(base: Base, names: Sequence[str], kinds: Sequence[str], features: Floats, *, seed: int = 0) -> Base:
    """The base with these columns.

    Args:
        base: of other fields.
        names: of the target's features.
        kinds: of the target's features.
        features: of target rows, float32 [u, d], which the encoding of what only the target has is fitted on.
        seed: of what is drawn for the new.

    Raises:
        InvalidDataset: a feature of both is of another kind in each.
    """
    _check_kinds(base, names, kinds)
    place = {name: column for column, name in enumerate(base.names)}
    source = np.array([place.get(name, -1) for name in names], np.intp)
    fresh = fit_encoding([features], kinds, options=base.encoding.options, seed=seed)
    encoding = _merged(base.encoding, fresh, source)
    columns = np.full(len(base.names), -1, np.intp)
    columns[source[source >= 0]] = np.flatnonzero(source >= 0)
    return replace(
        base,
        names=tuple(names),
        kinds=tuple(kinds),
        encoding=encoding,
        teachers=tuple(_carried(base, weights, encoding, columns, seed) for weights in base.teachers),
        booster=None if base.booster is None else _mapped(base.booster, columns),
        source=_in_order(base.source, source),
        held_out=_in_order(base.held_out, source),
    )


def _mapped(booster: lightgbm.Booster | MappedTrees, columns: npt.NDArray[np.intp]) -> MappedTrees:
    if isinstance(booster, MappedTrees):
        raise TypeError("a base is mapped once, from the columns that it was pre-trained in")
    return MappedTrees(booster, columns)


def _check_kinds(base: Base, names: Sequence[str], kinds: Sequence[str]) -> None:
    before = dict(zip(base.names, base.kinds, strict=True))
    for name, kind in zip(names, kinds, strict=True):
        if before.get(name, kind) != kind:
            raise InvalidDataset(
                f"{name} is a {before[name]} in the base and a {kind} in the target: declare one kind for both, or "
                "another name"
            )


def _in_order(sample: Sample, columns: npt.NDArray[np.intp]) -> Sample:
    return Sample(taken(sample.features, columns), sample.label, sample.time)


def _merged(base: Encoding, fresh: Encoding, source: npt.NDArray[np.intp]) -> Encoding:
    """The target's encoding, with the base's own numbers for the features that both have."""
    held = {int(column): number for number, column in enumerate(base.numbers)}
    old = np.array([held.get(int(source[column]), -1) for column in fresh.numbers], np.intp)
    both = old >= 0
    slope, offset, centre, scale = (getattr(fresh, name).copy() for name in ("slope", "offset", "centre", "scale"))
    slope[:, both], offset[:, both] = base.slope[:, old[both]], base.offset[:, old[both]]
    centre[both], scale[both] = base.centre[old[both]], base.scale[old[both]]
    return replace(fresh, slope=slope, offset=offset, centre=centre, scale=scale)


def _carried(base: Base, weights: Weights, encoding: Encoding, columns: npt.NDArray[np.intp], seed: int) -> Weights:
    """A net's weights for the new encoding."""
    before, after = encoded_places(base.encoding), encoded_places(encoding)
    carried = dict(weights)
    if _EMBEDDINGS in weights or len(encoding.categories):
        carried[_EMBEDDINGS] = _embeddings(base, weights, encoding, columns, seed)
    for kernel, bias in _READERS:
        grown = np.zeros((encoding.width, weights[kernel].shape[1]), np.float32)
        constant = np.zeros(weights[kernel].shape[1], np.float32)
        for column, places in before.items():
            if columns[column] >= 0:
                grown[after[int(columns[column])]] = weights[kernel][places]
            else:
                constant += _of_missing(base, weights, column) @ weights[kernel][places]
        carried[kernel] = grown
        carried[bias] = carried[bias] + constant
    return carried


def _embeddings(
    base: Base, weights: Weights, encoding: Encoding, columns: npt.NDArray[np.intp], seed: int
) -> npt.NDArray[np.float32]:
    options = encoding.options
    table = np.random.default_rng(seed).normal(
        0, _SPREAD, (len(encoding.categories), options.buckets, options.embedding)
    )
    known = {int(column): number for number, column in enumerate(encoding.categories)}
    for number, column in enumerate(base.encoding.categories):
        if columns[column] >= 0:
            rows = slice(number * options.buckets, (number + 1) * options.buckets)
            table[known[int(columns[column])]] = weights[_EMBEDDINGS][rows]
    return table.reshape(-1, options.embedding).astype(np.float32)


def _of_missing(base: Base, weights: Weights, column: int) -> npt.NDArray[np.float32]:
    """What a missing value of a feature is encoded as, in the order of `encoded_places`."""
    options = base.encoding.options
    number = np.flatnonzero(base.encoding.categories == column)
    if len(number):
        row: npt.NDArray[np.float32] = weights[_EMBEDDINGS][int(number[0]) * options.buckets]
        return row
    size = len(base.encoding.slope) + 2 if column in base.encoding.numbers else 2
    return np.array([*[0.0] * (size - 1), 1.0], np.float32)


def encoded_places(encoding: Encoding) -> dict[int, npt.NDArray[np.intp]]:
    """Feature -> its places in the encoded row, the flag of a missing value last; as `TabularEncoder` lays them out."""
    bins, numbers = encoding.slope.shape
    flags, width = len(encoding.flags), encoding.options.embedding
    found = {}
    for j, column in enumerate(encoding.numbers):
        own = [k * numbers + j for k in range(bins)]
        found[int(column)] = np.array([*own, bins * numbers + j, (bins + 1) * numbers + j], np.intp)
    start = (bins + 2) * numbers
    for j, column in enumerate(encoding.flags):
        found[int(column)] = np.array([start + j, start + flags + j], np.intp)
    start += 2 * flags
    for j, column in enumerate(encoding.categories):
        found[int(column)] = np.arange(start + j * width, start + (j + 1) * width)
    return found
