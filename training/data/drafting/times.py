"""Which column is the time of a payment, and how it is written."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from training.data.drafting.names import OTHER_TIMES, PAYMENT_WORDS, TIME_WORDS, says, words
from training.data.drafting.profile import ColumnProfile

ISO: Final = "iso"
_DAYS: Final = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
)
_CLOCKS: Final = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
FORMATS: Final = (ISO, *(day + clock for day in _DAYS for clock in _CLOCKS), "%Y%m%d%H%M%S", "%a %b %d %H:%M:%S %Y")
READABLE: Final = 0.9
"""Share of the values that a format must read."""

TRIED: Final = 200
_OFFSET: Final = r"(?:Z|[+-]\d{2}:?\d{2})$"
UNKNOWN_ORIGIN: Final = "2024-01-01T00:00:00Z"
EXCEL_ORIGIN: Final = "1899-12-30T00:00:00Z"
_EPOCHS: Final = (("seconds", 1e9, 4.1e9), ("milliseconds", 1e12, 4.1e12), ("microseconds", 1e15, 4.1e15))
_UNITS: Final = {"step": "hours", "hour": "hours", "hours": "hours", "day": "days", "days": "days", "minute": "minutes"}


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """A column that may be a time.

    Attributes:
        column: its name.
        format: as a mapping says it.
        origin: of numbers, where it is not 1970.
        score: how much speaks for it.
        notes: what its owner should check.
    """

    column: str
    format: str
    origin: str | None
    score: float
    notes: tuple[str, ...]


def guess_times(profiles: list[ColumnProfile]) -> list[TimeGuess]:
    """Columns that may be the time of a payment, the likeliest first."""
    found = [guess for column in profiles if (guess := guess_time(column)) is not None]
    return sorted(found, key=lambda guess: -guess.score)


def guess_time(column: ColumnProfile) -> TimeGuess | None:
    """How a column is a time, if it is one."""
    if column.filled == 0 or column.is_nested:
        return None
    if column.is_time:
        return _scored(column, "timestamp", None, 2.0, ())
    if column.mostly_numbers:
        return _of_numbers(column) or _of_texts(column)
    return _of_texts(column)


def _scored(
    column: ColumnProfile, pattern: str, origin: str | None, score: float, notes: tuple[str, ...]
) -> TimeGuess | None:
    score += (
        2 * says(column.name, TIME_WORDS) + 2 * says(column.name, PAYMENT_WORDS) - 4 * says(column.name, OTHER_TIMES)
    )
    score -= 3 * (column.empty > 0.2 * column.rows)
    return TimeGuess(column.name, pattern, origin, score, notes)


def _of_texts(column: ColumnProfile) -> TimeGuess | None:
    if column.mostly_numbers and not (column.whole and says(column.name, TIME_WORDS)):
        return None
    some = column.texts.iloc[:: max(len(column.texts) // TRIED, 1)]
    if some.str.len().median() < 6 or not some.str.contains(r"\d.*\d", regex=True).mean() > READABLE:
        return None
    fits = [pattern for pattern in FORMATS if _read(some, pattern).notna().mean() >= READABLE]
    fits = [pattern for pattern in fits if _read(column.texts, pattern).notna().mean() >= READABLE]
    if not fits:
        return None
    pattern, notes = _day_or_month(column.texts, fits)
    times = _read(column.texts, pattern)
    if lost := int(times.isna().sum()):
        notes += (f"{lost / len(times):.1%} of the values are no times in this format: those rows will be rejected",)
    notes += _zones(column.texts) if pattern == ISO else ()
    by_day = bool((times.dropna() == times.dropna().dt.normalize()).all())
    if by_day:
        notes += ("it has no time of day: the hour tells nothing, and order within a day is the file's",)
    return _scored(column, pattern, None, 2.0 + 0.5 * (not by_day) + 0.5 * _sorted(times), notes)


def _read(texts: "pd.Series[str]", pattern: str) -> "pd.Series[pd.Timestamp]":
    times = pd.to_datetime(
        texts.str.strip(), format="ISO8601" if pattern == ISO else pattern, errors="coerce", utc=True
    )
    return times.where((times.dt.year >= 1990) & (times.dt.year < 2100))


def _day_or_month(texts: "pd.Series[str]", fits: list[str]) -> tuple[str, tuple[str, ...]]:
    """The first format, or where day and month may be either, the one in which the file is in order."""
    rivals = [pattern for pattern in fits if pattern.startswith(("%d", "%m"))]
    if fits[0] == ISO or len(rivals) < 2:
        return fits[0], ()
    shares = {pattern: _read(texts, pattern).notna().mean() for pattern in rivals}
    best = [pattern for pattern in rivals if shares[pattern] == max(shares.values())]
    ordered = [pattern for pattern in best if _sorted(_read(texts, pattern))]
    if len(best) == 1:
        return best[0], ()
    if len(ordered) == 1:
        return ordered[0], (f"day and month could be either; as {ordered[0]} the file is in order of time",)
    return best[0], (f"day and month could be either ({' or '.join(best)}): check it",)


def _zones(texts: "pd.Series[str]") -> tuple[str, ...]:
    offsets = texts.str.extract(f"({_OFFSET})")[0].value_counts(dropna=False)
    if offsets.index.isna().any():
        if len(offsets) == 1:
            return ("times have no time zone: taken as UTC; name it with timezone =",)
        return ("some times have a time zone and some have none: the latter are taken as UTC",)
    return (f"times come in {len(offsets)} offsets, all are turned into UTC",) if len(offsets) > 1 else ()


def _sorted(times: "pd.Series[pd.Timestamp]") -> bool:
    known = times.dropna()
    return bool(len(known) > 1) and bool((known.diff().dropna() >= pd.Timedelta(0)).mean() > 0.99)


def _of_numbers(column: ColumnProfile) -> TimeGuess | None:
    known = column.known_numbers
    named = says(column.name, TIME_WORDS | set(_UNITS) | {"second", "seconds", "elapsed"})
    low, high = known.min(), known.max()
    rising = bool((np.diff(known) >= 0).mean() > 0.99) if len(known) > 1 else False
    for unit, least, most in _EPOCHS:
        if least <= low and high < most and (named or rising):
            return _scored(column, unit, None, 2.0 + 0.5 * rising, ("read as a count since 1970, in UTC",))
    if named and low >= 30_000 and high <= 80_000 and not column.whole:
        return _scored(column, "days", EXCEL_ORIGIN, 1.5, ("read as Excel counts days",))
    if not (named and rising and low >= 0 and column.distinct > 1):
        return None
    unit = next((_UNITS[word] for word in words(column.name) if word in _UNITS), "seconds")
    note = f"read as {unit} since an unknown start, set to {UNKNOWN_ORIGIN[:10]}: hours and weekdays may be shifted"
    return _scored(column, unit, UNKNOWN_ORIGIN, 1.5, (note,))
