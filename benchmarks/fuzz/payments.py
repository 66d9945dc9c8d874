"""Valid payments and their outcomes, by number: what must come out as if nothing else were on the topic.

Every id begins with `valid-`, which no mutation of this package makes, so that their histories are theirs alone.
"""

import random
from datetime import UTC, datetime
from typing import Final, TypeAlias

import msgspec

Fields: TypeAlias = dict[str, object]

CUSTOMERS: Final = 300
STEP_MS: Final = 5
"""Between two valid payments; so a minute holds 12,000, and windows of every length are filled."""

_encode: Final = msgspec.json.Encoder().encode


def moment(ms: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def payment(seed: int, number: int, *, start_ms: int) -> tuple[bytes, bytes, int]:
    """Key, value and Kafka timestamp in ms of a valid event; one in ten is an outcome of the one before it."""
    at = start_ms + number * STEP_MS
    outcome = number % 10 == 9
    fields = event(random.Random(f"{seed}:valid:{number - outcome}"), number - outcome, at=at, prefix="valid-")  # noqa: S311 - seeded
    if outcome:
        kind = ("authorised", "declined", "captured", "voided", "refunded")[number // 10 % 5]
        fields |= {"type": "outcome", "outcome_id": f"valid-o{number}", "kind": kind}
    return str(fields["customer_id"]).encode(), _encode(fields), at


def event(draw: random.Random, number: int, *, at: int, prefix: str) -> Fields:
    """A transaction with every kind of entity, which now and then shares some with others of the same prefix."""
    who = draw.randrange(CUSTOMERS)
    card = f"{prefix}card-{who}-{draw.randrange(3)}"
    device, place, shop = draw.randrange(CUSTOMERS // 2), draw.randrange(CUSTOMERS), draw.randrange(20)
    return {
        "type": "transaction",
        "schema_version": "1.0",
        "transaction_id": f"{prefix}t{number}",
        "event_time": moment(at),
        "customer_id": f"{prefix}c{who}",
        "amount": f"{draw.randrange(1, 900)}.{draw.randrange(100):02}",
        "currency": ("EUR", "USD", "GBP")[draw.randrange(3)],
        "order_id": f"{prefix}order-{number // 2}",
        "merchant_id": f"{prefix}m{shop}",
        "card_id": card,
        "bin": f"{prefix}{shop % 5}",
        "device_id": f"{prefix}d{device}",
        "ip": f"{prefix}ip{place}",
        "email_hash": f"{prefix}e{who}",
        "email_domain": "example.org",
        "phone_hash": f"{prefix}p{place}",
        "shipping_address_hash": f"{prefix}a{place}",
        "billing_country": "DE",
        "channel": ("web", "app")[device % 2],
        "is_guest": place % 7 == 0,
        "items_count": device % 9,
        "tz_offset_min": 60,
        "account_created_at": moment(at - 86_400_000 * (1 + who)),
        "attributes": {"basket": "shoes", "ratio": draw.random()},
    }
