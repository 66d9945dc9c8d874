"""One message: its fields found, and each judged by itself."""

from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.batch import MISSING
from fraud.decoding.kernel.attributes import Own, read_attributes
from fraud.decoding.kernel.fields import (
    AT_ATTRIBUTES,
    AT_TYPE,
    CHOICE,
    COUNT,
    FLAG,
    HASHED,
    HIGHEST,
    LOWEST,
    NAMES,
    OBJECT,
    OF_OUTCOMES,
    REQUIRED,
    RULE,
    SEARCHED,
    TEXTS,
    TIME,
    VERSION,
)
from fraud.decoding.kernel.scanner import (
    ABSENT,
    ENTRIES,
    FALSE,
    NULL,
    ODD,
    STRING,
    TRUE,
    WHOLE,
    Token,
    digits,
    skip,
    string,
    value,
)
from fraud.decoding.kernel.values import may_hold_card, time_of, whole_of
from fraud.decoding.kernel.words import Words, find
from fraud.decoding.kernel.xxh3 import LONGEST, Bytes, Int, xxh3

Found = npt.NDArray[np.int64]

F_KIND, F_START, F_END, F_CHARACTERS, F_HASH, F_NUMBER = range(6)
FOUND: Final = 6
"""What is found of each field, int64 [fields, FOUND]: kind of its value (see `scanner`), where it starts and ends,
characters of a string, its 64-bit hash, and the number that it says: a time, a count, a flag, a word's meaning. It is
one array, since passing on several costs more than the work on them."""

_FIELDS = len(NAMES)
_OPEN, _CLOSE, _QUOTE, _COLON, _COMMA, _POINT, _ONE = (ord(sign) for sign in '{}":,.1')


@compiled
def scan(
    data: Bytes,
    at: Int,
    end: Int,
    names: Words,
    found: Found,
    own: Own,
    values: npt.NDArray[np.float32],
    ids: npt.NDArray[np.uint64],
    row: Int,
) -> bool:
    """Finds the known fields of the message in `data[at:end]`, and reads its own ones into their row.

    Returns:
        Whether nothing is unusual.
    """
    for each in range(_FIELDS):
        found[each, F_KIND] = ABSENT
    at = skip(data, at, end)
    if at >= end or data[at] != _OPEN:
        return False
    while True:
        at = skip(data, at + 1, end)
        if at >= end or data[at] != _QUOTE:
            return False
        first = at + 1
        last, _ = string(data, first, end)
        if last < 0:
            return False
        at = skip(data, last + 1, end)
        if at >= end or data[at] != _COLON:
            return False
        at = skip(data, at + 1, end)
        field = find(names, data, first, last)
        if field == AT_ATTRIBUTES and at < end and data[at] == _OPEN:
            token: Token = ENTRIES, at, at, 0, read_attributes(data, at, end, own, values, ids, row)
        else:
            token = value(data, at, end)
        kind, start, stop, characters, at = token
        if at < 0 or kind == ODD:
            return False
        if field >= 0:
            if found[field, F_KIND] != ABSENT:  # of duplicates the last counts
                return False
            found[field, F_KIND], found[field, F_START] = kind, start
            found[field, F_END], found[field, F_CHARACTERS] = stop, characters
        at = skip(data, at, end)
        if at >= end:
            return False
        if data[at] == _CLOSE:
            return skip(data, at + 1, end) == end
        if data[at] != _COMMA:
            return False


@compiled
def check(
    data: Bytes,
    found: Found,
    words: Words,
    meanings: npt.NDArray[np.int64],
    outcome: Int,
    max_text: Int,
    masks: bool,
) -> bool:
    """Judges each field by itself, and notes hashes and numbers.

    Args:
        data: the bytes.
        found: what `scan` found, and what is noted.
        words: of all enumerations.
        meanings: int64 [fields, words], what a word means in a field; MISSING where it may not stand.
        outcome: what `type` means for outcomes.
        max_text: characters that a text may have.
        masks: whether card numbers are looked for.

    Returns:
        Whether the contract accepts all of them.
    """
    is_outcome = False
    for field in range(_FIELDS):  # the type comes first
        kind, start, end = found[field, F_KIND], found[field, F_START], found[field, F_END]
        found[field, F_NUMBER] = MISSING
        if kind == ABSENT or kind == NULL or (OF_OUTCOMES[field] and not is_outcome):
            if REQUIRED[field] and (is_outcome or not OF_OUTCOMES[field]):
                return False
            found[field, F_KIND] = ABSENT
            continue
        rule = RULE[field]
        if rule <= TEXTS:
            if kind != STRING or end == start or found[field, F_CHARACTERS] > max_text:
                return False
            if SEARCHED[field] and masks and may_hold_card(data, start, end):
                return False
            if HASHED[field]:
                if end - start > LONGEST:
                    return False
                found[field, F_HASH] = np.int64(xxh3(data, start, end - start))
            if rule == CHOICE:
                word = find(words, data, start, end)
                if word < 0 or meanings[field, word] == MISSING:
                    return False
                found[field, F_NUMBER] = meanings[field, word]
                if field == AT_TYPE:
                    is_outcome = meanings[field, word] == outcome
            if rule == VERSION and not _is_known_schema(data, start, end):
                return False
        elif rule == TIME:
            if kind != STRING:
                return False
            found[field, F_NUMBER] = time_of(data, start, end)
            if found[field, F_NUMBER] == MISSING:
                return False
        elif rule == FLAG:
            if kind != TRUE and kind != FALSE:
                return False
            found[field, F_NUMBER] = 1 if kind == TRUE else 0
        elif rule == COUNT:
            if kind != WHOLE:
                return False
            number = whole_of(data, start, end)
            if number < LOWEST[field] or number > HIGHEST[field]:
                return False
            found[field, F_NUMBER] = number
        elif rule == OBJECT:
            if kind != ENTRIES:
                return False
        elif kind != STRING and kind != WHOLE:  # an amount
            return False
    return True


@compiled
def _is_known_schema(data: Bytes, start: Int, end: Int) -> bool:
    """`fraud.contracts.inbound.is_known_schema`."""
    if end - start < 3 or data[start] != _ONE or data[start + 1] != _POINT:
        return False
    return digits(data, start + 2, end) == end - start - 2
