"""Rows of event files as the JSON that goes over the wire."""

import msgspec
import pyarrow as pa

from fraud.contracts.inbound import SCHEMA_VERSION
from runtime.event_tables import to_json
from training.data.files.schema import EVENTS, conform


def to_wire(events: pa.Table) -> list[bytes]:
    """One JSON object per row of an event table; absent values are left out, ignored ones are invalid again.

    Args:
        events: rows of `training.data.files.schema.EVENTS`; columns may be missing.
    """
    table = conform(events, EVENTS)
    ignored = table["ignored"].to_pylist()
    attributes = table["attributes"].to_pylist()
    partly = [
        held is not None and "attributes" in (names or ()) for held, names in zip(attributes, ignored, strict=True)
    ]
    if any(partly):
        texts = [_spoilt(held) if spoil else held for held, spoil in zip(attributes, partly, strict=True)]
        table = table.set_column(table.schema.get_field_index("attributes"), "attributes", pa.array(texts, pa.string()))
    version = pa.array([SCHEMA_VERSION] * len(table), pa.string())
    lines = list(to_json(table.drop_columns(["ignored"]).add_column(0, "schema_version", version)))
    for row, names in enumerate(ignored):
        # The empty text, which no optional field may hold; of duplicates the last counts.
        invalid = [f',"{name}":""' for name in names or () if not (name == "attributes" and partly[row])]
        if invalid:
            lines[row] = lines[row][:-1] + "".join(invalid).encode() + b"}"
    return lines


def _spoilt(attributes: str) -> str:
    """Valid attributes with the empty name among them, which none may have."""
    return msgspec.json.encode({"": 0} | msgspec.json.decode(attributes)).decode()
