"""Event files and the wire give the same columns and the same features, bit for bit."""

import json
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud.contracts.fields import COUNTS, FLAGS, TIMES
from fraud.contracts.inbound import Attempt, Outcome
from fraud.decoding.batch import Batch
from fraud.decoding.decoder import Decoder
from fraud.features.encoder import SPEC, Encoder, features_crc
from fraud.features.platform import Platform, parse_platform
from fraud.history.history import History, HistoryConfig
from fraud.money import MINOR_DIGITS, Rates
from fraud.privacy.card_numbers import tokeniser
from simulator.output.malformed import partly_invalid
from training.data.feature_context import FeatureContext
from training.data.files.events import from_lines, from_table
from training.data.files.json_lines import to_wire
from training.data.files.parquet_columns import to_columns
from training.data.files.schema import EVENT_FIELDS, EVENTS
from training.data.replay import partition_of
from training.data.replayed_stream import from_stream, to_stream

RATES = Rates.default("EUR")
TOKEN = tokeniser(b"secret")
SHOP = parse_platform(
    """
    fields.level.kind = "number"
    fields.gift.kind = "flag"
    fields.tier.kind = "category"
    fields.lane.kind = "category"
    fields.store.kind = "entity"
    """,
    where="test",
)
WORLD = FeatureContext(SHOP, rates=RATES, token=TOKEN)
DAY = 86_400_000_000

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
few = st.sampled_from(["a", "b", "ü", "12.5", "true", "0", "4111 1111 1111 1111", "漢字", "x" * 256])
anything = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5) | st.booleans() | few
literals = {
    "channel": st.sampled_from(["web", "app", "pos", "moto"]),
    "initiator": st.sampled_from(["customer", "merchant"]),
    "stage": st.sampled_from(["pre_auth", "post_auth"]),
    "currency": st.sampled_from(sorted(set(MINOR_DIGITS) & set(RATES.codes))),
    "kind": st.sampled_from(["authorised", "declined", "captured", "voided", "refunded"]),
    "amount": st.integers(0, 10**9),
    "attributes": st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("level", "gift", "tier", "lane", "store"), anything)
    ).map(json.dumps),
}
instants = st.integers(1_500_000_000_000_000, 1_900_000_000_000_000)


def value_of(name: str) -> st.SearchStrategy[object]:
    if name in literals:
        return literals[name]
    if name in TIMES:
        return instants
    if name in FLAGS:
        return st.booleans()
    if name in COUNTS:
        return st.integers(0, 1000)
    return few | text


REQUIRED = {"transaction_id", "customer_id", "event_time", "amount", "currency"}
attempt = {name: value_of(name) if name in REQUIRED else st.none() | value_of(name) for name in Attempt.model_fields}
only_outcomes = {
    name: value_of(name) if name in {"outcome_id", "kind"} else st.none() | value_of(name)
    for name in EVENT_FIELDS
    if name not in Attempt.model_fields
}
transactions = st.fixed_dictionaries(attempt | {"type": st.just("transaction")})
outcomes = st.fixed_dictionaries(attempt | only_outcomes | {"type": st.just("outcome")})
tables = st.lists(transactions | outcomes, min_size=1, max_size=12).map(lambda rows: pa.Table.from_pylist(rows, EVENTS))


def decoded(table: pa.Table) -> Batch:
    times = table["event_time"].cast(pa.int64()).to_pylist()
    result = Decoder(RATES, SHOP.own_fields, pan_token=TOKEN).decode(to_wire(table), times)
    assert not result.rejects
    return result.batch


def assert_equal(one: Batch, two: Batch) -> None:
    for field in fields(Batch):
        left, right = getattr(one, field.name), getattr(two, field.name)
        assert left.dtype == right.dtype, field.name
        assert left.tobytes() == right.tobytes(), field.name


@settings(max_examples=80, deadline=None)
@given(tables)
def test_a_table_gives_the_columns_that_its_wire_events_give(table: pa.Table) -> None:
    assert_equal(to_columns(table, rates=RATES, fields=SHOP.own_fields, token=TOKEN).batch, decoded(table))


@settings(max_examples=30, deadline=None)
@given(tables)
def test_json_lines_read_back_give_the_same_columns(table: pa.Table) -> None:
    lines = from_lines(to_wire(table), WORLD)
    assert_equal(lines.batch, decoded(table))
    assert_equal(from_table(lines.table, WORLD).batch, lines.batch)


def test_every_wire_field_has_a_column() -> None:
    assert set(EVENTS.names) == {*Outcome.model_fields, "type", "ignored"} - {"schema_version"}


WRONG_ATTRIBUTES = [
    "[]", "{", '{"tier":""}', '{"tier":null,"level":3}', '{"level":1e400}', '{"tier":"a\\u0000","level":2}',
    '{"tier":{"a":"b"},"level":1}', '{"tier":"\\ud800","level":1}', json.dumps({str(i): i for i in range(513)}),
    json.dumps({"level": 5, "tier": "x" * 257}),
]  # fmt: skip
WRONG_TIMES = [-(2**61), 2**60, 7_258_118_400_000_000, -2_208_988_800_000_001]
WRONG_NUMBERS = [-1441, -1, 1441, 1_000_001]
WRONG_TEXTS = ["", "x" * 257, "ä" * 257, "a\0b", "é" * 256]


def wrong_values(name: str) -> Sequence[object]:
    """Values at and beyond what the contract allows in a field."""
    if name in TIMES:
        return WRONG_TIMES
    if name in COUNTS:
        return WRONG_NUMBERS
    return WRONG_ATTRIBUTES if name == "attributes" else WRONG_TEXTS


def spoilt_table(seed: int) -> pa.Table:
    """Every wrong value of every field, each in an event of its own, which may have another wrong field."""
    random = np.random.default_rng(seed)
    spared = {"type", "kind", "currency", "amount", *FLAGS}
    names = [name for name in EVENT_FIELDS if name not in spared]
    rows: list[dict[str, object]] = []
    for name in names:
        for value in wrong_values(name):
            other = names[int(random.integers(len(names)))]
            others = wrong_values(other)
            rows.append(
                {"type": "outcome", "outcome_id": "o", "kind": "declined", "transaction_id": f"t{len(rows)}"}
                | {"customer_id": "c", "event_time": 1_700_000_000_000_000, "amount": 100, "currency": "EUR"}
                | {"ip": "192.0.2.1", "attributes": '{"level":1}', "account_created_at": 1_600_000_000_000_000}
                | ({other: others[int(random.integers(len(others)))]} if len(rows) % 2 else {})
                | {name: value}
            )
    return pa.Table.from_pylist(rows, EVENTS)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_breaks_the_contract_in_a_file_is_read_as_on_the_wire(seed: int) -> None:
    table = spoilt_table(seed)
    lines = from_lines(to_wire(table), WORLD)
    events = from_table(table, WORLD)
    assert_equal(events.batch, lines.batch)
    assert (events.rejected, events.table["ignored"]) == (lines.rejected, lines.table["ignored"])
    assert events.rejected
    assert lines.batch.malformed.sum() > 100
    assert_equal(from_table(lines.table, WORLD).batch, lines.batch)
    assert_equal(from_lines(to_wire(lines.table), WORLD).batch, lines.batch)


def test_payments_with_invalid_fields_keep_their_features_from_file_to_file() -> None:
    lines = from_lines([raw for raw, _ in partly_invalid(1, 200)], WORLD)
    assert (len(lines.batch), lines.rejected) == (200, 0)
    assert lines.batch.malformed.all()
    assert_equal(from_table(lines.table, WORLD).batch, lines.batch)
    assert_equal(from_lines(to_wire(lines.table), WORLD).batch, lines.batch)


def stream_of(count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        who = int(random.integers(0, 12))
        event = {
            "type": "transaction",
            "transaction_id": f"t{i}",
            "customer_id": f"c{who}",
            "card_id": f"card{int(random.integers(0, 15))}",
            "device_id": f"d{who % 5}",
            "merchant_id": f"m{int(random.integers(0, 3))}",
            "ip": f"10.0.0.{who % 7}",
            "currency": ["EUR", "USD", "JPY"][who % 3],
            "amount": int(random.integers(0, 50_000)),
            "event_time": 1_700_000_000_000_000 + i * DAY // 40 - int(random.integers(0, DAY // 10)),
        }
        outcome = event | {
            "type": "outcome",
            "outcome_id": f"o{i}",
            "kind": ["authorised", "declined"][int(random.integers(2))],
        }
        rows += [event, outcome] if i % 3 else [event]
    return pa.Table.from_pylist(rows, EVENTS)


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_data_set_holds_the_features_that_the_service_computes_from_the_wire(partitions: int) -> None:
    table = stream_of(300, seed=partitions)
    world = FeatureContext(Platform(partitions=partitions), rates=RATES)
    dataset = from_stream(to_stream(from_table(table, world)), world)
    expected: dict[str, int] = {}
    lanes = np.array([partition_of(customer, partitions) for customer in table["customer_id"].to_pylist()])
    for lane in range(partitions):
        part = table.filter(pa.array(lanes == lane))
        encoder = Encoder(SPEC, History(HistoryConfig()))
        for start in range(0, len(part), 17):
            piece = part.slice(start, 17)
            if not len(piece):
                continue
            times = piece["event_time"].cast(pa.int64()).to_pylist()
            result = Decoder(RATES).decode(to_wire(piece), times)
            encoded = encoder.encode(result.batch)
            for event, row, status in zip(result.events, encoded.features, encoded.status, strict=True):
                if status == 0:
                    expected[event.transaction_id] = features_crc(row)
    got = {str(i): features_crc(row) for i, row in zip(dataset.transaction_ids, dataset.features, strict=True)}
    assert got == expected


@pytest.mark.parametrize(
    "value", [4111111111111111, 4111111111111111.0, "4111 1111 1111 1111", 4111111111111112, -1, 0.5]
)
def test_a_card_number_in_an_attribute_is_masked_alike_in_files_and_on_the_wire(value: float | str) -> None:
    row = {"type": "transaction", "transaction_id": "t", "customer_id": "c", "currency": "EUR", "amount": 1}
    table = pa.Table.from_pylist([row | {"event_time": 1, "attributes": json.dumps({"tier": value})}], EVENTS)
    assert_equal(to_columns(table, rates=RATES, fields=SHOP.own_fields, token=TOKEN).batch, decoded(table))
