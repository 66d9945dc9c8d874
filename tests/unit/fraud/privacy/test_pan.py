"""Card numbers where none belong."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.privacy.card_numbers import is_pan, mask_bytes, mask_text, may_hold_pan, tokeniser

TOKEN = tokeniser(b"secret")
# Public test numbers of the schemes.
PANS = [
    "4111111111111111", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005", "30569309025904",
    "3530111333300000", "6011111111111117", "6304000000000000", "6200000000000005", "4917610000000000003",
]  # fmt: skip


@pytest.mark.parametrize("pan", PANS)
def test_numbers_of_every_large_scheme_are_found_and_one_wrong_digit_is_not(pan: str) -> None:
    assert is_pan(pan)
    assert not is_pan(pan[:-1] + str((int(pan[-1]) + 1) % 10))


@pytest.mark.parametrize("digits", ["0000000000000000", "1111111111111117", "411111111111111", "4" * 20, "", "7" * 16])
def test_numbers_of_no_issuer_or_length_are_left(digits: str) -> None:
    assert not is_pan(digits)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "card: 4111 1111 1111 1111!",
        "12 4111111111111111 99",
    ],
)
def test_a_number_is_replaced_by_the_same_token_however_it_is_written(text: str) -> None:
    masked, count = mask_text(text, TOKEN)
    assert count == 1
    assert TOKEN("4111111111111111") in masked
    assert "1111" not in masked.replace(TOKEN("4111111111111111"), "")
    assert may_hold_pan(text)


def test_two_numbers_in_one_text_are_both_replaced() -> None:
    masked, count = mask_text(" and ".join(PANS), TOKEN)
    assert count == len(PANS)
    assert masked == " and ".join(map(TOKEN, PANS))


def test_tokens_differ_by_secret_and_by_number() -> None:
    tokens = {tokeniser(secret)(pan) for secret in (b"a", b"b") for pan in PANS}
    assert len(tokens) == 2 * len(PANS)


@given(st.text(st.sampled_from("0123456789 -a"), max_size=60))
def test_the_cheap_test_never_misses_what_the_search_finds(text: str) -> None:
    assert may_hold_pan(text) or mask_text(text, TOKEN)[1] == 0


@given(st.text(max_size=200))
def test_text_without_a_number_is_unchanged(text: str) -> None:
    if not may_hold_pan(text):
        assert mask_text(text, TOKEN) == (text, 0)


def test_numeric_ids_are_not_touched_in_dead_letters() -> None:
    chance = random.Random(7)  # noqa: S311 - a seeded sample
    ids = [chance.randrange(10**15, 10**16) for _ in range(50_000)]
    assert sum(is_pan(str(number)) for number in ids[:10_000]) > 100, "the sample holds numbers that look like cards"
    raw = "".join(f'{{"customer_id":"{number}","order_id":{number}}}\n' for number in ids[:50_000]).encode()
    assert mask_bytes(raw, TOKEN) == (raw, 0)


def test_a_masked_message_is_valid_json_where_it_was_before() -> None:
    event = {
        "customer_id": PANS[0],
        "card_id": PANS[0],
        "attributes": {"n": int(PANS[0]), "t": f"no, {PANS[2]}, {PANS[4]}"},
        "x": [1, int(PANS[3])],
    }
    masked, count = mask_bytes(json.dumps(event).encode(), TOKEN)
    assert count == 5
    assert json.loads(masked) == {
        "customer_id": PANS[0],
        "card_id": TOKEN(PANS[0]),
        "attributes": {"n": TOKEN(PANS[0]), "t": f"no, {TOKEN(PANS[2])}, {TOKEN(PANS[4])}"},
        "x": [1, TOKEN(PANS[3])],
    }


@pytest.mark.parametrize("raw", [b"\xff4111111111111111\x00", b'{"card_id":"4111 1111 1111 1111', b"4111111111111111"])
def test_numbers_in_broken_messages_are_masked_too(raw: bytes) -> None:
    masked, count = mask_bytes(raw, TOKEN)
    assert count == 1
    assert b"1111" not in masked.replace(TOKEN("4111111111111111").encode(), b"")


def test_a_hostile_message_is_searched_in_linear_time() -> None:
    raw = b'"customer_id":"' * 2_000 + b"4 " * 50_000 + b'\\"' * 20_000
    assert mask_bytes(raw, TOKEN)[0]
