"""Known words (names of fields, values of enumerations) and finding the one that stands in a message."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from fraud.compiled import compiled
from fraud.decoding.kernel.xxh3 import LONGEST, Bytes, Int, xxh3

UNKNOWN: Final = -1


class Words(NamedTuple):
    """An open hash table.

    Attributes:
        slots: int64 [a power of 2], number of the word or UNKNOWN; never full.
        letters: uint8, all words one after another.
        ends: int64 [words + 1], where each one ends; the first one begins at `ends[0]`.
    """

    slots: npt.NDArray[np.int64]
    letters: Bytes
    ends: npt.NDArray[np.int64]


def words_of(words: Sequence[str]) -> Words:
    """The table of distinct words, numbered in their order; of those that are too long none is ever found."""
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    letters = np.frombuffer(b"".join(encoded) or b"\0", np.uint8)
    slots = np.full(4 << len(words).bit_length(), UNKNOWN, np.int64)
    for number, word in enumerate(encoded):
        if 0 < len(word) <= LONGEST:
            place = xxh3_64_intdigest(word) & (len(slots) - 1)
            while slots[place] != UNKNOWN:
                place = (place + 1) & (len(slots) - 1)
            slots[place] = number
    return Words(slots, letters, ends)


@compiled
def find(words: Words, data: Bytes, start: Int, end: Int) -> Int:
    """The number of the word that stands in `data[start:end]`; UNKNOWN where it is none of them."""
    length = end - start
    if length < 1 or length > LONGEST:
        return UNKNOWN
    mask = np.int64(len(words.slots) - 1)
    place = np.int64(xxh3(data, start, length)) & mask
    while True:
        number = words.slots[place]
        if number < 0:
            return UNKNOWN
        first = words.ends[number]
        if words.ends[number + 1] - first == length and _equal(words.letters, first, data, start, length):
            return number
        place = (place + 1) & mask


@compiled
def _equal(left: Bytes, at: Int, right: Bytes, start: Int, length: Int) -> bool:
    for i in range(length):
        if left[at + i] != right[start + i]:
            return False
    return True
