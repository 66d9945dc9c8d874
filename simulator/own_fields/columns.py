"""Values of an own field, one per attempt, and their JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator.draws import Bools, Int64s
from simulator.text import word_column


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers [n], and where there is none; bool [n]."""

    values: npt.NDArray[np.int32] | npt.NDArray[np.float64]
    missing: Bools

    def take(self, rows: Int64s) -> Self:
        """The chosen rows."""
        return type(self)(self.values[rows], self.missing[rows])

    def members(self, name: str) -> pa.StringArray:
        """Each as `"name":value`; string [n], null where missing."""
        text = pa.array(self.values, mask=self.missing).cast(pa.string())
        return pc.binary_join_element_wise(f"{dumps(name)}:", text, "")


@dataclass(frozen=True, slots=True)
class Words:
    """Indices [n] into a table of texts, -1 where there is none; `literal` writes them as they are (0 and 1)."""

    codes: npt.NDArray[np.int16]
    table: Sequence[str]
    literal: bool = False

    def take(self, rows: Int64s) -> Self:
        """The chosen rows."""
        return type(self)(self.codes[rows], self.table, self.literal)

    def members(self, name: str) -> pa.StringArray:
        """Each as `"name":"text"`; string [n], null where missing."""
        written = (word if self.literal else dumps(word) for word in self.table)
        return word_column(self.codes.astype(np.int64), [f"{dumps(name)}:{word}" for word in written])


Column: TypeAlias = Numbers | Words


def flag(values: Bools, *, missing: Bools | None = None) -> Words:
    """A flag as 0 or 1."""
    codes = values.astype(np.int16)
    return Words(codes if missing is None else np.where(missing, -1, codes).astype(np.int16), ("0", "1"), literal=True)


def json_objects(columns: Mapping[str, Column], rows: Int64s, *, absent: Bools) -> pa.StringArray:
    """One JSON object a row, with the fields that it has.

    Args:
        columns: name -> values of every attempt.
        rows: the attempts to write; [m].
        absent: rows that get null instead; bool [m].
    """
    if not columns:
        return pa.nulls(len(rows), pa.string())
    written = rows[~absent]
    members = [column.take(written).members(name) for name, column in columns.items()]
    inner = pc.binary_join_element_wise(*members, ",", null_handling="skip")
    objects = pc.binary_join_element_wise("{", inner, "}", "")
    return objects.take(pa.array(np.cumsum(~absent) - 1, mask=absent))
