"""Source columns to typed columns. What cannot be read becomes missing; the caller asks which rows that were."""

import re
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud.decoding.batch import hash_id
from fraud.money import MINOR_DIGITS
from training.data.importing.mapping import InvalidMapping, TimeSource

UNIT_US: Final = {
    "microseconds": 1,
    "milliseconds": 1_000,
    "seconds": 1_000_000,
    "minutes": 60_000_000,
    "hours": 3_600_000_000,
    "days": 86_400_000_000,
}
_WHOLE: Final = 2.0**62
_OFFSET: Final = r"(?:Z|[+-]\d{2}:?\d{2})$"
_SIGN: Final = rf"(?:[$€£¥₹₽₺₩₪₫฿]|R\$|US\$|kr\.?|zł|Kč|Fr\.?|{'|'.join(sorted(MINOR_DIGITS))})?"
"""A currency's sign or code, before or after the figures."""


def as_text(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """A column of any type as text; whole floats lose their ".0", listed texts and NaN become null."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), _WHOLE))
        if pc.all(whole, min_count=0).as_py():
            column = column.cast(pa.int64())
    text = column if pa.types.is_string(column.type) else _rendered(column)
    return pc.if_else(pc.is_in(text, value_set=pa.array(list(missing), pa.string())), None, text)


def _rendered(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structs, bytes that are no text
        values = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.string())])


def as_number(
    column: pa.ChunkedArray, missing: Sequence[str], decimal: Literal[".", ","] = "."
) -> npt.NDArray[np.float64]:
    """A column as float64; what is no finite number is NaN.

    Of texts, signs of currencies and marks between thousands are left out: "$1,234.50" is 1234.5.
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
        try:
            return _finite(column.cast(pa.float64(), safe=False).to_numpy())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # times, lists: no numbers
            return np.full(len(column), np.nan)
    text = as_text(column, missing)
    if decimal == ".":
        try:
            return _finite(text.cast(pa.float64()).to_numpy())
        except pa.ArrowInvalid:
            values = text.to_pandas()
            numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    else:
        values, numbers = text.to_pandas(), np.full(len(text), np.nan)
    rows = np.flatnonzero(np.isnan(numbers) & values.notna().to_numpy())
    numbers = numbers.copy()
    numbers[rows] = written_numbers(values.iloc[rows], decimal)
    return _finite(numbers)


def written_numbers(texts: "pd.Series[str]", decimal: Literal[".", ","]) -> npt.NDArray[np.float64]:
    """Numbers as people write them, [n]: a currency's sign, thousands in groups of three, a minus or parentheses."""
    group = re.escape("," if decimal == "." else ".")
    figures = rf"(\d{{1,3}}(?:[{group}\s'’]\d{{3}})+|\d*)(?:{re.escape(decimal)}(\d*))?"
    pattern = rf"^\s*([-−(]?)\s*{_SIGN}\s*([-−+]?)\s*{figures}\s*{_SIGN}\s*([-−)]?)\s*$"
    found = texts.astype("str").str.extract(pattern)
    if len(found) == 0:
        return np.zeros(0)
    whole = found[2].fillna("").str.replace(r"\D", "", regex=True)
    digits = whole + "." + found[3].fillna("")
    numbers = pd.to_numeric(digits.where(digits != "."), errors="coerce").to_numpy(np.float64)
    minus = (found[[0, 1, 4]].fillna("").isin(["-", "−", "(", ")"])).any(axis=1).to_numpy()
    return np.where(minus, -numbers, numbers)


def _finite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    finite: npt.NDArray[np.float64] = np.where(np.isfinite(values), values, np.nan)
    return finite


def as_time(column: pa.ChunkedArray, source: TimeSource, missing: Sequence[str]) -> "pd.Series[pd.Timestamp]":
    """A column as UTC times of microseconds; what is no time is NaT.

    Raises:
        InvalidMapping: the format is no pattern of times.
    """
    if source.format in UNIT_US:
        return _counted(as_number(column, missing), source)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _utc(
            column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False).to_pandas(), source
        )
    text = as_text(column, missing).to_pandas().astype("str")
    pattern = "ISO8601" if source.format in {"iso", "timestamp"} else source.format
    try:
        if source.timezone == "UTC":
            return _utc(pd.to_datetime(text, format=pattern, errors="coerce", utc=True), source)
        # Times with an offset of their own need no zone.
        aware = text.str.contains(_OFFSET, na=False)
        own = _utc(pd.to_datetime(text.where(aware), format=pattern, errors="coerce", utc=True), source)
        local = _utc(pd.to_datetime(text.where(~aware), format=pattern, errors="coerce"), source)
    except ValueError as error:
        raise InvalidMapping(f"time {source.column}: format {source.format!r}: {error}") from None
    return own.fillna(local)


def _counted(numbers: npt.NDArray[np.float64], source: TimeSource) -> "pd.Series[pd.Timestamp]":
    start = pd.Timestamp(source.origin or "1970-01-01T00:00:00Z").tz_convert("UTC").value // 1000
    micros = np.rint(numbers * UNIT_US[source.format] + start)
    sane = np.abs(micros) < _WHOLE
    times = pd.Series(np.where(sane, micros, 0).astype(np.int64).astype("datetime64[us]"))
    return times.where(sane).dt.tz_localize("UTC")


def _utc(times: "pd.Series[pd.Timestamp]", source: TimeSource) -> "pd.Series[pd.Timestamp]":
    if times.dt.tz is None:
        times = times.dt.tz_localize(source.timezone, ambiguous="NaT", nonexistent="NaT")
    return times.dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def as_minor_units(
    amount: npt.NDArray[np.float64], currency: pa.ChunkedArray | pa.Array, *, major: bool
) -> npt.NDArray[np.float64]:
    """Amounts as whole minor units of their currencies, NaN kept; unknown currencies count as two decimals."""
    if not major:
        return np.rint(amount)
    encoded = pc.dictionary_encode(currency)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    digits = np.array([*(MINOR_DIGITS.get(code, 2) for code in encoded.dictionary.to_pylist()), 2], np.float64)
    return np.asarray(np.rint(amount * 10.0 ** digits[encoded.indices.fill_null(-1).to_numpy()]), np.float64)


def hashed(text: pa.ChunkedArray) -> pa.Array:
    """Every text replaced by a hash of 16 hex digits."""
    encoded = text.combine_chunks().dictionary_encode()
    names = pa.array([f"{hash_id(value):016x}" for value in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)
