"""A customer is found by key and by text, and nobody else is."""

import json

import pytest

from fraud.privacy.forgetting import names


@pytest.mark.parametrize("customer", ["alice", "josé", "a/b", 'a"b', "a\\b", "4111", "😀", "a.b*c"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_an_id_is_found_however_json_escapes_it(customer: str, ascii_only: bool) -> None:
    raw = json.dumps({"x": [customer], "note": 'a\\"b'}, ensure_ascii=ascii_only)
    for written in (raw, raw.replace("/", "\\/"), raw[:-3]):
        assert names(customer, None, written.encode())
    assert names(customer, customer.encode(), b"broken")
    assert not names(customer, b"other", json.dumps({"customer_id": f"{customer}2", "n": f"x{customer}"}).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b'{"customer_id":17,"n":1}',
        b'{"customer_id": 17}',
        b"customer_id=17;",
        b"{customer_id: '17'",
        b'"customer_id" : "17',
    ],
)
def test_an_id_without_quotes_is_found_behind_its_name(raw: bytes) -> None:
    assert names("17", None, raw)
    assert not names("1", None, raw)
    assert not names("7", None, raw)


def test_a_letter_that_only_mentions_a_word_is_left() -> None:
    assert not names("alice", b"bob", b'{"customer_id":"bob","note":"to alice, with love"}')
    assert not names("17", None, b'{"customer_id":"bob","items_count":17}')
    assert not names("17", None, None)
