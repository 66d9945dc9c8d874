"""Event times: ISO 8601 text with an offset, and int64 microseconds since 1970 UTC inside.

One grammar everywhere: `YYYY-MM-DDThh:mm:ss[.f…](Z|±hh:mm)`, years 1900 to 2199, up to nine fractional digits of which
six are kept. `parse_time` is the definition; `parse_times` does the same to a column.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.units import MINUTE_US

Int64s: TypeAlias = npt.NDArray[np.int64]
UInt8s: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

TIME_PATTERN: Final = (
    r"^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)

_TIME: Final = re.compile(
    r"((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
FIRST_US: Final = int(np.datetime64("1900-01-01", "us").astype(np.int64))
END_US: Final = int(np.datetime64("2200-01-01", "us").astype(np.int64))


def parse_time(text: str) -> int:
    """Microseconds since 1970 UTC.

    Raises:
        ValueError: when the text is not a time with an offset, or names a date that does not exist.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 time with offset between the years 1900 and 2199")
    seconds, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError("no such date or hour") from error
    micros = to_us(moment) + int((fraction or "0").ljust(6, "0")[:6])
    if sign is None:
        return micros
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError("the offset is not between -23:59 and +23:59")
    offset = (int(hours) * 60 + int(minutes)) * MINUTE_US
    return micros - offset if sign == "+" else micros + offset


def within_range(times_us: Sequence[int]) -> Sequence[int]:
    """Kafka timestamps in µs, those outside the years 1900 to 2199 moved to the nearest end.

    A producer chooses them, any int64 of milliseconds: beyond these years they say nothing, and in µs they may not fit.
    """
    if not times_us or (min(times_us) >= FIRST_US and max(times_us) < END_US):
        return times_us
    return [min(max(time_us, FIRST_US), END_US - 1) for time_us in times_us]


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def parse_times(texts: Sequence[str]) -> tuple[Int64s, Mask]:
    """`parse_time` over a column: int64 [n], and a mask [n] of the rows that are times (others hold 0)."""
    widths = list(map(len, texts))
    distinct = set(widths)
    if len(distinct) == 1:
        return _parse_width(texts, distinct.pop())
    times = np.zeros(len(texts), np.int64)
    valid = np.zeros(len(texts), np.bool_)
    for width in distinct:
        rows = [row for row, own in enumerate(widths) if own == width]
        times[rows], valid[rows] = _parse_width([texts[row] for row in rows], width)
    return times, valid


def _parse_width(texts: Sequence[str], width: int) -> tuple[Int64s, Mask]:
    parsed = _parse_layout(texts, width)
    return _parse_each(texts) if parsed is None else parsed


def _parse_each(texts: Sequence[str]) -> tuple[Int64s, Mask]:
    times = np.zeros(len(texts), np.int64)
    valid = np.ones(len(texts), np.bool_)
    for row, text in enumerate(texts):
        try:
            times[row] = parse_time(text)
        except ValueError:
            valid[row] = False
    return times, valid


def _parse_layout(texts: Sequence[str], width: int) -> tuple[Int64s, Mask] | None:
    """All texts at once where they have one layout and every one is a time; None otherwise."""
    zulu = texts[0].endswith("Z")
    layout = _LAYOUTS.get((width, zulu))
    joined = "".join(texts)
    if layout is None or not joined.isascii():
        return None
    characters = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), width)
    low, high = layout
    if not ((characters >= low) & (characters <= high)).all():
        return None
    body = width - (1 if zulu else 6)
    times = _local(characters[:, : min(body, 26)])  # six fractional digits are kept of nine
    if times is None:
        return None
    if not zulu:
        offsets = _offsets(characters[:, body:].astype(np.int64))
        if offsets is None:
            return None
        times = times - offsets
    return times, np.ones(len(texts), np.bool_)


def _local(characters: UInt8s) -> Int64s | None:
    """Microseconds of `YYYY-MM-DDThh:mm:ss[.f…]`, uint8 [n, width]; None where one is no time of these centuries.

    Not by numpy's parser: it raises without holding the interpreter's lock, which ends the process, when one of more
    than 500 texts names a date that does not exist.
    """
    digits = characters.astype(np.float64) - ord("0")
    fields = (digits @ _WEIGHTS[: digits.shape[1]]).astype(np.int64).T  # exact: floats hold whole numbers up to 2^53
    year, month, day, hour, minute, second, micros = fields
    months = (year - 1970) * 12 + month - 1
    before, after = _first_day(months), _first_day(months + 1)
    known = (year >= 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= after - before)
    if not (known & (hour <= 23) & (minute <= 59) & (second <= 59)).all():
        return None
    minutes = ((before + day - 1) * 24 + hour) * 60 + minute
    times: Int64s = minutes * MINUTE_US + second * 1_000_000 + micros
    return times


def _first_day(months: Int64s) -> Int64s:
    """Days from 1970-01-01 to the first of each month, counted from January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _offsets(zone: Int64s) -> Int64s | None:
    """Microseconds east of UTC from the characters of `±hh:mm`, int64 [n, 6]; None where one is out of range."""
    digits = zone - ord("0")
    hours, minutes = digits[:, 1] * 10 + digits[:, 2], digits[:, 4] * 10 + digits[:, 5]
    if not ((hours <= 23) & (minutes <= 59) & (zone[:, 0] != ord(","))).all():  # "," stands between + and -
        return None
    return np.where(zone[:, 0] == ord("-"), -1, 1) * (hours * 60 + minutes) * MINUTE_US


def _layouts() -> dict[tuple[int, bool], tuple[UInt8s, UInt8s]]:
    """Lowest and highest character at each place, by width and whether it ends in Z."""
    layouts = {}
    for fraction in ["", *("." + "0" * digits for digits in range(1, 10))]:
        for zone in ("Z", "+00:00"):
            template = "0000-00-00T00:00:00" + fraction + zone
            low = template.encode()
            high = template.replace("0", "9").replace("+", "-").encode()
            layouts[len(template), zone == "Z"] = (np.frombuffer(low, np.uint8), np.frombuffer(high, np.uint8))
    return layouts


_LAYOUTS: Final = _layouts()


def _weights() -> npt.NDArray[np.float64]:
    """What a digit at each place adds to year, month, day, hour, minute, second and microseconds."""
    weights = np.zeros((26, 7))
    for part, (first, end) in enumerate(((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 26))):
        weights[first:end, part] = 10.0 ** np.arange(end - first - 1, -1, -1)
    return weights


_WEIGHTS: Final = _weights()
