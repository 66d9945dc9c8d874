"""Rows of tables as JSON, whatever the columns are."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from fraud.contracts.inbound import SCHEMA_VERSION
from runtime.event_tables import to_json
from service.operations.event_files import parquet_records


def objects(**columns: pa.Array) -> list[object]:
    return [json.loads(line) for line in to_json(pa.table(columns))]


def test_columns_of_any_type_are_written() -> None:
    written = objects(
        words=pa.array(["a", "b", "a"]).dictionary_encode(),
        many=pa.array([["x"], None, []]),
        share=pa.array([0.1, 1e300, None]),
        large=pa.array(["u", 'quote "', "v"], pa.large_string()),
        nested=pa.array([{"n": 1}, None, {"n": None}]),
    )
    assert written == [
        {"words": "a", "many": ["x"], "share": 0.1, "large": "u", "nested": {"n": 1}},
        {"words": "b", "share": 1e300, "large": 'quote "'},
        {"words": "a", "many": [], "large": "v", "nested": {"n": None}},
    ]


def test_times_are_written_in_utc_with_or_without_a_zone() -> None:
    moment = datetime(2026, 1, 5, 12, 0, 0, 250_000, UTC)
    east = timezone(timedelta(hours=2))
    written = objects(
        naive=pa.array([moment.replace(tzinfo=None)], pa.timestamp("ns")),
        zoned=pa.array([moment.astimezone(east)], pa.timestamp("ms", tz="+02:00")),
        whole=pa.array([moment.replace(microsecond=0)], pa.timestamp("s", tz="UTC")),
    )
    text = "2026-01-05T12:00:00.250000Z"
    assert written == [{"naive": text, "zoned": text, "whole": "2026-01-05T12:00:00.000000Z"}]


def test_attributes_are_json_already_and_empty_text_stays_text() -> None:
    assert objects(attributes=pa.array(['{"a":1}', "", None])) == [{"attributes": {"a": 1}}, {"attributes": ""}, {}]


def test_rows_without_any_value_are_empty_objects() -> None:
    assert objects(a=pa.nulls(2)) == [{}, {}]


def test_a_replayed_file_has_a_schema_version_in_every_message(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    rows = [{"transaction_id": "t1", "schema_version": "1.7"}, {"transaction_id": "t2", "schema_version": None}]
    for given, versions in ((rows, ["1.7", SCHEMA_VERSION]), ([{"transaction_id": "t"}], [SCHEMA_VERSION])):
        parquet.write_table(pa.Table.from_pylist(given), path)
        (records,) = parquet_records(path, 10)
        assert [json.loads(value)["schema_version"] for value in records.values if value] == versions
