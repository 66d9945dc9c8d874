"""Event files: one row per event in log order, the wire fields of transactions and outcomes as nullable columns.

`events.parquet` has `EVENTS`, `labels.parquet` has `LABELS`. Times are UTC; `amount` counts minor units of `currency`;
`attributes` is a JSON object as text; `ignored`, of events that were read from the wire, names the optional fields that
were invalid there, hence are null here. A row's Kafka timestamp is its event time. The labels file's metadata may say
at what age silence counts as genuine (`MATURITY_KEY`); both may carry the version of what wrote them (`VERSION_KEY`).
"""

from typing import Final

import pyarrow as pa

from fraud.contracts.fields import FIELD
from fraud.contracts.inbound import Label, Outcome
from runtime.event_tables import TIME, column_type

MATURITY_KEY: Final = b"fraudstream.maturity_days"
VERSION_KEY: Final = b"fraudstream.version"


EVENT_FIELDS: Final = tuple(name for name in Outcome.model_fields if name in FIELD)
"""Wire fields of both kinds of event, but `type` and `schema_version`."""

EVENTS: Final = pa.schema(
    [
        ("type", pa.string()),
        *((name, column_type(name)) for name in EVENT_FIELDS),
        ("ignored", pa.list_(pa.string())),
    ]
)

LABELS: Final = pa.schema(
    [
        (name, TIME if name in {"occurred_at", "received_at"} else pa.string())
        for name in Label.model_fields
        if name != "schema_version"
    ]
)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the schema's columns, in its order; absent ones are null, others are dropped."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema.with_metadata(table.schema.metadata))
