"""Payments and what links them: customer, card, device, address and e-mail.

The transactions topic is what producers wrote. Card numbers in it become the service's tokens, and ids its pseudonyms
where it makes them, so that a payment has one id in alerts and here.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fraud.contracts.fields import PERSONAL
from fraud.money import MINOR_DIGITS
from fraud.privacy.card_numbers import Token, mask_bytes
from fraud.privacy.pseudonyms import Pseudonyms
from fraud.timestamps import parse_time

LINKS: Final[Mapping[str, tuple[str, ...]]] = {
    "customer": ("customer_id",),
    "card": ("card_fingerprint", "card_id"),
    "device": ("device_id",),
    "address": ("shipping_address_hash", "billing_address_hash"),
    "email": ("email_hash",),
}
"""Kind of link -> the fields that make one."""


@dataclass(frozen=True, slots=True)
class Payments:
    """Writes rows of payments.

    Attributes:
        token: replaces card numbers; None leaves them, as the ledger does without a secret.
        pseudonyms: replace ids as in alerts; None leaves them.
    """

    token: Token | None = None
    pseudonyms: Pseudonyms | None = None

    def event(self, connection: sqlite3.Connection, raw: bytes) -> None:
        """A record of the transactions topic."""
        value = raw if self.token is None else mask_bytes(raw, self.token)[0]
        event = msgspec.json.decode(value, type=dict[str, Any])
        if self.pseudonyms is not None:
            texts = {name: event[name] for name in PERSONAL if isinstance(event.get(name), str)}
            event |= self.pseudonyms.event_fields(texts)
            value = msgspec.json.encode(event)
        if event["type"] == "outcome":
            connection.execute(
                "INSERT OR IGNORE INTO outcome VALUES (?, ?, ?, ?)",
                (event["transaction_id"], event["outcome_id"], event["kind"], parse_time(event["event_time"])),
            )
        else:
            _store(connection, event, value, from_log=True)

    def id_of(self, transaction_id: str) -> str:
        """The id under which a payment is kept here, from its true one."""
        return transaction_id if self.pseudonyms is None else self.pseudonyms.of(transaction_id)

    def in_alert(self, connection: sqlite3.Connection, payment: dict[str, Any]) -> None:
        """The payment that an alert repeats: all that is known of it where the topic no longer holds it."""
        _store(connection, payment, msgspec.json.encode(payment), from_log=False)


def in_major_units(amount: str | int, currency: str) -> float:
    """An amount as the contract writes it (decimal text, or integer in minor units) as a number of major units."""
    return float(amount) if isinstance(amount, str) else amount / 10 ** MINOR_DIGITS[currency]


def links_of(payment: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Kind and value of everything by which a payment may be linked to others."""
    for kind, fields in LINKS.items():
        values = [payment.get(field) for field in fields]
        found = [value for value in values if isinstance(value, str) and value]
        # The fingerprint stands for the card wherever there is one: tokens differ from shop to shop.
        yield from ((kind, value) for value in dict.fromkeys(found[:1] if kind == "card" else found))


def _store(connection: sqlite3.Connection, payment: dict[str, Any], raw: bytes, *, from_log: bool) -> None:
    event_us = parse_time(payment["event_time"])
    done = connection.execute(
        "INSERT INTO payment VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET from_log = excluded.from_log,"
        " event_us = excluded.event_us, customer_id = excluded.customer_id, amount = excluded.amount,"
        " currency = excluded.currency, raw = excluded.raw WHERE payment.from_log < excluded.from_log",
        (payment["transaction_id"], from_log, event_us, payment["customer_id"], str(payment["amount"]),
         payment["currency"], raw),
    )  # fmt: skip
    if done.rowcount:
        connection.executemany(
            "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?)",
            [(kind, value, event_us, payment["transaction_id"]) for kind, value in links_of(payment)],
        )
