"""Labels become entries of a list, once each, and go again with a reversal; nothing is kept beside the logs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from fraud.contracts.controls import Control
from fraud.contracts.inbound import SCHEMA_VERSION
from fraud.controls.state import Applied, ControlsState
from fraud.decoding.structs import TransactionEvent
from local.testbed.events import raw, transaction
from service.operations.controls.confirmations import CHUNK, LIST, Confirmations, Listed, PaymentPlaces, entry_id
from service.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LISTED = Listed(("device_id", "card_id", "email_hash"), timedelta(days=30))


def label(verdict: str, *, label_id: str = "la", transaction_id: str = "t1", **facts: object) -> bytes:
    said = {
        "schema_version": SCHEMA_VERSION,
        "label_id": label_id,
        "transaction_id": transaction_id,
        "verdict": verdict,
        "source": "chargeback",
        "occurred_at": "2026-02-20T00:00:00Z",
        "received_at": "2026-02-21T00:00:00Z",
    }
    return json.dumps(said | facts).encode()


def payment(transaction_id: str) -> TransactionEvent | None:
    event = transaction(1, transaction_id=transaction_id, device_id="d-1", card_id="tok-1", email_hash=None)
    return msgspec.json.decode(raw(event), type=TransactionEvent)


class Shop:
    """Labels in, controls as the fold has them out."""

    def __init__(self) -> None:
        self.state = ControlsState()
        self.labels: list[bytes] = []
        self.following = Confirmations(LISTED, payment)

    def say(self, *labels: bytes) -> Sequence[Control]:
        self.labels += labels
        self.following.add(labels)
        return self.write()

    def restart(self) -> Sequence[Control]:
        self.following = Confirmations(LISTED, payment)
        self.following.add(self.labels)
        return self.write()

    def write(self) -> Sequence[Control]:
        written = self.following.due(self.state.current(), NOW)
        for control in written:
            assert isinstance(self.state.apply(control.encode(), self.state.offset), Applied)
        return written


def test_a_confirmed_fraud_s_ids_enter_the_list_until_they_expire() -> None:
    (control,) = Shop().say(label("unauthorised"))
    assert control.list_entry is not None
    assert (control.list_entry.list, control.list_entry.values) == (LIST, ["d-1", "tok-1"])
    assert (control.status, control.valid_until) == ("live", datetime(2026, 3, 23, tzinfo=UTC))


def test_a_reversal_takes_them_out_and_a_confirmation_after_it_back_in() -> None:
    shop = Shop()
    shop.say(label("unauthorised"))
    assert [c.status for c in shop.say(label("genuine", label_id="lb", supersedes="la"))] == ["archived"]
    assert [c.version for c in shop.say(label("unauthorised", label_id="lc", source="dispute_outcome"))] == [3]
    assert shop.state.current()[entry_id("t1")].status == "live"


def test_who_starts_anew_writes_nothing_twice_and_what_was_missed() -> None:
    shop = Shop()
    shop.say(label("unauthorised"))
    assert not shop.restart()
    shop.labels.append(label("unauthorised", label_id="lx", transaction_id="t2"))
    assert [control.control_id for control in shop.restart()] == [entry_id("t2")]


@pytest.mark.parametrize(
    "said",
    [
        label("first_party"),
        label("unauthorised", source="customer_report"),
        label("unauthorised", received_at="2026-01-01T00:00:00Z"),
        b"{",
    ],
)
def test_claims_and_what_is_long_ago_enter_no_list(said: bytes) -> None:
    assert not Shop().say(said)


def test_an_entry_that_somebody_has_paused_stays_paused() -> None:
    shop = Shop()
    (entry,) = shop.say(label("unauthorised"))
    paused = entry.model_copy(update={"version": 2, "status": "paused", "author": "mira"})
    shop.state.apply(paused.encode(), shop.state.offset)
    assert not shop.restart()


def test_a_payment_that_comes_after_its_label_is_waited_for() -> None:
    known: list[str] = []
    following = Confirmations(LISTED, lambda name: payment(name) if name in known else None)
    following.add([label("unauthorised")])
    assert not following.due({}, NOW)
    known.append("t1")
    assert len(following.due({}, NOW)) == 1


def test_places_are_found_among_the_newest_payments_only() -> None:
    places = PaymentPlaces(2 * CHUNK)
    size = CHUNK // 2
    for first in range(0, 4 * CHUNK, size):
        values = [b'{"type":"transaction","transaction_id":"t%d"}' % number for number in range(first, first + size)]
        places.add(3, range(first, first + size), values)
    places.add(3, [7, 8], [b"{", b'{"type":"outcome","transaction_id":"o"}'])
    assert places.find("t0") is None
    assert places.find(f"t{2 * CHUNK}") == (3, 2 * CHUNK)
    assert places.find(f"t{4 * CHUNK - 1}") == (3, 4 * CHUNK - 1)
    assert places.find("o") is None


def test_a_field_that_is_no_id_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'amount' is no id of a payment"):
        Settings(confirmed_fields="device_id,amount")
