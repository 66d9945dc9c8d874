"""Labelled rows, and the draws that training makes from them."""

from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from training.data.dataset import (
    Dataset,
)
from training.data.errors import (
    InvalidDataset,
)

Floats: TypeAlias = npt.NDArray[np.float32]
Indices: TypeAlias = npt.NDArray[np.int64]

MIN_FRAUDS: Final = 3
"""Fewer frauds among the labels teach nothing, and no calibration can stand on them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """n labelled rows in time order.

    Attributes:
        features: float32 [n, d], NaN = missing.
        label: int8 [n], 1 fraud, 0 genuine.
        time: int64 [n], event time in µs since 1970 UTC.
        weight: float32 [n], how far each label is believed; ones by default.
    """

    features: Floats
    label: npt.NDArray[np.int8]
    time: npt.NDArray[np.int64]
    weight: Floats = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        if len(self.weight) != len(self.label):
            object.__setattr__(self, "weight", np.ones(len(self.label), np.float32))

    def __len__(self) -> int:
        return len(self.label)

    @property
    def frauds(self) -> int:
        """Rows with label 1."""
        return int(np.count_nonzero(self.label == 1))

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> Self:
        """The chosen rows, in the given order."""
        return type(self)(self.features[rows], self.label[rows], self.time[rows], self.weight[rows])

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """The labelled rows of a data set, in time order."""
        known = dataset.labelled()
        order = np.argsort(known.time, kind="stable")
        return cls(known.features[order], known.label[order], known.time[order])


def check_trainable(sample: Sample, where: str) -> None:
    """Raises InvalidDataset when `sample` has no rows, too few frauds, one class, or nothing but constants."""
    if len(sample) == 0:
        raise InvalidDataset(f"{where}: no labelled rows; give a file with matured labels or a later --as-of")
    if sample.frauds < MIN_FRAUDS:
        raise InvalidDataset(
            f"{where}: {sample.frauds} frauds among {len(sample)} labels; at least {MIN_FRAUDS} are needed"
        )
    if sample.frauds == len(sample):
        raise InvalidDataset(f"{where}: every label is fraud; genuine ones are needed too")
    with np.errstate(invalid="ignore"):
        varies = (sample.features != sample.features[:1]) & ~np.isnan(sample.features)
    if not varies.any():
        raise InvalidDataset(f"{where}: every feature is constant; nothing can be learnt from it")


def thin(sample: Sample, rows: int, *, seed: int) -> Sample:
    """At most `rows` rows: every fraud (up to half of them) and a uniform draw of the genuine, in time order."""
    if len(sample) <= rows:
        return sample
    rng = np.random.default_rng(seed)
    frauds, genuine = np.flatnonzero(sample.label == 1), np.flatnonzero(sample.label == 0)
    kept = frauds if len(frauds) <= rows // 2 else rng.choice(frauds, rows // 2, replace=False)
    drawn = rng.choice(genuine, min(rows - len(kept), len(genuine)), replace=False)
    return sample.take(np.sort(np.concatenate([kept, drawn])))


def some_rows(features: Floats, count: int, *, seed: int) -> Floats:
    """At most `count` rows, drawn uniformly, in their order."""
    if len(features) <= count:
        return features
    return features[np.sort(np.random.default_rng(seed).choice(len(features), count, replace=False))]


def row_keys(features: Floats) -> npt.NDArray[np.uint64]:
    """A number for each row by its bits, uint64 [n]: equal rows have equal ones, others hardly ever."""
    bits = np.ascontiguousarray(features).view(np.uint32).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, features.shape[1], dtype=np.uint64) * np.uint64(2)
    return np.asarray((bits * (factors + np.uint64(1))).sum(axis=1, dtype=np.uint64))  # wraps round


def balanced(label: npt.NDArray[np.int8], *, steps: int, batch: int, share: float, seed: int) -> Indices:
    """Row numbers [steps, batch] of which `share` are frauds: at a base rate of 0.2 % most batches would hold none.

    Scores learnt this way are off by one constant in log-odds; calibration takes it out.
    """
    rng = np.random.default_rng(seed)
    frauds, genuine = np.flatnonzero(label == 1), np.flatnonzero(label != 1)
    wanted = max(1, round(batch * share))
    parts = [_cycle(frauds, steps * wanted, rng), _cycle(genuine, steps * (batch - wanted), rng)]
    return np.concatenate([part.reshape(steps, -1) for part in parts], axis=1)


def uniform(count: int, *, steps: int, batch: int, seed: int) -> Indices:
    """Row numbers [steps, batch] of `count` rows, each row once per pass."""
    return _cycle(np.arange(count), steps * batch, np.random.default_rng(seed)).reshape(steps, batch)


def _cycle(rows: npt.NDArray[np.intp], count: int, rng: np.random.Generator) -> Indices:
    """`count` of `rows`, in passes of one permutation each."""
    passes = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(passes)])[:count].astype(np.int64)
