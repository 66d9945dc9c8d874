"""Where the values of a JSON object lie: the grammar of RFC 8259 but for what is unusual, which ends a scan.

Unusual are escapes, exponents, a whole zero with a sign, numbers of more digits than anybody means, and arrays.
"""

from typing import Final, TypeAlias

import numpy as np

from fraud.compiled import compiled
from fraud.decoding.kernel.instructions import load32, load64, lowest_bit
from fraud.decoding.kernel.xxh3 import Bytes, Int

ABSENT, NULL, TRUE, FALSE, STRING, WHOLE, DECIMAL, ENTRIES, ODD = range(9)
"""Kinds of values: a whole number has neither point nor fraction, `ENTRIES` are those of `attributes`."""

MAX_DIGITS: Final = 18
"""Digits before the point: such a number fits an int64. As many are behind it, at most `MAX_FRACTION`."""

MAX_FRACTION: Final = 22

Token: TypeAlias = tuple[Int, Int, Int, Int, Int]
"""Kind, start, end, characters if a string, and where what follows begins."""

_QUOTE, _BACKSLASH, _MINUS, _POINT, _ZERO, _NINE, _SPACE, _F = (ord(sign) for sign in '"\\-.09 f')
_U = np.uint64
_ONES = _U(0x0101010101010101)
_HIGH = _U(0x8080808080808080)
_TRUE, _FALSE, _NULL = (_U(int.from_bytes(word, "little")) for word in (b"true", b"alse", b"null"))
_QUOTES, _BACKSLASHES, _SPACES = (_U(0x0101010101010101 * ord(sign)) for sign in '"\\ ')


@compiled
def skip(data: Bytes, at: Int, end: Int) -> Int:
    """The first place from `at` on that holds no white space."""
    while at < end and (data[at] == _SPACE or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += 1
    return at


@compiled
def string(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """Where a string's content that begins at `at` ends, and how many characters it has; -1 where it is unusual.

    It is valid UTF-8 without control characters and escapes.
    """
    more: Int = 0  # bytes beyond the first of a character
    start = at
    while at < end:
        if at + 8 <= end:
            word = load64(data, at)
            special = _special(word)
            if special == 0:
                at += 8
                continue
            at += lowest_bit(special) >> 3
        byte = data[at]
        if byte == _QUOTE:
            return at, at - start - more
        if byte == _BACKSLASH or byte < _SPACE:
            return -1, 0
        if byte < 128:
            at += 1
            continue
        width = _character(data, at, end)
        if width < 0:
            return -1, 0
        at += width
        more += width - 1
    return -1, 0


@compiled
def _special(word: np.uint64) -> np.uint64:
    """The high bit of each of eight bytes that is a quote, a backslash, a control character or not ASCII.

    Exact up to the lowest one: a subtraction borrows from the bytes above a hit only.
    """
    quotes, backslashes = word ^ _QUOTES, word ^ _BACKSLASHES
    found = ((quotes - _ONES) & ~quotes) | ((backslashes - _ONES) & ~backslashes) | ((word - _SPACES) & ~word) | word
    return found & _HIGH


@compiled
def _character(data: Bytes, at: Int, end: Int) -> Int:
    """Bytes of the character of UTF-8 at `at`, which is not ASCII; -1 where it is none (RFC 3629, table in 4)."""
    first = data[at]
    if first < 0xC2 or first > 0xF4:
        return -1
    width = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + width > end:
        return -1
    for place in range(at + 1, at + width):
        if data[place] & 0xC0 != 0x80:
            return -1
    second = data[at + 1]
    if first == 0xE0 and second < 0xA0:  # could be shorter
        return -1
    if first == 0xED and second > 0x9F:  # half a surrogate pair
        return -1
    if first == 0xF0 and second < 0x90:
        return -1
    if first == 0xF4 and second > 0x8F:  # past the last character
        return -1
    return width


@compiled
def value(data: Bytes, at: Int, end: Int) -> Token:
    """The value at `at`, which is no object."""
    if at >= end:
        return ODD, at, at, 0, at
    first = data[at]
    if first == _QUOTE:
        stop, characters = string(data, at + 1, end)
        return (STRING if stop >= 0 else ODD), at + 1, stop, characters, stop + 1
    if first == _MINUS or (first >= _ZERO and first <= _NINE):
        kind, stop = _number(data, at, end)
        return kind, at, stop, 0, stop
    kind, stop = _literal(data, at, end)
    return kind, at, stop, 0, stop


@compiled
def _number(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """Kind and end of a number; what may not follow one, such as an exponent, whoever reads on finds."""
    negative = data[at] == _MINUS
    if negative:
        at += 1
    whole = digits(data, at, end)
    if whole == 0 or whole > MAX_DIGITS or (data[at] == _ZERO and whole > 1):
        return ODD, at
    zero = data[at] == _ZERO
    at += whole
    if at >= end or data[at] != _POINT:
        return (ODD if negative and zero else WHOLE), at
    fraction = digits(data, at + 1, end)
    if fraction == 0 or fraction > MAX_FRACTION:
        return ODD, at
    return DECIMAL, at + 1 + fraction


@compiled
def digits(data: Bytes, at: Int, end: Int) -> Int:
    """How many digits stand at `at`."""
    start = at
    while at < end and data[at] >= _ZERO and data[at] <= _NINE:
        at += 1
    return at - start


@compiled
def _literal(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    if end - at >= 4:
        word = load32(data, at)
        if word == _TRUE:
            return TRUE, at + 4
        if word == _NULL:
            return NULL, at + 4
        if end - at >= 5 and data[at] == _F and load32(data, at + 1) == _FALSE:
            return FALSE, at + 5
    return ODD, at
