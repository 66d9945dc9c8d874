"""An open-addressing hash table over records with a `key`: linear probing, deletion by backward shift.

The table holds record index + 1, 0 for an empty place. Keys are well mixed already, so their low bits are the place.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.history.kernel.layout import Int, Records

Table: TypeAlias = npt.NDArray[np.uint32]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
_LOW = np.uint64(0xFFFFFFFF)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@compiled
def mix(value: np.uint64, salt: np.uint64) -> np.uint64:
    """A 64-bit hash of a value under a salt (splitmix64), never 0."""
    x = np.uint64(value + salt * _GOLDEN)
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    x = x ^ (x >> _S31)
    return x if x != _ZERO else _ONE


@compiled
def tag(value: np.uint64) -> np.uint32:
    """The low 32 bits of a hash, never 0 unless the hash is absent (0)."""
    if value == _ZERO:
        return np.uint32(0)
    low = value & _LOW
    return np.uint32(low if low != _ZERO else _ONE)


@compiled
def find(table: Table, records: Records, key: np.uint64) -> Int:
    """The record's index, or -1."""
    mask = table.size - 1
    place = np.int64(key & np.uint64(mask))
    while True:
        held = np.int64(table[place])
        if held == 0:
            return -1
        if records[held - 1]["key"] == key:
            return held - 1
        place = (place + 1) & mask


@compiled
def insert(table: Table, key: np.uint64, index: Int) -> None:
    """Enter a record whose key is not in the table."""
    mask = table.size - 1
    place = np.int64(key & np.uint64(mask))
    while table[place] != 0:
        place = (place + 1) & mask
    table[place] = index + 1


@compiled
def delete(table: Table, records: Records, key: np.uint64) -> None:
    """Remove a record that is in the table, closing the gap so that probes stay short."""
    mask = table.size - 1
    hole = np.int64(key & np.uint64(mask))
    while records[np.int64(table[hole]) - 1]["key"] != key:
        hole = (hole + 1) & mask
    place = (hole + 1) & mask
    while table[place] != 0:
        home = np.int64(records[np.int64(table[place]) - 1]["key"] & np.uint64(mask))
        if ((place - home) & mask) >= ((place - hole) & mask):
            table[hole] = table[place]
            hole = place
        place = (place + 1) & mask
    table[hole] = 0
