"""The table of the fields of transactions and outcomes, from which every list of fields elsewhere is made.

A new optional field takes three lines: one here, one in `fraud.contracts.inbound` (`Attempt`, or `Outcome`, with the
description that becomes documentation) and one in `fraud.decoding.structs` (`AttemptEvent`, or `OutcomeEvent`). The two
classes stay written out so that readers and the type checker see their fields;
tests/unit/fraud/contracts/test_fields.py holds them to the table and names the line that is missing. All else follows:
the columns of batches, of event files and of the simulator, the search for card numbers, pseudonyms and, of a category,
its feature with a phrase for reasons, which `fraud.features.phrases` may word better. Then `make reference`.

The order is that of a batch's columns, hence of features and fingerprints: new fields go to the end of their group.
Categories, counts and flags are also part of what makes a repetition of a transaction: with a new one raise
`_SEMANTICS` in `fraud.history.history`, or repetitions across the upgrade count as conflicts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FieldType(StrEnum):
    """What a field holds."""

    ID = "id"
    """Text that leads to a person, a card or a payment; never searched for card numbers, for it may be numeric."""
    TOKEN = "token"  # noqa: S105 - no password
    """An id where a card number is a known mistake of producers: searched."""
    TEXT = "text"
    """Any other text; searched."""
    CHOICE = "choice"
    """One of a few known words."""
    TIME = "time"
    AMOUNT = "amount"
    FLAG = "flag"
    COUNT = "count"
    ATTRIBUTES = "attributes"


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of events.

    Attributes:
        name: on the wire.
        type: what it holds.
        required: an event without it is a dead letter; an invalid optional field is treated as missing.
        of_outcomes: transactions do not have it.
        entity: the entity of the history that it names.
        category: it is hashed into a column of categories, a feature of models where it is known in time.
        limits: lowest and highest count.
        since: the minor version of the contract that brought it.
    """

    name: str
    type: FieldType
    required: bool = False
    of_outcomes: bool = False
    entity: str = ""
    category: bool = False
    limits: tuple[int, int] | None = None
    since: str = "1.0"


_F, _T = EventField, FieldType
_SMALL: Final = (0, 1_000_000)

FIELDS: Final = (
    _F("transaction_id", _T.ID, required=True),
    _F("event_time", _T.TIME, required=True),
    _F("amount", _T.AMOUNT, required=True),
    _F("customer_id", _T.ID, required=True, entity="customer"),
    _F("card_id", _T.TOKEN, entity="card"),
    _F("bin", _T.TEXT, entity="bin"),
    _F("device_id", _T.ID, entity="device"),
    _F("ip", _T.ID, entity="ip"),
    _F("email_hash", _T.ID, entity="email"),
    _F("phone_hash", _T.ID, entity="phone"),
    _F("shipping_address_hash", _T.ID, entity="shipping_address"),
    _F("merchant_id", _T.ID, entity="merchant"),
    _F("card_fingerprint", _T.ID),  # names the card where it is given; see `fraud.decoding.batch_columns`
    _F("order_id", _T.ID),
    _F("session_id", _T.ID),
    _F("billing_address_hash", _T.ID),
    _F("outcome_id", _T.ID, required=True, of_outcomes=True),
    _F("currency", _T.CHOICE, required=True, category=True),
    _F("payment_method", _T.TEXT, category=True),
    _F("wallet", _T.TEXT, category=True),
    _F("card_country", _T.TEXT, category=True),
    _F("card_funding", _T.TEXT, category=True),
    _F("ip_country", _T.TEXT, category=True),
    _F("ip_asn", _T.TEXT, category=True),
    _F("email_domain", _T.TEXT, category=True),
    _F("billing_country", _T.TEXT, category=True),
    _F("shipping_country", _T.TEXT, category=True),
    _F("shipping_method", _T.TEXT, category=True),
    _F("channel", _T.CHOICE, category=True),
    _F("merchant_category", _T.TEXT, category=True),
    _F("decline_category", _T.TEXT, of_outcomes=True, category=True),
    _F("avs", _T.TEXT, of_outcomes=True, category=True),
    _F("cvv", _T.TEXT, of_outcomes=True, category=True),
    _F("three_ds", _T.TEXT, of_outcomes=True, category=True),
    _F("liability", _T.TEXT, of_outcomes=True, category=True),
    _F("account_created_at", _T.TIME),
    _F("card_added_at", _T.TIME),
    _F("tz_offset_min", _T.COUNT, limits=(-1440, 1440)),
    _F("items_count", _T.COUNT, limits=_SMALL),
    _F("attempt_no", _T.COUNT, limits=_SMALL),
    _F("is_recurring", _T.FLAG),
    _F("is_guest", _T.FLAG),
    _F("is_digital", _T.FLAG),
    _F("initiator", _T.CHOICE),
    _F("stage", _T.CHOICE),
    _F("shop_id", _T.TEXT),
    _F("kind", _T.CHOICE, required=True, of_outcomes=True),
    _F("attributes", _T.ATTRIBUTES),
)
"""All fields but `type` and `schema_version`, which every message has."""


def _names(fields: Iterable[EventField]) -> tuple[str, ...]:
    return tuple(field.name for field in fields)


def _of(*types: FieldType) -> tuple[str, ...]:
    return _names(field for field in FIELDS if field.type in types)


FIELD: Final = {field.name: field for field in FIELDS}
IDS: Final = _of(_T.ID)
PERSONAL: Final = _of(_T.ID, _T.TOKEN)
"""Fields that lead to a person, a card or a payment."""
SEARCHED: Final = _of(_T.TOKEN, _T.TEXT)
"""Texts in which a card number would be a mistake."""
TIMES: Final = _of(_T.TIME)
OPTIONAL_TIMES: Final = _names(field for field in FIELDS if field.type is _T.TIME and not field.required)
OPTIONAL_CHOICES: Final = _names(field for field in FIELDS if field.type is _T.CHOICE and not field.required)
FLAGS: Final = _of(_T.FLAG)
COUNTS: Final = _of(_T.COUNT)
CATEGORY_FIELDS: Final = _names(field for field in FIELDS if field.category)
OUTCOME_CATEGORIES: Final = _names(field for field in FIELDS if field.category and field.of_outcomes)
"""Known only once the issuer has answered."""
ENTITY_FIELDS: Final = {field.entity: field.name for field in FIELDS if field.entity}
"""Entity -> the field that names it."""
