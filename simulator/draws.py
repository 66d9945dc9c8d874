"""Random numbers and ids that depend on names, not on the order of calls: what makes same seed, same bytes."""

from typing import TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Int64s: TypeAlias = npt.NDArray[np.int64]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that a new dial does not move every other draw."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *(crc32(n.encode()) for n in names)])))


def mix(values: npt.NDArray[np.int64] | npt.NDArray[np.uint64], salt: int | UInt64s | Int64s) -> Int64s:
    """A stable 63-bit hash of ids and a salt (SplitMix64, Steele et al. 2014); [n] -> int64 [n], never 0."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        salts = np.asarray(salt).astype(np.uint64) * golden + golden
        z = np.asarray(values).astype(np.uint64) ^ salts
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    hashed: Int64s = np.maximum(z >> np.uint64(1), np.uint64(1)).astype(np.int64)
    return hashed


def uniform_of(ids: Int64s, salt: int) -> Float64s:
    """A uniform number in [0, 1) that belongs to the id, whatever else is drawn; float64 [n]."""
    return (mix(ids, salt) >> 10).astype(np.float64) / float(1 << 53)


def normal_of(ids: Int64s, salt: int) -> Float64s:
    """A standard normal number that belongs to the id; float64 [n]."""
    normal: Float64s = ndtri(np.clip(uniform_of(ids, salt), 1e-9, 1 - 1e-9))
    return normal


def salt_of(*names: str | int) -> int:
    """A salt from names; platforms and purposes get ids of their own by it."""
    return crc32("/".join(map(str, names)).encode())


def choose(rng: np.random.Generator, weights: npt.ArrayLike, count: int) -> Int64s:
    """Indices drawn with the given weights; int64 [count]."""
    return pick(rng.random(count), weights)


def pick(uniform: Float64s, weights: npt.ArrayLike) -> Int64s:
    """Indices with the given weights by numbers in [0, 1); int64 [n]."""
    edges = np.cumsum(np.asarray(weights, np.float64))
    picked = np.searchsorted(edges, uniform * edges[-1], side="right")
    indices: Int64s = np.minimum(picked, len(edges) - 1).astype(np.int64)
    return indices
