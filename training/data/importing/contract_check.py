"""Which rows of an event table the service would refuse, and why: searches over columns, then the contract itself.

Only required fields make a dead letter. Columns are searched for values that may break one; those rows alone are
written as JSON and read by `fraud.decoding.validation`, which stays the definition. tests/property/test_import_check.py
holds both ways to the same answers.
"""

from functools import reduce
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.inbound import MAX_TEXT, InvalidEvent
from fraud.decoding import validation
from fraud.money import MAX_MINOR, MINOR_DIGITS
from fraud.timestamps import END_US, FIRST_US
from training.data.files.json_lines import to_wire
from training.data.files.schema import EVENTS

IDS: Final = ("transaction_id", "customer_id")
_CURRENCIES: Final = pa.array(list(MINOR_DIGITS), pa.string())
_MUCH_TEXT: Final = validation.MAX_BYTES // 8
"""Bytes in one row's texts from which its message may be too large: escapes make six bytes of one, keys come on top."""


def refused(events: pa.Table) -> dict[int, InvalidEvent]:
    """Row -> why the service would refuse it; transactions of `EVENTS`."""
    rows = np.flatnonzero(doubtful(events))
    found = {}
    for row, raw in zip(rows.tolist(), to_wire(events.take(pa.array(rows))), strict=True):
        try:
            validation.contract(validation.read(raw))
        except InvalidEvent as error:
            found[row] = error
    return found


def doubtful(events: pa.Table) -> npt.NDArray[np.bool_]:
    """Rows in which a required value may be invalid, bool [n]."""
    marks = [pc.is_null(events[name]) for name in (*IDS, "event_time", "amount", "currency")]
    for name in IDS:
        length = pc.utf8_length(events[name])
        marks += [pc.or_(pc.less(length, 1), pc.greater(length, MAX_TEXT)), pc.match_substring(events[name], "\0")]
    time = events["event_time"].cast(pa.int64())
    marks.append(pc.or_(pc.less(time, FIRST_US), pc.greater_equal(time, END_US)))
    marks.append(pc.or_(pc.less(events["amount"], 0), pc.greater(events["amount"], MAX_MINOR)))
    marks.append(pc.invert(pc.is_in(events["currency"], value_set=_CURRENCIES)))
    marks.append(pc.greater(_text_bytes(events), _MUCH_TEXT))
    return np.asarray(reduce(np.logical_or, [pc.fill_null(mark, fill_value=True).to_numpy() for mark in marks]))


def _text_bytes(events: pa.Table) -> pa.ChunkedArray:
    names = [field.name for field in EVENTS if pa.types.is_string(field.type)]
    lengths = [pc.fill_null(pc.binary_length(events[name]), 0).cast(pa.int64()) for name in names]
    return reduce(pc.add, lengths)
