"""A shop's own columns as the `attributes` of events: one JSON object a row, written a column at a time.

The only place that knows how attributes are stored; `training.data.files.parquet_columns` reads them back.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.inbound import MAX_TEXT
from fraud.features.platform import FieldKind
from runtime.event_tables import to_json
from training.data.importing import columns
from training.data.importing.mapping import Mapping as ColumnMapping

TRUE: Final = ("true", "yes", "y", "t", "1", "on")
FALSE: Final = ("false", "no", "n", "f", "0", "off")
_NUMBERS: Final = {FieldKind.NUMBER, FieldKind.FLAG}


def as_attributes(
    chunk: pa.Table, mapping: ColumnMapping, kinds: Mapping[str, FieldKind]
) -> tuple[pa.Array, dict[str, int]]:
    """The attributes of n rows as JSON text, and in how many rows a declared number or flag was unreadable.

    Args:
        chunk: the source columns.
        mapping: attribute -> column.
        kinds: attribute -> what it is declared as; one that is not declared is numbers if all its values are.
    """
    values: dict[str, pa.Array | pa.ChunkedArray] = {}
    unreadable: dict[str, int] = {}
    for name, source in mapping.attributes.items():
        column, kind = chunk[source.column], kinds.get(name)
        if kind is None:
            values[name] = _guessed(column, mapping)
        elif kind in _NUMBERS:
            number = _number(column, mapping, is_flag=kind is FieldKind.FLAG)
            lost = np.isnan(number) & pc.is_valid(columns.as_text(column, mapping.missing)).to_numpy()
            unreadable[name] = int(lost.sum())
            values[name] = _json_number(number)
        else:
            values[name] = _text(columns.as_text(column, mapping.missing))
    texts = [text.decode() for text in to_json(pa.table(values), json_column=None)]
    return pa.array(texts, pa.string()), unreadable


def _guessed(column: pa.ChunkedArray, mapping: ColumnMapping) -> pa.Array | pa.ChunkedArray:
    """Numbers where every value is one; one text makes all of it text."""
    number = columns.as_number(column, mapping.missing, mapping.decimal)
    text = columns.as_text(column, mapping.missing)
    if (np.isnan(number) & pc.is_valid(text).to_numpy()).any():
        return _text(text)
    return _json_number(number)


def _number(column: pa.ChunkedArray, mapping: ColumnMapping, *, is_flag: bool) -> npt.NDArray[np.float64]:
    number = columns.as_number(column, mapping.missing, mapping.decimal)
    if not is_flag:
        return number
    words: pd.Series[str] = columns.as_text(column, mapping.missing).to_pandas().astype("str").str.strip().str.lower()
    said = np.where(words.isin(TRUE), 1.0, np.where(words.isin(FALSE), 0.0, np.nan))
    return np.where(np.isnan(said), number, said)


def _json_number(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _text(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as an attribute may hold them: not empty, and no longer than the contract's limit."""
    return pc.utf8_slice_codeunits(pc.if_else(pc.equal(text, ""), None, text), 0, MAX_TEXT)
