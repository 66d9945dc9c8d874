"""The fields of messages by number, and what the compiled reader knows of each: made from the contract's table."""

from typing import Final

import numpy as np

from fraud.contracts.fields import CATEGORY_FIELDS, ENTITY_FIELDS, FIELDS, FieldType
from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS

NAMES: Final = ("type", "schema_version", *(field.name for field in FIELDS))
"""A field's number is its place here."""

TEXT, CHOICE, VERSION, TIME, FLAG, COUNT, AMOUNT, OBJECT = range(8)
"""How a field is read."""

TEXTS: Final = VERSION
"""The last of those that are texts."""

_RULES: Final = {
    FieldType.ID: TEXT,
    FieldType.TOKEN: TEXT,
    FieldType.TEXT: TEXT,
    FieldType.CHOICE: CHOICE,
    FieldType.TIME: TIME,
    FieldType.AMOUNT: AMOUNT,
    FieldType.FLAG: FLAG,
    FieldType.COUNT: COUNT,
    FieldType.ATTRIBUTES: OBJECT,
}
_SEARCHED: Final = (FieldType.TOKEN, FieldType.TEXT)

AT_TYPE, AT_CURRENCY, AT_AMOUNT, AT_TIME, AT_KIND, AT_ATTRIBUTES = (
    NAMES.index(name) for name in ("type", "currency", "amount", "event_time", "kind", "attributes")
)
AT_TRANSACTION, AT_ORDER, AT_BILLING_ADDRESS, AT_CUSTOMER, AT_FINGERPRINT, AT_CARD = (
    NAMES.index(name)
    for name in (
        "transaction_id", "order_id", "billing_address_hash", "customer_id", "card_fingerprint", "card_id",
    )
)  # fmt: skip

RULE = np.array([CHOICE, VERSION, *(TEXT if field.name == "currency" else _RULES[field.type] for field in FIELDS)])
"""Which currencies there are the rates say."""

REQUIRED = np.array([True, True, *(field.required for field in FIELDS)])
OF_OUTCOMES = np.array([False, False, *(field.of_outcomes for field in FIELDS)])
SEARCHED = np.array([False, False, *(field.type in _SEARCHED for field in FIELDS)])
_ALSO_HASHED: Final = ("transaction_id", "order_id", "billing_address_hash", "card_fingerprint")
HASHED = np.array([name in {*ENTITY_FIELDS.values(), *CATEGORY_FIELDS, *_ALSO_HASHED} for name in NAMES])
LOWEST = np.array([0, 0, *((field.limits or (0, 0))[0] for field in FIELDS)])
HIGHEST = np.array([0, 0, *((field.limits or (0, 0))[1] for field in FIELDS)])

ENTITY_IN = np.array([NAMES.index(ENTITY_FIELDS[entity]) for entity in ENTITIES])
"""Field of each column of `Batch.ids`; for the card its token."""

CATEGORY_IN = np.array([NAMES.index(name) for name in CATEGORIES])
_FROM: Final = {"is_merchant_initiated": "initiator", "amount_cents": "amount"}
INTEGER_IN = np.array([NAMES.index(_FROM.get(name, name)) for name in INTEGERS])
"""Field of each column of `Batch.categories` and `Batch.integers`."""
