"""Tables of events in Arrow: the type of each field.

Needs pyarrow, which the scorer does without: it imports this module where an event file is read.
"""

from typing import Final

import pyarrow as pa

from fraud.contracts.fields import FIELD, FieldType

TIME: Final = pa.timestamp("us", tz="UTC")

_TYPES: Final = {
    FieldType.TIME: TIME,
    FieldType.AMOUNT: pa.int64(),
    FieldType.FLAG: pa.bool_(),
    FieldType.COUNT: pa.int32(),
}


def column_type(name: str) -> pa.DataType:
    """The type of a field's column: `amount` counts minor units, `attributes` is JSON as text; text for any other."""
    return _TYPES.get(FIELD[name].type, pa.string()) if name in FIELD else pa.string()
