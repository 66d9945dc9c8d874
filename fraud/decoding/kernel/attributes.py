"""The object `attributes` of a message: a shop's own fields, read as `fraud.decoding.own_fields` says."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.batch import CATEGORY_BUCKETS, hash_id
from fraud.decoding.kernel.instructions import load32
from fraud.decoding.kernel.scanner import DECIMAL, FALSE, STRING, TRUE, WHOLE, skip, string, value
from fraud.decoding.kernel.values import float32_of, is_decimal, is_long, may_hold_card
from fraud.decoding.kernel.words import Words, find
from fraud.decoding.kernel.xxh3 import LONGEST, Bool, Bytes, Int, xxh3

NUMBER, FLAG, CATEGORY, ENTITY = range(4)
"""Columns of `Own.places`."""

NOWHERE: Final = -1

_CLOSE, _QUOTE, _COLON, _COMMA, _ZERO, _ONE, _F = (ord(sign) for sign in '}":,01f')
_TRUE, _ALSE = (np.uint64(int.from_bytes(word, "little")) for word in (b"true", b"alse"))
_TRUE_HASH, _FALSE_HASH = (np.uint64(hash_id(word)) for word in ("true", "false"))


class Own(NamedTuple):
    """What is known of `attributes`.

    Attributes:
        names: of the declared fields.
        places: int64 [names, 4], its column as a number, flag, category or entity; NOWHERE where it is none.
        seen: bool [names], scratch: which of them stand in the present message.
        max_text: characters of a name or a text.
        max_entries: entries.
        masks: whether card numbers are looked for.
    """

    names: Words
    places: npt.NDArray[np.int64]
    seen: npt.NDArray[np.bool_]
    max_text: int
    max_entries: int
    masks: bool


@compiled
def category_of(hashed: np.uint64) -> np.uint32:
    """`fraud.decoding.batch.hash_category` of a text's hash."""
    return np.uint32(hashed % np.uint64(CATEGORY_BUCKETS - 1) + np.uint64(1))


@compiled
def id_of(hashed: np.uint64) -> np.uint64:
    """`fraud.decoding.batch.hash_id` of a text's hash."""
    return hashed if hashed != 0 else np.uint64(1)


@compiled
def read_attributes(
    data: Bytes, at: Int, end: Int, own: Own, values: npt.NDArray[np.float32], ids: npt.NDArray[np.uint64], row: Int
) -> Int:
    """Reads the object that begins at `at` into a row of own values and of own ids, which hold what is missing.

    Returns:
        Where it is over; -1 where it is unusual.
    """
    for name in range(len(own.seen)):
        own.seen[name] = False
    at = skip(data, at + 1, end)
    if at < end and data[at] == _CLOSE:
        return at + 1
    for _ in range(own.max_entries):
        if at >= end or data[at] != _QUOTE:
            return -1
        first = at + 1
        last, characters = string(data, first, end)
        if last < 0 or characters < 1 or characters > own.max_text or (own.masks and may_hold_card(data, first, last)):
            return -1
        at = skip(data, last + 1, end)
        if at >= end or data[at] != _COLON:
            return -1
        kind, start, stop, characters, at = value(data, skip(data, at + 1, end), end)
        if not _is_sound(data, kind, start, stop, characters, own):
            return -1
        field = find(own.names, data, first, last)
        if field >= 0:
            if own.seen[field] or not _take(data, kind, start, stop, own.places, field, values, ids, row):
                return -1
            own.seen[field] = True
        at = skip(data, at, end)
        if at >= end:
            return -1
        if data[at] == _CLOSE:
            return at + 1
        if data[at] != _COMMA:
            return -1
        at = skip(data, at + 1, end)
    return -1


@compiled
def _is_sound(data: Bytes, kind: Int, start: Int, stop: Int, characters: Int, own: Own) -> Bool:
    """Whether a value is one that any attribute may have, and certainly no card number."""
    if kind == STRING:
        return characters >= 1 and characters <= own.max_text and not (own.masks and may_hold_card(data, start, stop))
    if kind == WHOLE or kind == DECIMAL:
        return not (own.masks and is_long(data, start, stop))
    return kind == TRUE or kind == FALSE


@compiled
def _take(
    data: Bytes,
    kind: Int,
    start: Int,
    stop: Int,
    places: npt.NDArray[np.int64],
    name: Int,
    values: npt.NDArray[np.float32],
    ids: npt.NDArray[np.uint64],
    row: Int,
) -> bool:
    """Puts a declared field's value where it belongs; False where it is of the wrong kind, or not certainly right."""
    if places[name, NUMBER] >= 0:
        if not (kind == WHOLE or kind == DECIMAL or (kind == STRING and is_decimal(data, start, stop))):
            return False
        number, certain = float32_of(data, start, stop)
        if not certain:
            return False
        values[row, places[name, NUMBER]] = number
    if places[name, FLAG] >= 0:
        flag = _flag(data, kind, start, stop)
        if flag < 0:
            return False
        values[row, places[name, FLAG]] = flag
    if places[name, CATEGORY] >= 0 or places[name, ENTITY] >= 0:
        # A number's text is that of its value, so only whole ones stand as they are said.
        if kind == DECIMAL or stop - start > LONGEST:
            return False
        if kind == TRUE or kind == FALSE:
            hashed = _TRUE_HASH if kind == TRUE else _FALSE_HASH
        else:
            hashed = xxh3(data, start, stop - start)
        if places[name, CATEGORY] >= 0:
            values[row, places[name, CATEGORY]] = category_of(hashed)
        if places[name, ENTITY] >= 0:
            ids[row, places[name, ENTITY]] = id_of(hashed)
    return True


@compiled
def _flag(data: Bytes, kind: Int, start: Int, stop: Int) -> Int:
    """1 or 0 as a literal, number or text; -1 of anything else."""
    if kind == TRUE or kind == FALSE:
        return 1 if kind == TRUE else 0
    if kind == DECIMAL:
        return -1
    if stop - start == 1:
        return 1 if data[start] == _ONE else (0 if data[start] == _ZERO else -1)
    if kind == STRING and stop - start == 4 and load32(data, start) == _TRUE:
        return 1
    if kind == STRING and stop - start == 5 and data[start] == _F and load32(data, start + 1) == _ALSE:
        return 0
    return -1
