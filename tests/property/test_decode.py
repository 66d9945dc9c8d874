"""The fast reader of messages against the contract: the same accepted, ignored and refused, the same columns."""

import json
import math
import random
import re
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fraud.contracts.fields import IDS, SEARCHED
from fraud.contracts.inbound import MAX_ATTRIBUTES, OPTIONAL_FIELDS, InvalidEvent, Outcome, Transaction
from fraud.decoding import validation
from fraud.decoding.batch import CATEGORIES, INTEGERS, MISSING, Batch, Kind, hash_category, hash_id
from fraud.decoding.decoder import Decoder
from fraud.decoding.own_fields import OwnFields
from fraud.money import Rates, parse_amount
from fraud.privacy.card_numbers import mask_text, tokeniser
from fraud.timestamps import parse_time, to_us
from local.testbed.events import raw as wire
from local.testbed.events import transaction
from simulator.output.malformed import malformed, partly_invalid, valid_event

NOW = parse_time("2026-01-05T10:00:00Z")
AHEAD = 3_600_000_000
RATES = Rates.parse(
    '{"2020-01-01": {"USD": 1, "EUR": 1.1, "JPY": 0.007, "KWD": 3.3}, "2026-01-01": {"GBP": 1.3}}', "EUR"
)
TOKEN = tokeniser(b"secret")
FIELDS_OF_THE_SHOP = OwnFields(
    numbers=("weight", "absent"), flags=("gift",), categories=("basket", "lane"), entities=("store",)
)
PAN = "4111111111111111"

TEXTS = st.sampled_from(
    [
        "a",
        "é",
        "日本",
        "x" * 256,
        "x" * 257,
        "",
        "a\0b",
        "a\nb",
        "12.50",
        "true",
        '"',
        "\\u0000",
        "4111 1111 1111 1111",
        PAN,
        "[{",
        "😀",
        "4" * 16,
    ]
) | st.text(max_size=12)
TIMES = st.sampled_from(
    [
        "2026-01-05T10:00:00Z", "2026-01-05T10:00:00.5+01:00", "2026-01-05T11:00:00.000001Z", "2026-01-05T11:00:00Z",
        "2019-12-31T23:59:59.999999999-05:30", "1900-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-05", "", "0",
        "2026-01-05T10:00:00z", "2025-12-31T23:59:59Z", "2026-01-05T10:00:00+24:00", "１926-01-05T10:00:00Z",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [0, 1, -1, 25, 10**6, 10**6 + 1, 10**14, 2**63, 10**30, 1.0, 0.5, 1e308, 1e39, int(PAN), float(PAN)]
)
AMOUNTS = st.sampled_from(
    ["0", "12.50", "0.000001", "9999999999.999999", "10000000000", "100000000.01", "99999999.999999", "1e3", "1;2",
     "12.", ".5", "-1", "+1", " 1", "1_0", "١", "00012.5"]
) | NUMBERS  # fmt: skip
JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | NUMBERS | TEXTS | st.just([]) | st.just({}) | st.just([[1]]) | st.just({"a": {"b": 1}})
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["transaction", "outcome", "label"]),
    "schema_version": st.sampled_from(["1.0", "1.17", "2.0", "1", "1.", "1.x", "1.\u0663"]),
    "event_time": TIMES,
    "account_created_at": TIMES,
    "card_added_at": TIMES,
    "amount": AMOUNTS,
    "currency": st.sampled_from(["EUR", "USD", "JPY", "KWD", "GBP", "CHF", "XXX", "eur"]),
    "kind": st.sampled_from(["authorised", "declined", "captured", "voided", "refunded", "lost"]),
    "channel": st.sampled_from(["web", "fax"]),
    "initiator": st.sampled_from(["customer", "merchant", "ghost"]),
    "stage": st.sampled_from(["pre_auth", "post_auth", "later"]),
    "tz_offset_min": st.sampled_from([-1440, 60, 1441]),
    "attempt_no": NUMBERS,
    "items_count": NUMBERS,
    "is_guest": st.booleans(),
    "is_recurring": st.booleans(),
    "attributes": st.dictionaries(
        st.sampled_from(["weight", "gift", "basket", "lane", "store", "note", "", "é", "k" * 257]),
        st.deferred(lambda: JUNK),
        max_size=4,
    )
    | st.just({str(i): i for i in range(MAX_ATTRIBUTES + 1)}),
    "unknown": JUNK,
} | dict.fromkeys(
    ["outcome_id", "card_id", "card_fingerprint", "merchant_id", "ip", "wallet", "avs", "bin", "order_id"], TEXTS
)


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Mostly valid events, with a few fields of every sort."""
    base = valid_event(random.Random(draw(st.integers(0, 50))))  # noqa: S311 - a seeded sample
    if draw(st.booleans()):
        base |= {"type": "outcome", "outcome_id": "out", "kind": "declined", "decline_category": "hard"}
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=4)):
        base[name] = draw(st.one_of(FIELDS[name], FIELDS[name], FIELDS[name], JUNK))
    for name in draw(st.lists(st.sampled_from(sorted(base)), max_size=1)):
        if draw(st.integers(0, 3)) == 0:
            del base[name]
    raw = json.dumps(
        base, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    if draw(st.integers(0, 4)) == 0:  # the last of duplicates counts
        name = draw(st.sampled_from(sorted(FIELDS)))
        value = json.dumps(draw(FIELDS[name] | JUNK))
        raw = (
            f"{raw[:-1]},{json.dumps(name)}:{value}}}"
            if draw(st.booleans())
            else f"{{{json.dumps(name)}:{value},{raw[1:]}"
        )
    return raw.encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An event with some bytes replaced by others that matter to a parser."""
    raw = draw(events())
    pieces = [
        b"",
        b"\0",
        b'"',
        b"{",
        b"}",
        b"[",
        b",",
        b"\xff",
        b"\xc3\xa9",
        b"\\",
        b"\\ud800",
        b"\\u0000",
        b"1e400",
        b"-0",
        b"NaN",
    ]
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(raw)))
        raw = raw[:start] + draw(st.sampled_from(pieces)) + raw[start + draw(st.integers(0, 3)) :]
    return raw


def corner(name: str, text: str) -> bytes:
    """A valid event with raw JSON text in one field."""
    event = json.dumps(valid_event(random.Random(9), **{name: "@"}))  # noqa: S311 - a seeded sample
    return event.replace('"@"', text).encode("utf-8", "surrogateescape")


CORNERS = [
    corner("x", "[" * 31 + "]" * 31),
    corner("x", "[" * 32 + "]" * 32),
    corner("x", '{"a":' * 31 + "1" + "}" * 31),
    corner("x", '{"a":' * 32 + "1" + "}" * 32),
    corner("x", '"' + "[{" * 500 + '"'),
    corner("x", '"' + b"\xff".decode("utf-8", "surrogateescape") + '"'),
    corner("x", "1e400"),
    corner("x", '"\\ud800"'),
    corner("x", '"\\u0000"'),
    corner("wallet", '"\\u0000"'),
    corner("wallet", '"\\\\u0000"'),
    corner("card_id", f'"{PAN}"'),
    corner("customer_id", f'"{PAN}"'),
    corner("wallet", f'"no {PAN}"'),
    corner("bin", f'"{PAN}"'),
    corner("attributes", f'{{"basket":"{PAN}","weight":{PAN},"f":{PAN}.0,"note":{PAN}.5}}'),
    corner("attributes", '{"basket":"' + f"{PAN} " * 15 + '"}'),
    corner("attributes", f'{{"{PAN}":-{PAN},"no 4111.1111.1111.1111":{PAN}0e-1}}'),
    corner("attributes", '{"weight":1e39}'),
    corner("attributes", '{"weight":-1e308}'),
    corner("attributes", '{"weight":1e400}'),
    corner("attributes", '{"weight":1e400,"basket":"a"}'),
    corner("attributes", '{"weight":{"a":[1e400]},"basket":"a"}'),
    corner("attributes", '{"basket":"\\ud800","weight":1}'),
    corner("attributes", '{"basket":"\\ud83d\\ude00"}'),
    corner("attributes", '{"a\\udc00":1,"weight":2}'),
    corner("attributes", '{"basket":"\\\\ud800","weight":1}'),
    corner("attributes", '{"weight":true,"weight":2}'),
    corner("attributes", '{"weight":2,"weight":true}'),
    corner("attributes", '{"weight":null}'),
    corner("wallet", '"\\ud83d\\ud83d\\ude00"'),
    corner("wallet", "1e400"),
    corner("account_created_at", '"yesterday"'),
    corner("account_created_at", '"yesterday","card_added_at":"2026-02-30T00:00:00Z","wallet":""'),
    corner("account_created_at", '"yesterday","event_time":"2026-01-05T11:00:00.000001Z"'),
    corner("attributes", '{"weight":9223372036854775807}'),
    corner("attributes", '{"weight":9223372036854775808}'),
    corner("attributes", '{"weight":-0.0,"weight":-0}'),
    corner("attributes", "null"),
    corner("avs", "5"),
    corner("kind", '"declined"'),
    corner("is_guest", "null"),
    corner("attempt_no", "1.0"),
    corner("amount", '"1;2"'),
    corner("amount", '"9999999999.999999"'),
    corner("amount", '"8765432198.765433"'),
    corner("amount", '"123456789.123457"'),
    corner("amount", "99999999999999"),
    corner("amount", "-0"),
    corner("currency", '"GBP"'),
    corner("currency", '"CHF"'),
    corner("event_time", '"2025-12-31T23:59:59Z"'),
    corner("event_time", '"2026-01-05T11:00:00Z"'),
    corner("event_time", '"2026-01-05T11:00:00.000001Z"'),
    corner("event_time", '"2026-01-05T09:00:00.5-02:00"'),
    corner("account_created_at", '"0001-01-01T00:00:00Z"'),
    corner("account_created_at", '"2020-01-01T00:00:00.123456789+05:30"'),
    corner("type", '"transaction","type":"outcome"'),
    corner("type", '"outcome","type":"transaction"'),
    corner("type", 'null,"type":"transaction"'),
    corner("schema_version", '"1.01"'),
    corner("merchant_id", '"' + "é" * 256 + '"'),
    corner("merchant_id", '"' + "é" * 257 + '"'),
]
BROKEN = st.builds(lambda seed, at: malformed(seed, 25)[at], st.integers(0, 1000), st.integers(0, 24))
PARTLY = st.builds(lambda seed, at: partly_invalid(seed, 40)[at][0], st.integers(0, 1000), st.integers(0, 39))
MESSAGES = st.lists(
    st.one_of(
        events(), events(), damaged(), st.sampled_from(CORNERS), BROKEN, PARTLY, st.none(), st.binary(max_size=20)
    ),
    max_size=6,
)


def mask(value: object) -> tuple[object, int]:
    if isinstance(value, str):
        text, count = mask_text(value, TOKEN)
        return text[:256], count
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 10**12 and value == int(value):
        text, count = mask_text(str(abs(int(value))), TOKEN)
        return (text, count) if count else (value, 0)
    return value, 0


def masked_fields(fields: validation.Fields) -> tuple[validation.Fields, int]:
    total = 0
    result: dict[str, Any] = dict(fields)
    for name in SEARCHED:
        if name in result:
            result[name], count = mask(result[name])
            total += count
    attributes = {}
    for name, value in result.get("attributes", {}).items():
        (shown, in_name), (held, in_value) = mask(name), mask(value)
        attributes[shown] = held
        total += in_name + in_value
    return (result | {"attributes": attributes} if "attributes" in result else result), total


def whole(value: object) -> int:
    return MISSING if value is None else int(value)  # type: ignore[call-overload]


def micros(text: object) -> int:
    return parse_time(text) if isinstance(text, str) else MISSING


def row(model: Transaction | Outcome, fields: dict[str, Any], *, malformed: bool) -> dict[str, Any]:
    """What `Batch` must say of one event, from the contract's model and its masked fields, one value at a time."""
    get = fields.get
    charged, time = parse_amount(model.amount, model.currency), to_us(model.event_time)
    identity = [get("customer_id"), get("card_fingerprint") or get("card_id"), get("bin"), get("device_id"), get("ip"),
                get("email_hash"), get("phone_hash"), get("shipping_address_hash"), get("merchant_id")]  # fmt: skip
    numbers = {"amount_cents": charged % 10**6 // 10**4} | {
        name: whole(get(name))
        for name in ("tz_offset_min", "items_count", "attempt_no", "is_recurring", "is_guest", "is_digital")
    }
    numbers |= {name: micros(get(name)) for name in ("account_created_at", "card_added_at")}
    numbers["is_merchant_initiated"] = {None: MISSING, "customer": 0, "merchant": 1}[model.initiator]
    attributes = (get("attributes") or {}).get
    own = [
        *(number(attributes(name)) for name in FIELDS_OF_THE_SHOP.numbers),
        *(flag(attributes(name)) for name in FIELDS_OF_THE_SHOP.flags),
        *(category(attributes(name)) for name in FIELDS_OF_THE_SHOP.categories),
    ]
    return {
        "kind": Kind[model.kind.upper()] if isinstance(model, Outcome) else Kind.TRANSACTION,
        "time": time,
        "amount": int(RATES.convert(np.array([charged]), [model.currency], np.array([time]))[0][0]),
        "ids": [hash_id(value) if value else 0 for value in identity],
        "transaction": hash_id(model.transaction_id),
        "order": hash_id(model.order_id) if model.order_id else 0,
        "billing_address": hash_id(model.billing_address_hash) if model.billing_address_hash else 0,
        "categories": [hash_category(str(get(name))) if get(name) else 0 for name in CATEGORIES],
        "integers": [numbers[name] for name in INTEGERS],
        "malformed": malformed or any(map(is_wrong, own)),
        "attributes": [math.nan if value is None or is_wrong(value) else value for value in own],
        "own_ids": [hash_id(told(attributes("store"))) if attributes("store") is not None else 0],
    }


WRONG = "wrong"


def is_wrong(value: float | str | None) -> bool:
    return value == WRONG


def number(value: str | float | None) -> float | str | None:
    if value is None:
        return None
    if isinstance(value, bool) or (
        isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", value)
    ):
        return WRONG
    return max(min(float(value), 3.4028234663852886e38), -3.4028234663852886e38)


def flag(value: str | float | None) -> float | str | None:
    return {None: None, "true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, 1: 1.0, 0: 0.0}.get(value, WRONG)


def category(value: str | float | None) -> float | None:
    return None if value is None else hash_category(told(value))


def told(value: str | float) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(int(value) if value == value // 1 and not isinstance(value, bool) else value)
    )


def reference(
    values: Sequence[bytes | None],
) -> tuple[list[Any], list[Any], list[Any], list[Any], dict[int, tuple[str, ...]], int]:
    rows, models, kept, rejects, ignored, total = [], [], [], [], {}, 0
    for place, raw in enumerate(values):
        try:
            read = validation.contract(validation.read(raw))
            validation.check(read.event, timestamp_us=NOW, rates=RATES, max_ahead_us=AHEAD)
        except InvalidEvent as error:
            rejects.append((place, error.reason, error.detail))
            continue
        fields, count = masked_fields(read.fields)
        rows.append(place)
        models.append(row(read.event, fields, malformed=bool(read.ignored)))
        kept.append(fields)
        if read.ignored:
            ignored[place] = read.ignored
        total += count
    return rows, models, kept, rejects, ignored, total


def assert_same(batch: Batch, rows: list[dict[str, Any]]) -> None:
    assert len(batch) == len(rows)
    for name in Batch.__dataclass_fields__ if rows else ():
        actual = getattr(batch, name)
        np.testing.assert_array_equal(actual, np.array([row[name] for row in rows], actual.dtype), err_msg=name)


@settings(max_examples=400, deadline=None)
@given(MESSAGES)
@example([None, b"", b"{}", b"[]"])
@example(CORNERS)
def test_the_fast_reader_accepts_refuses_and_yields_what_the_contract_does(values: list[bytes | None]) -> None:
    assert_follows_the_contract(values)


@pytest.mark.parametrize(
    "raw",
    [*CORNERS, *malformed(4, 200), *(raw for raw, _ in partly_invalid(4, 80))],
    ids=lambda raw: str(zlib.crc32(raw)),
)
def test_each_corner_is_read_alone_as_the_contract_reads_it(raw: bytes) -> None:
    assert_follows_the_contract([raw])


def assert_follows_the_contract(values: list[bytes | None]) -> None:
    decoder = Decoder(RATES, fields=FIELDS_OF_THE_SHOP, max_ahead_us=AHEAD, pan_token=TOKEN)
    decoded = decoder.decode(values, [NOW] * len(values))
    rows, expected, kept, rejects, ignored, masked = reference(values)
    assert [(reject.row, reject.reason, reject.detail) for reject in decoded.rejects] == rejects
    assert decoded.rows.tolist() == rows
    assert decoded.ignored == ignored
    assert_same(decoded.batch, expected)
    events = [msgspec.to_builtins(event) for event in decoded.events]
    assert [{name: value for name, value in event.items() if value is not None} for event in events] == kept
    assert decoded.masked == masked


@settings(max_examples=100, deadline=None)
@given(st.lists(events(), min_size=1, max_size=8), st.integers(0, 8))
def test_any_batching_gives_the_same_columns(values: list[bytes], cut: int) -> None:
    decoder = Decoder(RATES, fields=FIELDS_OF_THE_SHOP)
    whole_batch = decoder.decode(values, [NOW] * len(values)).batch
    parts = [decoder.decode(part, [NOW] * len(part)).batch for part in (values[:cut], values[cut:])]
    joined = Batch.concatenate(parts)
    for name in Batch.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(whole_batch, name), getattr(joined, name), err_msg=name)


REQUIRED = {"type", "schema_version", "transaction_id", "customer_id", "event_time", "amount", "currency"}


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*OPTIONAL_FIELDS, "unknown"]), JUNK | TEXTS | TIMES | FIELDS["attributes"]))
def test_no_optional_field_decides_whether_a_payment_is_scored(changes: dict[str, Any]) -> None:
    plain = valid_event(random.Random(1))  # noqa: S311 - a seeded sample
    spoilt = json.dumps({**plain, **changes}).encode()
    required = json.dumps({name: value for name, value in plain.items() if name in REQUIRED}).encode()
    decoded = Decoder(RATES).decode([spoilt, required], [NOW] * 2)
    assert decoded.rejects == []
    assert decoded.batch.amount[0] == decoded.batch.amount[1]
    assert decoded.batch.malformed.tolist() == [int(0 in decoded.ignored), 0]
    assert set(decoded.ignored.get(0, ())) <= set(changes)


@settings(max_examples=200, deadline=None)
@given(st.lists(events(), max_size=6))
def test_what_is_left_of_an_event_is_valid_and_read_again_the_same(values: list[bytes]) -> None:
    decoded = Decoder(RATES, fields=FIELDS_OF_THE_SHOP).decode(values, [NOW] * len(values))
    cleaned = [msgspec.json.encode(event) for event in decoded.events]
    again = Decoder(RATES, fields=FIELDS_OF_THE_SHOP).decode(cleaned, [NOW] * len(cleaned))
    assert (again.rejects, again.ignored, again.events) == ([], {}, decoded.events)


def test_text_fields_and_id_fields_are_all_the_strings_there_are() -> None:
    strict = {"schema_version", "currency", "event_time", "account_created_at", "card_added_at", "amount"}
    choices = {"type", "kind", "channel", "initiator", "stage"}
    other = {
        "attempt_no",
        "is_recurring",
        "is_guest",
        "is_digital",
        "tz_offset_min",
        "items_count",
        "attributes",
    }
    assert set(Outcome.model_fields) == strict | choices | other | set(SEARCHED) | set(IDS)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**63) * 1000, 2**63 * 1000),
            st.sampled_from(["1900-01-01T00:00:00Z", "2025-01-05T10:00:00Z", "2199-12-31T23:59:59.999999Z", "x"]),
        ),
        max_size=5,
    )
)
def test_any_timestamp_gives_each_message_an_event_or_a_reason(rows: list[tuple[int, str]]) -> None:
    values = [wire(transaction(event_time=time)) for _, time in rows]
    decoded = Decoder(RATES).decode(values, [timestamp for timestamp, _ in rows])
    assert sorted([*decoded.rows.tolist(), *(reject.row for reject in decoded.rejects)]) == list(range(len(rows)))
