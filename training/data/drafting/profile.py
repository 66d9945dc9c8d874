"""What can be counted of an unknown table in one or two passes, in bounded memory.

Every column is searched as a whole for empty and constant values; the rest is judged by rows spread evenly over the
file. How many distinct values an id-like column has is counted over the whole file: a sample would see each id once.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from training.data.drafting.sniff import sniff
from training.data.importing import columns
from training.data.importing.mapping import FileFormat, InvalidMapping
from training.data.importing.read import ForeignTable

SAMPLE_CELLS: Final = 3_000_000
SAMPLE_ROWS: Final = 50_000
LEAST_ROWS: Final = 1_000
MISSING_WORDS: Final = ("", "nan", "NaN", "null", "NULL", "None", "N/A", "n/a", "#N/A", "\\N", "?")
NAMIBIA: Final = "NA"
"""Missing among numbers, a country among countries."""

COUNTED_COLUMNS: Final = 200
"""Columns whose distinct values are counted over the whole file, at most."""

FEW: Final = 20
"""A column of so few distinct values in the sample is no id; they need no second pass."""

_COMMA: Final = r"^\s*[-−]?[^\d\s]{0,3}\s*(?:\d{1,3}(?:[.\s]\d{3})+|\d+),\d+\s*[^\d\s]{0,3}\s*$"


@dataclass
class ColumnProfile:
    """One column.

    Attributes:
        name: of the column.
        place: of the column in the file.
        rows: of the whole file.
        empty: rows without a value, of the whole file.
        constant: all values of the whole file are equal.
        sample: the column in the sampled rows, as it was read.
        decimal: mark before decimals in the file.
        counted: distinct values in the whole file, where they were counted.
    """

    name: str
    place: int
    rows: int
    empty: int
    constant: bool
    sample: pa.ChunkedArray
    decimal: Literal[".", ","] = "."
    counted: int | None = None

    @property
    def is_time(self) -> bool:
        """Whether the file's own type is a time."""
        return bool(pa.types.is_timestamp(self.sample.type) or pa.types.is_date(self.sample.type))

    @property
    def is_nested(self) -> bool:
        """Whether its values are lists, objects or bytes."""
        kind = self.sample.type
        return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    @cached_property
    def texts(self) -> "pd.Series[str]":
        """Values of the sample as text, without the empty ones; the index is the row's place in the sample."""
        missing = (*MISSING_WORDS, NAMIBIA) if self.mostly_numbers else MISSING_WORDS
        texts: pd.Series[str] = columns.as_text(self.sample, missing).to_pandas().astype("str").dropna()
        return texts

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Whether a sampled row has a value, [n]."""
        known: npt.NDArray[np.bool_] = pc.is_valid(columns.as_text(self.sample, MISSING_WORDS)).to_numpy()
        return known

    @cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """Values of the sample as numbers, NaN where they are none."""
        return columns.as_number(self.sample, (*MISSING_WORDS, NAMIBIA), self.decimal)

    @cached_property
    def mostly_numbers(self) -> bool:
        """Whether nearly all values are numbers."""
        known = pc.sum(pc.is_valid(columns.as_text(self.sample, (*MISSING_WORDS, NAMIBIA)))).as_py() or 0
        return bool(known) and float(np.isfinite(self.numbers).sum()) >= 0.98 * known

    @cached_property
    def known_numbers(self) -> npt.NDArray[np.float64]:
        """The numbers that there are."""
        return self.numbers[np.isfinite(self.numbers)]

    @cached_property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        known = self.known_numbers
        return bool(len(known)) and bool((known == np.floor(known)).all())

    @property
    def is_measure(self) -> bool:
        """Whether it holds numbers with decimals: no id, no code and no time as text."""
        return self.mostly_numbers and not self.whole

    @cached_property
    def distinct(self) -> int:
        """Distinct values, of the whole file where counted, else of the sample."""
        if self.counted is not None:
            return self.counted
        return int(pc.count_distinct(columns.as_text(self.sample, MISSING_WORDS)).as_py())

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.rows - self.empty

    @property
    def repetition(self) -> float:
        """Rows to a distinct value: 1 where each is unique."""
        among = self.filled if self.counted is not None else len(self.texts)
        return among / max(self.distinct, 1)

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """Its commonest values, shortened."""
        common = self.texts.head(5_000).value_counts().head(3).index
        return tuple(text if len(text) <= 24 else text[:24] + "…" for text in common)

    def facts(self, *, examples: bool = True) -> str:
        """The evidence in a few words."""
        share = self.empty / max(self.rows, 1)
        told = [f"{share:.1%} empty" if share else "never empty", f"{self.distinct:,} distinct"]
        if self.mostly_numbers and len(self.known_numbers):
            low, high = self.known_numbers.min(), self.known_numbers.max()
            told.append(f"{low:g} to {high:g}")
        elif examples and self.examples:
            told.append("e.g. " + ", ".join(self.examples))
        return ", ".join(told)


@dataclass(frozen=True)
class TableProfile:
    """A whole table.

    Attributes:
        path: of the file.
        file: how it is written.
        rows: it has.
        columns: by name, in the file's order.
        decimal: mark before decimals.
        missing: texts that mean absent, as far as they were seen.
        values: label candidate -> how often each of its values occurs in the whole file.
    """

    path: Path
    file: FileFormat
    rows: int
    columns: dict[str, ColumnProfile]
    decimal: Literal[".", ","]
    missing: tuple[str, ...]
    values: dict[str, Counter[str]] = field(default_factory=dict)


def profile(
    path: Path,
    *,
    counted: Callable[[ColumnProfile], bool],
    valued: Callable[[list[str]], list[str]],
    advance: Callable[[float], None],
) -> TableProfile:
    """Reads a table once for its sample, and its id-like columns once more.

    Args:
        path: CSV or Parquet.
        counted: asked for each column of many values: whether its distinct values are worth counting.
        valued: names of all columns -> those whose values are counted one by one.
        advance: told how far it is, 0 to 1.

    Raises:
        InvalidMapping: the file is no table.
    """
    file = sniff(path)
    table = ForeignTable(path, file)
    names = table.names()
    tally = _Tally(names)
    for chunk in table.chunks(names):
        tally.add(chunk)
        advance(0.5)
    if not tally.rows:
        raise InvalidMapping(f"{path} has names of columns, but no rows")
    sample = tally.sample()
    decimal = _decimal(sample)
    found = {
        name: ColumnProfile(name, place, tally.rows, tally.empty[name], tally.constant(name), sample[name], decimal)
        for place, name in enumerate(names)
    }
    many = [
        c.name for c in found.values() if not c.is_nested and pc.count_distinct(c.sample).as_py() > FEW and counted(c)
    ]
    values = _count(table, found, many[:COUNTED_COLUMNS], [name for name in valued(names) if name in found], tally)
    advance(1.0)
    return TableProfile(path, file, tally.rows, found, decimal, _missing(found), values)


class _Tally:
    """Counts over all rows, and rows spread evenly over the file: of every `stride`-th, thinned as the file goes on."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.rows = 0
        self.stride = 1
        self.limit = int(min(SAMPLE_ROWS, max(LEAST_ROWS, SAMPLE_CELLS // max(len(names), 1))))
        self.parts: list[tuple[npt.NDArray[np.int64], pa.Table]] = []
        self.empty = dict.fromkeys(names, 0)
        self._first: dict[str, object] = {}
        self._varies: set[str] = set()

    def add(self, chunk: pa.Table) -> None:
        """Takes in the next rows."""
        for name in self.names:
            self._count(name, chunk[name])
        numbers = np.arange(self.rows, self.rows + len(chunk))
        self.rows += len(chunk)
        kept = numbers % self.stride == 0
        self.parts.append((numbers[kept], chunk.filter(pa.array(kept))))
        while sum(len(numbers) for numbers, _ in self.parts) > 2 * self.limit:
            self.stride *= 2
            self.parts = [
                (numbers[numbers % self.stride == 0], part.filter(pa.array(numbers % self.stride == 0)))
                for numbers, part in self.parts
            ]

    def _count(self, name: str, column: pa.ChunkedArray) -> None:
        known = column
        if pa.types.is_string(column.type):
            known = pc.if_else(pc.equal(column, ""), None, column)
        self.empty[name] += known.null_count
        if name in self._varies or known.null_count == len(known) or pa.types.is_nested(column.type):
            return
        first = self._first.setdefault(name, known.drop_null()[0])
        if pc.all(pc.equal(known, first), min_count=0).as_py() is False:
            self._varies.add(name)

    def constant(self, name: str) -> bool:
        """Whether no two values differ."""
        return name not in self._varies

    def sample(self) -> pa.Table:
        """The sampled rows, in the file's order."""
        return (
            pa.concat_tables([part for _, part in self.parts]) if self.parts else pa.table({n: [] for n in self.names})
        )


def _count(
    table: ForeignTable, found: dict[str, ColumnProfile], many: list[str], valued: list[str], tally: _Tally
) -> dict[str, Counter[str]]:
    values = {name: Counter[str]() for name in valued}
    seen: dict[str, pa.Array] = {}
    wanted = list(dict.fromkeys([*many, *valued]))
    chunks = [tally.sample()] if tally.stride == 1 else table.chunks(wanted) if wanted else []
    for chunk in chunks:
        for name in many:
            new = columns.as_text(chunk[name], MISSING_WORDS).unique().drop_null()
            seen[name] = pa.concat_arrays([seen[name], new]).unique() if name in seen else new
        for name in valued:
            for pair in columns.as_text(chunk[name], MISSING_WORDS).value_counts().to_pylist():
                if pair["values"] is not None:
                    values[name][pair["values"]] += pair["counts"]
    for name, distinct in seen.items():
        found[name].counted = len(distinct)
        found[name].__dict__.pop("distinct", None)
    return values


def _decimal(sample: pa.Table) -> Literal[".", ","]:
    """The comma where more columns of text are numbers with a comma than with a point."""
    commas = points = 0
    for name in sample.column_names:
        if pa.types.is_string(sample[name].type):
            text = sample[name].slice(0, 500)
            known = max(pc.sum(pc.not_equal(text, "")).as_py() or 0, 1)
            commas += (pc.sum(pc.match_substring_regex(text, _COMMA)).as_py() or 0) > 0.8 * known
            points += (pc.sum(pc.match_substring_regex(text, r"^\s*-?\d+\.\d+\s*$")).as_py() or 0) > 0.5 * known
    return "," if commas > points else "."


def _missing(found: dict[str, ColumnProfile]) -> tuple[str, ...]:
    """Words that stand for absent values in this file."""
    seen = set()
    for column in found.values():
        if pa.types.is_string(column.sample.type):
            words = (*MISSING_WORDS, NAMIBIA) if column.mostly_numbers else MISSING_WORDS
            here = pc.is_in(column.sample, value_set=pa.array(words, pa.string()))
            seen.update(column.sample.filter(here).unique().to_pylist())
    return tuple(word for word in (*MISSING_WORDS, NAMIBIA) if word == "" or word in seen)
