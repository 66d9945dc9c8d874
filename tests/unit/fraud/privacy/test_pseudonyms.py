"""Pseudonyms of ids."""

import msgspec

from fraud.contracts.examples import EXAMPLES
from fraud.contracts.fields import PERSONAL
from fraud.contracts.outbound import Alert, alert_id
from fraud.decoding.structs import TransactionEvent
from fraud.privacy.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(b"secret")
CONTENT = EXAMPLES["alert"][1]
TRANSACTION = EXAMPLES["transaction"][1]


def test_equal_ids_have_equal_pseudonyms_and_only_under_one_secret() -> None:
    assert PSEUDONYMS.of("cu-1") == Pseudonyms(b"secret").of("cu-1")
    assert len({PSEUDONYMS.of("cu-1"), PSEUDONYMS.of("cu-2"), Pseudonyms(b"other").of("cu-1")}) == 3


def test_no_id_is_left_anywhere_in_an_alert() -> None:
    alert = PSEUDONYMS.alert(Alert.model_validate(CONTENT))
    text = alert.model_dump_json()
    for name in PERSONAL:
        if name in TRANSACTION:
            assert f'"{TRANSACTION[name]}"' not in text, name


def test_key_body_and_embedded_transaction_agree() -> None:
    alert = PSEUDONYMS.alert(Alert.model_validate(CONTENT))
    assert alert.customer_id == alert.transaction.customer_id == PSEUDONYMS.of("cu-1842")
    assert alert.transaction_id == alert.transaction.transaction_id
    assert alert.alert_id == alert_id(alert.transaction_id, alert.stage) != CONTENT["alert_id"]


def test_what_is_no_id_stays() -> None:
    before = Alert.model_validate(CONTENT)
    after = PSEUDONYMS.alert(before)
    changed = {name for name, value in before.transaction if getattr(after.transaction, name) != value}
    assert changed == set(PERSONAL) & set(TRANSACTION)
    assert (after.score, after.reasons, after.source) == (before.score, before.reasons, before.source)


def test_an_alert_with_pseudonyms_is_valid() -> None:
    alert = PSEUDONYMS.alert(Alert.model_validate(CONTENT))
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_an_event_of_the_hot_path_gets_the_same_pseudonyms() -> None:
    event = msgspec.convert(TRANSACTION, TransactionEvent)
    replaced = msgspec.structs.replace(event, **PSEUDONYMS.event(event))
    alert = PSEUDONYMS.alert(Alert.model_validate(CONTENT))
    assert all(getattr(replaced, name) == getattr(alert.transaction, name) for name in PERSONAL if name in TRANSACTION)
