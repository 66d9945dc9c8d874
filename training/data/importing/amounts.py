"""Source columns to typed columns. What cannot be read becomes missing; the caller asks which rows that were."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud.decoding.batch import hash_id
from fraud.money import MINOR_DIGITS
from training.data.importing.mapping import TimeSource

UNIT_US: Final = {"seconds": 1_000_000, "minutes": 60_000_000, "hours": 3_600_000_000, "days": 86_400_000_000}


def as_text(column: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """A column of any type as text; whole floats lose their ".0", listed texts and NaN become null."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        if pc.all(pc.equal(column, pc.floor(column)), min_count=0).as_py():
            column = column.cast(pa.int64())
    text = column if pa.types.is_string(column.type) else column.cast(pa.string())
    return pc.if_else(pc.is_in(text, value_set=pa.array(list(missing), pa.string())), None, text)


def as_number(column: pa.ChunkedArray, missing: Sequence[str]) -> npt.NDArray[np.float64]:
    """A column as float64; what is no finite number is NaN."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = column.cast(pa.float64()).to_numpy()
    else:
        values = pd.to_numeric(as_text(column, missing).to_pandas(), errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def as_time(column: pa.ChunkedArray, source: TimeSource, missing: Sequence[str]) -> "pd.Series[pd.Timestamp]":
    """A column as UTC times of microseconds; what is no time is NaT."""
    if source.format in UNIT_US:
        offset = as_number(column, missing) * UNIT_US[source.format]
        start = pd.Timestamp(source.origin or "1970-01-01T00:00:00Z").tz_convert("UTC").value // 1000
        micros = np.rint(offset + start)
        sane = np.abs(micros) < 2**62
        times = pd.Series(np.where(sane, micros, 0).astype(np.int64).astype("datetime64[us]"))
        return _utc(times.where(sane), "UTC")
    if source.format == "timestamp":
        times = column.to_pandas()
    else:
        pattern = "ISO8601" if source.format == "iso" else source.format
        text = as_text(column, missing).to_pandas()
        times = pd.to_datetime(text, format=pattern, errors="coerce", utc=source.timezone == "UTC")
    return _utc(times, source.timezone)


def _utc(times: "pd.Series[pd.Timestamp]", timezone: str) -> "pd.Series[pd.Timestamp]":
    if times.dt.tz is None:
        times = times.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
    return times.dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def as_minor_units(
    amount: npt.NDArray[np.float64], currency: Sequence[str | None], *, major: bool
) -> npt.NDArray[np.float64]:
    """Amounts as whole minor units of their currencies, NaN kept; unknown currencies count as two decimals."""
    if not major:
        return np.rint(amount)
    codes = pd.Series(list(currency), dtype=object)
    digits = codes.map(dict(MINOR_DIGITS)).fillna(2).to_numpy(np.int64)
    return np.rint(amount * 10.0**digits)


def hashed(text: pa.ChunkedArray) -> pa.Array:
    """Every text replaced by a hash of 16 hex digits."""
    encoded = text.combine_chunks().dictionary_encode()
    names = pa.array([f"{hash_id(value):016x}" for value in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)
