"""Searching columns for what the service would refuse finds exactly what reading every row by the contract finds."""

import json
from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud.contracts.inbound import MAX_TEXT, InvalidEvent
from fraud.decoding import validation
from fraud.features.platform import FieldKind
from fraud.money import MAX_MINOR
from fraud.timestamps import END_US, FIRST_US
from training.data.files.json_lines import to_wire
from training.data.files.schema import EVENTS, conform
from training.data.importing.attributes import as_attributes
from training.data.importing.contract_check import refused
from training.data.importing.mapping import Mapping

IDS = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.sampled_from(["", "\0", "a\0b", "x" * MAX_TEXT, "x" * (MAX_TEXT + 1), "ü" * MAX_TEXT, "😀" * (MAX_TEXT + 1)]),
)
TIMES = st.one_of(
    st.none(), st.sampled_from([FIRST_US - 1, FIRST_US, END_US - 1, END_US, 0]), st.integers(FIRST_US, END_US - 1)
)
AMOUNTS = st.one_of(st.none(), st.sampled_from([-1, 0, MAX_MINOR, MAX_MINOR + 1, 2**62]), st.integers(0, 10_000))
ROWS = st.fixed_dictionaries(
    {
        "transaction_id": IDS,
        "customer_id": IDS,
        "event_time": TIMES,
        "amount": AMOUNTS,
        "currency": st.sampled_from(["EUR", "JPY", "eur", "XXX", "", None, "EUR "]),
        # Whatever optional fields hold, the row stays an event, unless the whole message is too large.
        "merchant_id": IDS,
        "session_id": st.sampled_from([None, "s", '"' * 100_000, "\x01" * 60_000, "x" * 300_000]),
        "channel": st.sampled_from([None, "web", "nowhere"]),
        "items_count": st.sampled_from([None, 1, -1]),
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=8))
def test_the_search_over_columns_refuses_what_the_contract_refuses_row_by_row(rows: list[dict[str, object]]) -> None:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    table = conform(
        pa.table(
            {"type": ["transaction"] * len(rows)} | {n: pa.array(v, EVENTS.field(n).type) for n, v in columns.items()}
        ),
        EVENTS,
    )
    found = {row: (error.reason, error.detail) for row, error in refused(table).items()}
    expected = {}
    for row, raw in enumerate(to_wire(table)):
        try:
            validation.contract(validation.read(raw))
        except InvalidEvent as error:
            expected[row] = (error.reason, error.detail)
    assert found == expected


VALUES = st.one_of(st.none(), st.floats(), st.integers(-(2**53), 2**53).map(float))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(VALUES, st.none() | st.text(max_size=300)), min_size=1, max_size=10))
def test_attributes_written_a_column_at_a_time_read_back_as_the_values_that_they_were(
    rows: list[tuple[float | None, str | None]],
) -> None:
    numbers, texts = zip(*rows, strict=True)
    chunk = pa.table({"n": pa.array(numbers, pa.float64()), "t": pa.array(texts, pa.string())})
    mapping = Mapping.model_validate(
        {
            "name": "m",
            "about": "",
            "time": {"from": "n"},
            "amount": {"from": "n"},
            "fields": {name: {"constant": "x"} for name in ("transaction_id", "customer_id", "currency")},
            "attributes": {"number": "n", "attributes": {"from": "t"}},
        }
    )
    written, _ = as_attributes(chunk, mapping, {"number": FieldKind.NUMBER, "attributes": FieldKind.CATEGORY})
    for (number, text), held in zip(rows, written.to_pylist(), strict=True):
        expected: dict[str, object] = {}
        if number is not None and abs(number) < float("inf"):
            expected["number"] = number
        if text:
            expected["attributes"] = text[:MAX_TEXT]
        assert json.loads(held) == expected
        event = {
            "type": "transaction",
            "schema_version": "1.0",
            "transaction_id": "t",
            "customer_id": "c",
            "amount": 1,
            "currency": "EUR",
            "event_time": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
            "attributes": json.loads(held),
        }
        ignored = validation.contract(validation.read(json.dumps(event).encode())).ignored
        assert not ignored or "\0" in (text or "")
