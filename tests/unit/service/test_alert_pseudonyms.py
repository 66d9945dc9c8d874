"""Alerts as they are sent when ids are to be replaced by pseudonyms."""

import msgspec

from fraud.contracts.examples import EXAMPLES
from fraud.contracts.fields import PERSONAL
from fraud.contracts.outbound import Alert, alert_id
from fraud.decoding.structs import TransactionEvent
from fraud.privacy.keys import PSEUDONYMS, derived
from fraud.privacy.pseudonyms import Pseudonyms
from local.testbed.events import transaction
from service.ports import Channel
from tests.unit.service.test_serializer import process, written

SECRET = "s" * 16
NAMES = Pseudonyms(derived(SECRET, PSEUDONYMS))
TRANSACTION = EXAMPLES["transaction"][1]
EVENT = (
    transaction(1) | {name: value for name, value in TRANSACTION.items() if name != "event_time"} | {"amount": 90_000}
)
IDS = set(PERSONAL) & set(TRANSACTION)


def alert_of(*, pseudonyms: bool) -> tuple[bytes, Alert]:
    messages = written(process([EVENT], pseudonyms=pseudonyms, secret=SECRET), Channel.ALERTS)
    return messages.values[0], Alert.model_validate_json(messages.values[0])


def test_no_id_is_left_anywhere_in_an_alert() -> None:
    text, _ = alert_of(pseudonyms=True)
    assert len(IDS) > 10
    for name in IDS:
        assert f'"{TRANSACTION[name]}"'.encode() not in text, name


def test_body_and_embedded_transaction_agree_and_the_alert_has_an_id_of_its_own() -> None:
    (_, plain), (_, alert) = alert_of(pseudonyms=False), alert_of(pseudonyms=True)
    assert alert.customer_id == alert.transaction.customer_id == NAMES.of("cu-1842")
    assert alert.transaction_id == alert.transaction.transaction_id
    assert alert.alert_id == alert_id(alert.transaction_id, alert.stage) != plain.alert_id


def test_what_is_no_id_stays() -> None:
    (_, before), (_, after) = alert_of(pseudonyms=False), alert_of(pseudonyms=True)
    changed = {name for name, value in before.transaction if getattr(after.transaction, name) != value}
    assert changed == IDS
    assert (after.score, after.reasons, after.source) == (before.score, before.reasons, before.source)


def test_an_alert_with_pseudonyms_is_valid() -> None:
    _, alert = alert_of(pseudonyms=True)
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_the_embedded_transaction_has_the_pseudonyms_of_the_event() -> None:
    event = msgspec.convert(EVENT, TransactionEvent)
    replaced = msgspec.structs.replace(event, **NAMES.event(event))
    _, alert = alert_of(pseudonyms=True)
    assert all(getattr(replaced, name) == getattr(alert.transaction, name) for name in IDS)
