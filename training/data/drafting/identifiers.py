"""Which columns name payments, customers, cards, devices and the like, and which hold the standard categories."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from training.data.drafting.names import ID_WORDS, PAYMENT_WORDS, says, word_set, words
from training.data.drafting.profile import ColumnProfile

_IP: Final = r"^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]+:[0-9a-fA-F:.]*)$"
CATEGORY_WORDS: Final = word_set("category type code")
_DOMAIN: Final = r"^[\w-]+(\.[\w-]+)+$"
_PAN: Final = r"^\d{13,19}$"
CUSTOMERS: Final = word_set(
    "customer client user buyer payer member account acct cust cardholder consumer userid customerid clientid"
)
CARDS: Final = word_set("card cc pan creditcard cardid cardnumber")
DEVICES: Final = word_set("device imei browser deviceid udid")
MERCHANTS: Final = word_set(
    "merchant terminal store shop seller vendor retailer acceptor merchantid terminalid payee beneficiary"
)


@dataclass(frozen=True, slots=True)
class FieldGuess:
    """A column that is a standard field of events.

    Attributes:
        field: of the event.
        column: its name.
        hashed: its values must not be stored as they are.
        note: what its owner should check.
    """

    field: str
    column: str
    hashed: bool = False
    note: str = ""


def id_like(column: ColumnProfile) -> bool:
    """Whether the values may be names of things: texts or whole numbers, many of them."""
    if column.is_time or column.is_nested or column.constant or column.is_measure:
        return False
    return column.distinct >= 20


def repeats(column: ColumnProfile) -> bool:
    """Whether things come back: at least every tenth row is of one that was seen."""
    return id_like(column) and column.repetition > 1.1 and column.empty < 0.95 * column.rows


def is_unique(column: ColumnProfile) -> bool:
    """Whether every row has a value of its own."""
    return column.empty == 0 and column.counted == column.rows


def _matches(column: ColumnProfile, pattern: str) -> bool:
    if column.filled == 0 or not re.match(pattern, str(column.texts.iloc[0]).strip()):
        return False
    return float(column.texts.str.strip().str.match(pattern).mean()) > 0.95


def _countries(column: ColumnProfile, *kinds: str) -> bool:
    return says(column.name, {"country", "land", "pays"}, kinds) and _matches(column, r"^[A-Z]{2}$")


def _all_of(column: ColumnProfile, values: set[str]) -> bool:
    return column.distinct <= len(values) and bool(len(column.texts)) and bool(column.texts.isin(values).all())


_NameTest = Callable[[ColumnProfile], bool]
_RULES: Final[tuple[tuple[str, bool, _NameTest], ...]] = (
    ("ip", False, lambda c: _matches(c, _IP)),
    ("email_hash", True, lambda c: _matches(c, r"^[^@\s]+@[^@\s]+$")),
    ("email_hash", False, lambda c: says(c.name, {"email", "mail"}, {"hash", "id"}) and id_like(c)),
    ("email_domain", False, lambda c: says(c.name, {"email", "mail", "emaildomain"}) and _matches(c, _DOMAIN)),
    ("phone_hash", True, lambda c: says(c.name, {"phone", "mobile", "telephone", "msisdn"}) and id_like(c)),
    ("bin", False, lambda c: says(c.name, {"bin", "iin"}) and _matches(c, r"^\d{6,8}$")),
    ("device_id", False, lambda c: says(c.name, DEVICES) and repeats(c) and c.repetition < 2_000),
    ("card_id", True, lambda c: says(c.name, CARDS) and _matches(c, _PAN)),
    ("card_id", False, lambda c: says(c.name, CARDS) and _named_id(c, CARDS) and repeats(c)),
    ("customer_id", False, lambda c: says(c.name, CUSTOMERS) and _named_id(c, CUSTOMERS) and repeats(c)),
    ("customer_id", False, lambda c: c.name.lower() in {"nameorig", "originator", "sender"} and id_like(c)),
    ("merchant_category", False, lambda c: says(c.name, {"mcc"}) or says(c.name, {"merchant"}, CATEGORY_WORDS)),
    ("merchant_id", False, lambda c: says(c.name, MERCHANTS) and _named_id(c, MERCHANTS) and repeats(c)),
    ("merchant_id", False, lambda c: c.name.lower() in {"namedest", "receiver", "recipient"} and id_like(c)),
    ("card_country", False, lambda c: _countries(c, "card", "issuer", "bin")),
    ("ip_country", False, lambda c: _countries(c, "ip")),
    ("billing_country", False, lambda c: _countries(c, "billing", "bill")),
    ("shipping_country", False, lambda c: _countries(c, "shipping", "ship", "delivery")),
    ("channel", False, lambda c: _all_of(c, {"web", "app", "pos", "moto"})),
    ("card_funding", False, lambda c: _all_of(c, {"credit", "debit", "prepaid"})),
)
"""Field, whether its values are personal as they stand, and what its column is like; the first column counts."""


def _named_id(column: ColumnProfile, things: frozenset[str]) -> bool:
    """Named after the thing alone, or as its id: "card_id", "merchant", "cc_num", not "card_type"."""
    rest = [word for word in words(column.name) if word not in things]
    return not rest or bool(set(rest) & (ID_WORDS | {"name", "code"})) or all(word.isdigit() for word in rest)


def guess_fields(profiles: list[ColumnProfile]) -> list[FieldGuess]:
    """Standard fields that columns hold; each field and each column once."""
    found: dict[str, FieldGuess] = {}
    taken: set[str] = set()
    profiles = [c for c in profiles if not (c.constant or c.is_nested or c.is_measure)]
    for field, hashed, holds in _RULES:
        rivals = [c for c in profiles if c.name not in taken and holds(c)]
        if field in found or not rivals:
            continue
        chosen = min(rivals, key=lambda c: (c.empty / max(c.rows, 1) > 0.5, c.place))
        taken.add(chosen.name)
        found[field] = FieldGuess(field, chosen.name, hashed, "hashed, for it is personal" if hashed else "")
    return list(found.values())


def guess_transaction_id(profiles: list[ColumnProfile]) -> tuple[str | None, ColumnProfile | None]:
    """The column that names each payment, and one that should and does not."""
    named = [c for c in profiles if _names_payments(c.name)]
    for column in named:
        if is_unique(column):
            return column.name, None
    most = (c for c in named if c.counted is not None and c.counted > 0.5 * c.rows)
    return None, next(most, None)


def _names_payments(name: str) -> bool:
    held = words(name)
    if re.fullmatch(r"(transaction|trans|tx|payment|order)?_?(id|uuid|guid|num)", name.strip().lower()):
        return True
    return bool(set(held) & (PAYMENT_WORDS | {"invoice", "operation"})) and bool(set(held) & ID_WORDS)
