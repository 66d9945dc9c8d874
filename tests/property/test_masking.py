"""Masking a message leaves everything that is no card number as it was, and costs what the message's size costs."""

import json
import random
import string
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud.decoding.batch import Batch
from fraud.decoding.decoder import Decoder
from fraud.decoding.masking import mask_headers
from fraud.decoding.own_fields import OwnFields
from fraud.money import Rates
from fraud.privacy.card_numbers import is_pan, mask_bytes, mask_text, tokeniser
from local.testbed.events import at_us, transaction

TOKEN = tokeniser(b"secret")
PAN = "4111111111111111"
MASKED = TOKEN(PAN)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1) | st.floats(0, 1, width=32)
TEXTS = st.text(max_size=30) | st.sampled_from([PAN, f"no {PAN}!", "4111 1111 1111 1111", "20", '"', "\\u0034", "é"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def searched(value: object) -> object:
    """What a document says when its card numbers are replaced one value at a time."""
    if isinstance(value, dict):
        return {mask_text(name, TOKEN)[0]: searched(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [searched(inner) for inner in value]
    if isinstance(value, str):
        return mask_text(value, TOKEN)[0]
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1e12 and value % 1 == 0:
        digits = str(abs(int(value)))
        return TOKEN(digits) if is_pan(digits) else value
    return value


@settings(max_examples=500, deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_stays_json_and_says_the_same_but_for_card_numbers(
    document: object, ascii_only: bool, indent: int | None
) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    assert json.loads(mask_bytes(raw, TOKEN)[0]) == searched(json.loads(raw))


@pytest.mark.parametrize(
    "number",
    ["0.4111111111111111", "-0.4111111111111111", "4.111111111111111", "4111111111111111.5", "1e-4111111111111111",
     "4111111111111111e-3", "411111111111111", "41111111111111110000"],
)  # fmt: skip
def test_a_number_whose_value_is_no_card_number_is_left(number: str) -> None:
    raw = f'{{"ratio":{number},"n":[{number}]}}'.encode()
    assert mask_bytes(raw, TOKEN) == (raw, 0)


@pytest.mark.parametrize("number", [PAN, f"-{PAN}", f"{PAN}.0", "4.111111111111111e15", "4.111111111111111E+15"])
def test_a_number_whose_value_is_a_card_number_is_replaced_as_a_whole(number: str) -> None:
    masked, count = mask_bytes(f'{{"n": {number} , "m":[{number}]}}'.encode(), TOKEN)
    assert (json.loads(masked), count) == ({"n": MASKED, "m": [MASKED]}, 2)


@pytest.mark.parametrize("between", [".", "_", "/", "\t", "\u00a0", "–", "   ", " - ", "\u200b", "*"])
def test_up_to_three_characters_between_digits_hide_nothing(between: str) -> None:
    written = between.join(["4111", "1111", "1111", "1111"])
    assert mask_text(f"card {written}!", TOKEN) == (f"card {MASKED}!", 1)
    for ascii_only in (False, True):
        raw = json.dumps({"note": written, written: 1, "customer_id": written}, ensure_ascii=ascii_only).encode()
        assert json.loads(mask_bytes(raw, TOKEN)[0]) == {"note": MASKED, MASKED: 1, "customer_id": written}


@pytest.mark.parametrize("zero", ["0", "٠", "𝟎"])
def test_digits_of_other_scripts_and_forms_are_digits(zero: str) -> None:
    written = "".join(chr(ord(zero) + int(digit)) for digit in PAN)
    assert mask_text(f"é {written} é", TOKEN) == (f"é {MASKED} é", 1)
    for ascii_only in (False, True):
        raw = json.dumps({"note": f"é {written}"}, ensure_ascii=ascii_only).encode()
        assert json.loads(mask_bytes(raw, TOKEN)[0]) == {"note": f"é {MASKED}"}


def test_digits_written_as_escapes_are_found_in_broken_messages_too() -> None:
    escaped = "".join(f"\\u00{ord(digit):02x}" for digit in PAN)
    for raw in (f'{{"note":"{escaped}"}}', f'{{"note":"\\q {escaped}', f'"{escaped}" \xff'):
        masked, count = mask_bytes(raw.encode("latin-1"), TOKEN)
        assert (count, masked.count(MASKED.encode())) == (1, 1)
        assert escaped.encode() not in masked


def test_times_and_tokens_are_no_card_numbers() -> None:
    draw = random.Random(3)  # noqa: S311 - a seeded sample
    for _ in range(20_000):
        time = (
            f"20{draw.randrange(100):02}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}{draw.choice('T ')}"
            f"{draw.randrange(24):02}:{draw.randrange(60):02}:{draw.randrange(60):02}.{draw.randrange(10**6):06}+01:00"
        )
        assert mask_text(f"seen {time}, {TOKEN(time)}", TOKEN)[1] == 0


def test_ids_with_hyphens_and_phone_numbers_are_taken_for_cards_only_by_issuer_and_check_digit() -> None:
    draw = random.Random(5)  # noqa: S311 - a seeded sample
    for _ in range(5_000):
        digits = "".join(draw.choices(string.digits, k=draw.randint(10, 19)))
        text = f"+{digits[:2]} {digits[2:5]}-{digits[5:]}"
        candidates = {digits, digits[2:], digits[5:], digits[:5], digits[2:5]}
        assert (mask_text(text, TOKEN)[1] > 0) == any(map(is_pan, candidates))


def test_a_masked_event_is_read_as_the_event_that_was_masked_when_it_was_read() -> None:
    long = "x" * 240 + PAN
    events = [
        transaction(0, card_id=PAN),
        transaction(1, wallet=long, bin="x" * 256, attributes={"basket": long, PAN: 1, "weight": -int(PAN)}),
        transaction(2, customer_id=PAN, event_time="2026-01-05T10:50:12.123456+01:00"),
        transaction(3, attributes={"weight": 0.4111111111111111, "basket": f"{PAN} " * 15}),
    ]
    decoder = Decoder(
        Rates.default("EUR"), OwnFields(("weight",), categories=("basket",)), max_ahead_us=10**18, pan_token=TOKEN
    )
    raw = [json.dumps(event).encode() for event in events]
    once, twice = (decoder.decode(values, [at_us()] * 4) for values in (raw, [mask_bytes(v, TOKEN)[0] for v in raw]))
    assert (once.rejects, twice.rejects, twice.masked) == ([], [], 0)
    assert [msgspec.to_builtins(event) for event in once.events] == [
        msgspec.to_builtins(event) for event in twice.events
    ]
    for name in Batch.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(once.batch, name), getattr(twice.batch, name))


def test_headers_are_masked_in_names_and_values_but_for_the_ids_of_traces() -> None:
    headers = [
        (f"x-{PAN}", b"1"),
        ("note", f"card {PAN}".encode()),
        ("x-datadog-trace-id", PAN.encode()),
        ("n", b"\xff"),
    ]
    expected = [(f"x-{MASKED}", b"1"), ("note", f"card {MASKED}".encode()), *headers[2:]]
    assert mask_headers(headers, TOKEN) == (expected, 2)


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python run in it: work that no busy machine changes."""
    count = 0

    def trace(*_: object) -> Any:  # noqa: ANN401 - a trace function returns itself
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", [b"4 ", b"5 6 ", b"44 ", b"4   ", b"4111 ", b'"4 4 4 4 4 4 4 4 4 4 4 4 4 ",', b'"",'])
def test_the_work_on_a_hostile_message_grows_with_its_size_and_stays_small(unit: bytes) -> None:
    small, large = (unit * (size // len(unit)) for size in (8_192, 32_768))
    few, many = (steps(lambda raw=raw: mask_bytes(raw, TOKEN)) for raw in (small, large))  # type: ignore[misc]  # mypy cannot type the default
    assert many < 4.5 * few + 500, "linear"
    assert many < 30 * len(large), "lines of Python per byte"
