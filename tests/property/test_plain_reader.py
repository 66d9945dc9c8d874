"""The compiled reader against the slow road: what it takes is read to the same bits, and it takes what is plain."""

import json
import random
import re
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from fraud.decoding.batch import MISSING, Batch
from fraud.decoding.careful_reader import CarefulReader
from fraud.decoding.decoder import Decoder
from fraud.decoding.kernel.scanner import string
from fraud.decoding.kernel.values import NO_AMOUNT, amount_of, float32_of, is_decimal, may_hold_card, time_of
from fraud.decoding.kernel.xxh3 import LONGEST, xxh3
from fraud.decoding.plain_reader import TOLD_NAMES, PlainReader
from fraud.decoding.validation import MAX_BYTES
from fraud.money import parse_amount
from fraud.privacy.card_numbers import may_hold_pan
from fraud.timestamps import parse_time
from simulator.output.malformed import valid_event
from tests.property.test_decode import AHEAD, CORNERS, FIELDS_OF_THE_SHOP, MESSAGES, NOW, RATES, TIMES, TOKEN, corner

COMPILED = {masks: PlainReader.of(RATES, FIELDS_OF_THE_SHOP, masks=masks) for masks in (True, False)}
CAREFUL = {masks: CarefulReader(RATES, FIELDS_OF_THE_SHOP, AHEAD, TOKEN if masks else None) for masks in (True, False)}


def valid_json(**changes: object) -> bytes:
    return json.dumps(valid_event(random.Random(1), **changes), ensure_ascii=False).encode()  # noqa: S311 - a seeded sample


def assert_read_alike(values: list[bytes | None], *, masks: bool) -> int:
    """Holds what is plain against the slow road; returns how many messages are."""
    times = np.full(len(values), NOW)
    read = COMPILED[masks].read(values, times + AHEAD)
    rows = np.flatnonzero(read.plain)
    plain = [values[row] for row in rows.tolist()]
    careful = CAREFUL[masks].read(plain, times[rows])
    assert (careful.rejects, careful.ignored, careful.wrong, careful.masked) == ([], {}, {}, 0)
    for name in Batch.__dataclass_fields__:
        expected, actual = getattr(careful.batch, name), getattr(read.batch, name)[rows]
        assert actual.dtype == expected.dtype
        assert actual.tobytes() == expected.tobytes(), (name, actual, expected)
    texts = [[getattr(event, name) for event in careful.events] for name in TOLD_NAMES]
    assert read.texts(rows) == texts
    return len(rows)


@settings(max_examples=600, deadline=None)
@given(MESSAGES, st.booleans())
@example(CORNERS, True)
@example(CORNERS, False)
@example([corner("attributes", '{"weight":1},"attributes":{"gift":true}')], True)
@example([corner("wallet", '"first","wallet":"last"'), corner("wallet", '"first","wallet":null')], True)
@example([valid_json(note="x" * MAX_BYTES), valid_json(note="x" * 200_000)], True)
@example([None, b"", b"{}", b"[]", b'{"type":"transaction"}', b"{", b'{"type', b'{"type":'], True)
def test_what_the_compiled_reader_takes_the_slow_road_reads_to_the_same_bits(
    values: list[bytes | None], masks: bool
) -> None:
    assert_read_alike(values, masks=masks)


WORDS = st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), min_size=1, max_size=10)
"""Texts without escapes; too short for a card number."""

SPACES = st.text(st.sampled_from(" \t\n\r"), max_size=2)
FRACTIONS = st.floats(1, 1000).map(lambda number: round(number, 6))
OWN = st.fixed_dictionaries(
    {},
    optional={
        "weight": st.integers(-(10**11), 10**11) | st.decimals(0, 1000, places=3).map(str) | FRACTIONS,
        "gift": st.sampled_from([True, False, 0, 1, "0", "1", "true", "false"]),
        "basket": WORDS | st.booleans() | st.integers(1, 1000),
        "lane": WORDS,
        "store": WORDS | st.integers(0, 10**11),
        "note": WORDS | st.integers(0, 10**11) | FRACTIONS,
    },
)  # fmt: skip


@st.composite
def plain_events(draw: st.DrawFn) -> bytes:
    """Events as sane producers write them, in any order of fields and with any white space between them."""
    base: dict[str, Any] = valid_event(random.Random(draw(st.integers(0, 50))))  # noqa: S311 - a seeded sample
    if draw(st.booleans()):
        base |= {"type": "outcome", "outcome_id": draw(WORDS), "kind": draw(st.sampled_from(["declined", "captured"]))}
    base |= {"attributes": draw(OWN), "wallet": draw(WORDS), "merchant_id": draw(WORDS), "something_else": draw(WORDS)}
    base |= draw(st.sampled_from([{}, {"amount": 1250}, {"amount": "0.000001"}, {"card_id": None}, {"is_guest": True}]))
    base |= draw(st.sampled_from([{}, {"card_fingerprint": "f" * 64}, {"ip": "é" * 120}, {"initiator": "merchant"}]))
    names = draw(st.permutations(sorted(base)))
    space = draw(SPACES)
    entries = [f"{json.dumps(name)}{space}:{space}{json.dumps(base[name], ensure_ascii=False)}" for name in names]
    return (space + "{" + space + f"{space},{space}".join(entries) + space + "}" + space).encode()


@settings(max_examples=300, deadline=None)
@given(st.lists(plain_events(), min_size=1, max_size=4), st.booleans())
def test_what_sane_producers_write_is_plain(values: list[bytes], masks: bool) -> None:
    assert assert_read_alike([*values], masks=masks) == len(values)


@settings(max_examples=200, deadline=None)
@given(plain_events(), st.data())
def test_no_cut_or_changed_byte_is_read_other_than_by_the_slow_road(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw) - 1))
    other = data.draw(st.sampled_from(list(b'"\\{}[],:0-.eEtfn\x00\x1f \x7f\x80\xc3\xe0\xed\xf4\xff4')))
    assert_read_alike(
        [raw[:at], raw[at:], raw[:at] + bytes([other]) + raw[at + 1 :], raw[:at] + raw[at + 1 :]], masks=True
    )


def test_whole_events_are_made_of_what_is_asked_for_and_only_then() -> None:
    plain = [json.dumps(valid_event(random.Random(seed)), ensure_ascii=False).encode() for seed in (1, 2)]  # noqa: S311 - a seeded sample
    careful = plain[0].replace(b'"type"', b'"\\u0074ype"')
    decoded = Decoder(RATES, FIELDS_OF_THE_SHOP).decode([plain[0], careful, b"{", plain[1]], [NOW] * 4)
    assert list(decoded.careful) == [1]
    assert decoded.rows.tolist() == [0, 1, 3]
    expected = [msgspec.json.decode(raw) for raw in (plain[0], plain[0], plain[1])]
    assert decoded.told(np.arange(3)) == [[event[name] for event in expected] for name in TOLD_NAMES]
    assert [event.transaction_id for event in decoded.events] == [event["transaction_id"] for event in expected]


def of(raw: bytes) -> Any:  # noqa: ANN401 - an array of bytes
    return np.frombuffer(raw, np.uint8)


@pytest.mark.parametrize("at", [0, 3, 8])
def test_hashes_are_the_librarys_for_every_length(at: int) -> None:
    raw = random.Random(5).randbytes(300)  # noqa: S311 - a seeded sample
    for length in range(1, LONGEST + 1):
        assert xxh3(of(raw), at, length) == xxh3_64_intdigest(raw[at : at + length])


PIECES = (
    "61 20 7f c3a9 e697a5 f09f9880 80 c080 c3 e08080 e0a080 eda080 ed9fbf f0808080 f0908080 f48fbfbf f4908080 f5808080 "
    "ff 00 1f 5c"
)
"""Characters, and what looks like one, around each limit of UTF-8."""

UTF8 = st.sampled_from([bytes.fromhex(piece) for piece in PIECES.split()])


@settings(max_examples=1000, deadline=None)
@given(st.lists(UTF8 | st.binary(max_size=3), max_size=24).map(b"".join))
def test_a_string_is_valid_utf_8_without_escapes_and_control_characters(raw: bytes) -> None:
    content = raw.split(b'"')[0]
    end, characters = string(of(raw + b'"'), 0, len(raw) + 1)
    text = None
    with suppress(UnicodeDecodeError):
        text = content.decode()
    if text is None or "\\" in text or any(character < " " for character in text):
        assert end == -1
    else:
        assert (end, characters) == (len(content), len(text))


def test_a_string_that_does_not_end_is_none() -> None:
    for length in range(20):
        assert string(of(b"x" * length + b'"'), 0, length)[0] == -1


MOMENTS = st.one_of(
    TIMES,
    st.builds(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{}".format,
        st.integers(1890, 2210), st.integers(0, 13), st.integers(0, 32), st.integers(0, 25), st.integers(0, 61),
        st.integers(0, 61), st.sampled_from(["", ".", ".5", ".123456", ".123456789", ".1234567890"]),
        st.sampled_from(["Z", "z", "", "+01:00", "-23:59", "+24:00", "+00:60", "+0100", "Z0", ",01:00"]),
    ),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)  # fmt: skip


@settings(max_examples=2000, deadline=None)
@given(MOMENTS)
def test_times_are_read_as_the_definition_reads_them(text: str) -> None:
    expected = MISSING
    with suppress(ValueError):
        expected = parse_time(text)
    raw = text.encode()
    assert time_of(of(raw + b" "), 0, len(raw)) == expected


DECIMALS = st.from_regex(r"\A-?[0-9]{0,19}(\.[0-9]{0,23})?\Z") | st.from_regex(r"\A[0-9]{1,10}(\.[0-9]{1,6})?\Z")


@settings(max_examples=1000, deadline=None)
@given(DECIMALS | st.sampled_from(["", "-", ".", "1.", "-.5", "00012.5", "1e3", "9999999999.999999"]))
def test_amounts_are_read_as_the_definition_reads_them(text: str) -> None:
    expected = NO_AMOUNT
    with suppress(ValueError):
        expected = parse_amount(text, "EUR")
    assert amount_of(of(text.encode() + b" "), 0, len(text)) == expected


@settings(max_examples=2000, deadline=None)
@given(DECIMALS | st.floats(-1e9, 1e9).map(repr) | st.integers(-(10**17), 10**17).map(str))
def test_decimals_are_rounded_as_by_way_of_float64_where_that_is_certain(text: str) -> None:
    data = of(text.encode() + b" ")
    if not is_decimal(data, 0, len(text)):
        return
    assert re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", text)
    number, certain = float32_of(data, 0, len(text))
    digits = text.lstrip("-0.").replace(".", "")
    if certain:
        assert np.float32(number).tobytes() == np.float32(float(text)).tobytes()
    else:
        assert len(digits) > 15 or float(text) == 0


@settings(max_examples=1000, deadline=None)
@given(st.text(st.sampled_from("0123456789 -.x_é٣🔢½²"), max_size=40))
def test_every_text_that_may_hold_a_card_number_is_suspected(text: str) -> None:
    raw = text.encode()
    if len(text) >= 13 and may_hold_pan(text):
        assert may_hold_card(of(raw + b" "), 0, len(raw))


def test_a_text_without_thirteen_digits_in_a_row_of_no_letters_is_not_suspected() -> None:
    for text in ("tok_" + "1234567890ab" * 4, "123456789012", "1234567890a1234567890", "x" * 100, "sess-0123456789-ab"):
        assert not may_hold_card(of(text.encode()), 0, len(text))
