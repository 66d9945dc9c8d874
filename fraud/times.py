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

Int64s: TypeAlias = npt.NDArray[np.int64]

TIME_PATTERN: Final = (
    r"^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)

_TIME: Final = re.compile(
    r"((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MINUTE_US: Final = 60_000_000


def parse_time(text: str) -> int:
    """Microseconds since 1970 UTC.

    Raises:
        ValueError: when the text is not a time with an offset, or names a date that does not exist.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 time with offset between the years 1900 and 2199")
    seconds, fraction, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    micros = to_us(moment) + int((fraction or "0").ljust(6, "0")[:6])
    if sign is None:
        return micros
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError("the offset is not between -23:59 and +23:59")
    offset = (int(hours) * 60 + int(minutes)) * _MINUTE_US
    return micros - offset if sign == "+" else micros + offset


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def format_time(micros: int) -> str:
    """The wire form, always with six fractional digits and Z, so that equal times are equal text."""
    return to_datetime(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_times(texts: Sequence[str]) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """`parse_time` over a column: int64 [n], and a mask [n] of the rows that are times (others hold 0)."""
    times = np.zeros(len(texts), np.int64)
    valid = np.ones(len(texts), np.bool_)
    for row, text in enumerate(texts):
        try:
            times[row] = parse_time(text)
        except ValueError:
            valid[row] = False
    return times, valid
