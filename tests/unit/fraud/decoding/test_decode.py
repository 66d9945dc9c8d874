"""The fast reader; that it agrees with the contract is a property test."""

import json
import random

import numpy as np
import pytest

from fraud.contracts.inbound import Reason
from fraud.decoding.batch import ENTITIES, INTEGERS, MISSING, Kind, hash_category, hash_id
from fraud.decoding.decoder import Decoded, Decoder
from fraud.decoding.own_fields import OwnFields
from fraud.money import Rates
from fraud.privacy.card_numbers import is_pan, tokeniser
from fraud.timestamps import parse_time
from simulator.output.malformed import malformed, valid_event

NOW = parse_time("2026-01-05T10:00:00Z")
TOKEN = tokeniser(b"secret")
PAN = "4111111111111111"


def event(**changes: object) -> bytes:
    fields = valid_event(random.Random(1), **changes)  # noqa: S311 - a seeded sample
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def decode(*values: bytes | None, timestamp: int = NOW, **options: object) -> Decoded:
    decoder = Decoder(Rates.default("EUR"), pan_token=TOKEN, **options)  # type: ignore[arg-type]
    return decoder.decode(values, [timestamp] * len(values))


def entity(decoded: Decoded, name: str, row: int = 0) -> int:
    return int(decoded.batch.ids[row, ENTITIES.index(name)])


def integer(decoded: Decoded, name: str, row: int = 0) -> int:
    return int(decoded.batch.integers[row, INTEGERS.index(name)])


def test_an_empty_poll_gives_an_empty_batch() -> None:
    decoded = decode()
    assert (len(decoded.batch), decoded.events, decoded.rejects, decoded.masked) == (0, [], [], 0)


def test_valid_events_between_broken_ones_keep_their_order_and_rows() -> None:
    broken = malformed(2, 60)
    values = [value for i, raw in enumerate(broken) for value in (raw, event(transaction_id=f"tx-{i}"))]
    decoded = decode(*values, timestamp=NOW)
    assert decoded.rows.tolist() == list(range(1, 120, 2))
    assert [e.transaction_id for e in decoded.events] == [f"tx-{i}" for i in range(60)]
    assert [reject.row for reject in decoded.rejects] == list(range(0, 120, 2))


def test_transactions_and_outcomes_share_a_batch() -> None:
    outcome = {"type": "outcome", "outcome_id": "o", "kind": "declined", "avs": "match"}
    decoded = decode(event(), event(**outcome), event(avs="match"))
    assert decoded.batch.kind.tolist() == [Kind.TRANSACTION, Kind.DECLINED, Kind.TRANSACTION]
    avs = decoded.batch.categories[:, -4]
    assert avs[1] > 0
    assert avs[[0, 2]].tolist() == [0, 0], "only outcomes have a result of the address check"


def test_invalid_optional_fields_are_missing_and_the_payment_is_scored() -> None:
    decoded = decode(
        event(ip="", attributes={"agent": "x" * 257, "weight": 2}),
        event(),
        event(account_created_at="yesterday", tz_offset_min=9999),
        b"{",
        event(card_added_at="2026-02-30T10:00:00Z"),
        fields=OwnFields(("weight",), categories=("agent",)),
    )
    assert [reject.row for reject in decoded.rejects] == [3]
    assert decoded.rows.tolist() == [0, 1, 2, 4]
    assert decoded.ignored == {
        0: ("ip", "attributes"),
        2: ("account_created_at", "tz_offset_min"),
        4: ("card_added_at",),
    }
    assert decoded.batch.malformed.tolist() == [1, 0, 1, 1]
    assert [entity(decoded, "ip", row) == 0 for row in range(4)] == [True, False, False, False]
    assert [integer(decoded, name, 2) for name in ("account_created_at", "tz_offset_min")] == [MISSING] * 2
    assert [e.account_created_at for e in decoded.events] == [None] * 4
    assert decoded.batch.attributes[0, 0] == 2
    assert np.isnan(decoded.batch.attributes[0, 1])


def test_an_invalid_optional_time_does_not_save_an_event_that_is_too_far_ahead() -> None:
    late = event(event_time="2026-01-05T11:00:00.000001Z", account_created_at="yesterday")
    decoded = decode(event(), late, event(account_created_at="yesterday"))
    assert [reject.reason for reject in decoded.rejects] == [Reason.TOO_FAR_AHEAD]
    assert (decoded.rows.tolist(), decoded.batch.malformed.tolist()) == ([0, 2], [0, 1])


def test_an_event_may_have_five_hundred_attributes() -> None:
    decoded = decode(event(attributes={f"a{i}": i for i in range(512)}), fields=OwnFields(("a0", "a511")))
    assert decoded.batch.attributes.tolist() == [[0, 511]]
    assert not decoded.ignored


def test_the_cards_fingerprint_goes_before_its_token() -> None:
    decoded = decode(event(card_fingerprint="fp"), event())
    assert entity(decoded, "card") == hash_id("fp")
    assert entity(decoded, "card", 1) == hash_id("tok_91c2")


def test_absent_values_are_missing() -> None:
    decoded = decode(event(device_id=None, is_guest=None))
    assert entity(decoded, "device") == 0
    assert integer(decoded, "is_guest") == MISSING
    assert integer(decoded, "account_created_at") == MISSING


def test_declared_attributes_become_columns() -> None:
    decoded = decode(
        event(), event(attributes={"weight": 1e300}), fields=OwnFields(("weight", "absent"), categories=("basket",))
    )
    first, second = decoded.batch.attributes
    assert first[0] == 1.5
    assert np.isnan(first[1])
    assert first[2] == hash_category("shoes")
    assert second[0] == np.finfo(np.float32).max


def test_an_event_may_be_an_hour_ahead_of_kafka_and_no_longer() -> None:
    late = event(event_time="2026-01-05T10:00:00.000001Z")
    assert len(decode(event(), timestamp=NOW - 3_600_000_000).batch) == 1
    (reject,) = decode(late, timestamp=NOW - 3_600_000_000).rejects
    assert reject.reason is Reason.TOO_FAR_AHEAD


def test_a_tombstone_is_a_dead_letter() -> None:
    (reject,) = decode(None).rejects
    assert reject.reason is Reason.EMPTY


def test_details_do_not_repeat_the_senders_data() -> None:
    secret = "jane.doe@example.org"  # noqa: S105 - personal data, not a password
    for value in (
        event(amount=secret),
        event(event_time=secret),
        event(customer_id=secret * 20),
        event(currency=secret),
    ):
        (reject,) = decode(value).rejects
        assert "jane" not in reject.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"card_id": PAN}, {"card_id": "4111 1111-1111 1111"}, {"bin": PAN}, {"wallet": f"pay {PAN}"},
        {"attributes": {"note": f"card {PAN} please"}}, {"attributes": {"n": int(PAN)}},
        {"attributes": {"n": float(PAN)}},
    ],
)  # fmt: skip
def test_a_card_number_is_masked_counted_and_the_payment_scored(changes: dict[str, object]) -> None:
    decoded = decode(event(), event(**changes))
    assert decoded.masked == 1
    assert len(decoded.batch) == 2
    assert PAN not in str(decoded.events).replace(" ", "").replace("-", "")
    assert TOKEN(PAN) in str(decoded.events)


def test_the_same_card_number_is_the_same_card_however_it_is_written() -> None:
    decoded = decode(event(card_id=PAN), event(card_id="4111-1111-1111-1111"))
    assert entity(decoded, "card", 0) == entity(decoded, "card", 1) == hash_id(TOKEN(PAN))


def test_a_million_numeric_ids_are_not_touched() -> None:
    chance = random.Random(3)  # noqa: S311 - a seeded sample
    names = ("transaction_id", "customer_id", "order_id", "device_id", "session_id", "merchant_id", "email_hash",
             "phone_hash", "card_fingerprint", "shipping_address_hash")  # fmt: skip
    looked_like_cards = 0
    decoder = Decoder(Rates.default("EUR"), pan_token=TOKEN)
    for _ in range(100):
        numbers = [[str(chance.randrange(10**15, 10**16)) for _ in names] for _ in range(1000)]
        values = [event(**dict(zip(names, row, strict=True))) for row in numbers]
        decoded = decoder.decode(values, [NOW] * len(values))
        assert decoded.masked == 0
        assert [[getattr(e, name) for name in names] for e in decoded.events] == numbers
        looked_like_cards += sum(is_pan(number) for number in numbers[0])
    assert looked_like_cards > 10
