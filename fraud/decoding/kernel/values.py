"""The values of a message as numbers: times, amounts, decimals; and texts that may hold a card number.

Each definition stands elsewhere (`fraud.timestamps`, `fraud.money`, `fraud.decoding.own_fields`,
`fraud.privacy.card_numbers`); what is read here is read as there, and what is not is left to them.
"""

from typing import Final

import numpy as np

from fraud.compiled import compiled
from fraud.decoding.batch import MISSING
from fraud.decoding.kernel.scanner import MAX_DIGITS, digits
from fraud.decoding.kernel.xxh3 import Bool, Bytes, Int
from fraud.units import DAY_US, HOUR_US, MINUTE_US

NO_AMOUNT: Final = -1

_MICRO = 1_000_000
_SHORTEST_CARD = 13  # `fraud.privacy.card_numbers.SHORTEST`; a test compares
_MINUS, _PLUS, _POINT, _COLON, _ZERO, _NINE, _T, _Z = (ord(sign) for sign in "-+.:09TZ")
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_DAYS_BEFORE = np.concatenate([[0], np.cumsum(_DAYS)[:-1]])
_DAYS_TO_1970 = 719_162  # from the first day of the year 1
_POWERS = 10.0 ** np.arange(23)
"""The powers of ten that are exact."""

_EXACT = 1 << 53
_SLACK = 1e-15
"""More than the relative error of a quotient of two rounded float64s."""


@compiled
def time_of(data: Bytes, start: Int, end: Int) -> Int:
    """µs since 1970 UTC of `YYYY-MM-DDThh:mm:ss[.f…](Z|±hh:mm)`; MISSING where it is no such time."""
    if end - start < 20:
        return MISSING
    if (
        data[start + 4] != _MINUS
        or data[start + 7] != _MINUS
        or data[start + 10] != _T
        or data[start + 13] != _COLON
        or data[start + 16] != _COLON
    ):
        return MISSING
    century, of_century = _pair(data, start), _pair(data, start + 2)
    month, day = _pair(data, start + 5), _pair(data, start + 8)
    hour, minute, second = _pair(data, start + 11), _pair(data, start + 14), _pair(data, start + 17)
    if century < 19 or century > 21 or of_century < 0 or month < 1 or month > 12 or day < 1:
        return MISSING
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return MISSING
    year = century * 100 + of_century
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS[month - 1] + (1 if leap and month == 2 else 0):
        return MISSING
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 + _DAYS_BEFORE[month - 1] + day - 1
    if leap and month > 2:
        days += 1
    at = start + 19
    micros, at = _fraction(data, at, end)
    offset = _offset(data, at, end)
    if at < 0 or offset == MISSING:
        return MISSING
    return (days - _DAYS_TO_1970) * DAY_US + hour * HOUR_US + minute * MINUTE_US + second * _MICRO + micros - offset


@compiled
def _pair(data: Bytes, at: Int) -> Int:
    """The number of two digits; below zero where there are no two."""
    first, second = np.int64(data[at]) - _ZERO, np.int64(data[at + 1]) - _ZERO
    if first < 0 or first > 9 or second < 0 or second > 9:
        return -1
    return first * 10 + second


@compiled
def _fraction(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """µs of `.f…`, of whose one to nine digits six count, and where it ends, -1 where it is none."""
    if data[at] != _POINT:
        return 0, at
    count = digits(data, at + 1, end)
    if count < 1 or count > 9:
        return 0, -1
    micros = np.int64(0)
    for place in range(6):
        micros = micros * 10 + (np.int64(data[at + 1 + place]) - _ZERO if place < count else 0)
    return micros, at + 1 + count


@compiled
def _offset(data: Bytes, at: Int, end: Int) -> Int:
    """µs east of UTC of the `Z` or `±hh:mm` that is all that is left; MISSING where it is neither."""
    if at < 0 or at >= end:
        return MISSING
    if data[at] == _Z:
        return 0 if at + 1 == end else MISSING
    if end - at != 6 or (data[at] != _PLUS and data[at] != _MINUS) or data[at + 3] != _COLON:
        return MISSING
    hours, minutes = _pair(data, at + 1), _pair(data, at + 4)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return MISSING
    offset = hours * HOUR_US + minutes * MINUTE_US
    return offset if data[at] == _PLUS else -offset


@compiled
def amount_of(data: Bytes, start: Int, end: Int) -> Int:
    """Micro-units of a decimal text of up to ten digits and up to six behind the point; NO_AMOUNT of another."""
    whole = digits(data, start, end)
    if whole < 1 or whole > 10:
        return NO_AMOUNT
    units, at = whole_of(data, start, start + whole), start + whole
    if at == end:
        return units * _MICRO
    fraction = digits(data, at + 1, end)
    if data[at] != _POINT or fraction < 1 or fraction > 6 or at + 1 + fraction != end:
        return NO_AMOUNT
    micros = whole_of(data, at + 1, end)
    for _ in range(6 - fraction):
        micros *= 10
    return units * _MICRO + micros


@compiled
def whole_of(data: Bytes, start: Int, end: Int) -> Int:
    """The number of up to 18 digits, with a minus before them or without."""
    negative = data[start] == _MINUS
    number = np.int64(0)
    for at in range(start + (1 if negative else 0), end):
        number = number * 10 + (np.int64(data[at]) - _ZERO)
    return -number if negative else number


@compiled
def is_decimal(data: Bytes, start: Int, end: Int) -> Bool:
    """Whether a text is a plain decimal of no more digits than a number may have (see `scanner`)."""
    at = start + 1 if start < end and data[start] == _MINUS else start
    whole = digits(data, at, end)
    at += whole
    if whole < 1 or whole > MAX_DIGITS:
        return False
    if at == end:
        return True
    fraction = digits(data, at + 1, end)
    return data[at] == _POINT and fraction >= 1 and fraction < len(_POWERS) and at + 1 + fraction == end


@compiled
def float32_of(data: Bytes, start: Int, end: Int) -> tuple[np.float32, bool]:
    """A decimal as float32, rounded as by way of float64, and whether that is certain here.

    A quotient of what float64 holds exactly is rounded once, as it shall be. That of a longer number may be off by a
    few units of float64's last place, which does not matter unless float32's rounding turns right there.
    """
    negative = data[start] == _MINUS
    number, used, power, behind = np.int64(0), 0, 0, False
    for at in range(start + (1 if negative else 0), end):
        if data[at] == _POINT:
            behind = True
            continue
        if number > 0 or data[at] != _ZERO:
            used += 1
            if used > MAX_DIGITS:
                return np.float32(0), False
        number = number * 10 + (np.int64(data[at]) - _ZERO)
        power += 1 if behind else 0
    if number == 0:
        return np.float32(0), not negative
    quotient = np.float64(number) / _POWERS[power]
    slack = 0.0 if number <= _EXACT else _SLACK
    low, high = np.float32(quotient * (1 - slack)), np.float32(quotient * (1 + slack))
    return (-low if negative else low), low == high


@compiled
def may_hold_card(data: Bytes, start: Int, end: Int) -> bool:
    """Whether a text has digits enough for a card number, without an ASCII letter between them.

    Of what is not ASCII every character counts as a digit, since it may be one of another script.
    """
    if end - start < _SHORTEST_CARD:
        return False
    count = 0
    for at in range(start, end):
        byte = data[at]
        if (byte >= _ZERO and byte <= _NINE) or byte >= 0xC0:
            count += 1
            if count >= _SHORTEST_CARD:
                return True
        elif _is_letter(byte):
            count = 0
    return False


@compiled
def is_long(data: Bytes, start: Int, end: Int) -> Bool:
    """Whether a number has as many digits before the point as a card's."""
    return digits(data, start + (1 if data[start] == _MINUS else 0), end) >= _SHORTEST_CARD


@compiled
def _is_letter(byte: np.uint8) -> Bool:
    lower = byte | 0x20
    return lower >= 97 and lower <= 122
