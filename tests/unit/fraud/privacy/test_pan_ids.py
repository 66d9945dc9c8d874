"""Ids may be numeric: of a million that could be card numbers, none is touched."""

import json
import random
from collections.abc import Iterator

import pytest

from fraud.contracts import fields
from fraud.decoding.decoder import Decoder
from fraud.money import Rates
from fraud.privacy.card_numbers import is_pan, mask_bytes, tokeniser
from local.testbed.events import at_us, transaction

TOKEN = tokeniser(b"secret")
IN_TRANSACTIONS = sorted(set(fields.IDS) - {"outcome_id", "ip"})
IDS = 1_000_000
SHARE = 2_000
"""Messages at a time."""


def messages() -> Iterator[list[dict[str, object]]]:
    """A million ids of 13 to 19 digits, as long as card numbers, in the id fields of transactions."""
    draw = random.Random(11)  # noqa: S311 - a seeded sample
    count = -(-IDS // len(IN_TRANSACTIONS))
    for first in range(0, count, SHARE):
        yield [
            transaction(0, **{name: _digits(draw) for name in IN_TRANSACTIONS})
            for _ in range(first, min(first + SHARE, count))
        ]


def _digits(draw: random.Random) -> str:
    length = draw.randint(13, 19)
    return str(draw.randrange(10 ** (length - 1), 10**length))


@pytest.fixture(scope="module")
def shares() -> list[list[dict[str, object]]]:
    return list(messages())


def test_a_million_numeric_ids_are_decoded_untouched(shares: list[list[dict[str, object]]]) -> None:
    decoder = Decoder(rates=Rates.default("EUR"), max_ahead_us=10**15, pan_token=TOKEN)
    seen = alike = 0
    for share in shares:
        decoded = decoder.decode([json.dumps(event).encode() for event in share], [at_us()] * len(share))
        assert (decoded.masked, decoded.rejects) == (0, [])
        for event, read in zip(share, decoded.events, strict=True):
            ids = [str(getattr(read, name)) for name in IN_TRANSACTIONS]
            assert ids == [event[name] for name in IN_TRANSACTIONS]
            seen += len(ids)
            alike += is_pan(ids[0])
    assert seen >= IDS
    assert alike > 100, "the sample holds numbers that look like cards"


def test_a_million_numeric_ids_are_untouched_in_dead_letters(shares: list[list[dict[str, object]]]) -> None:
    for share in shares:
        raw = b"\n".join(json.dumps(event).encode() for event in share)
        assert mask_bytes(raw, TOKEN) == (raw, 0)
