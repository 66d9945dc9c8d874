"""Wire events with good defaults: each test names only what it is about."""

from datetime import UTC, datetime, timedelta

import msgspec

START = datetime(2025, 3, 3, 12, tzinfo=UTC)


def at(seconds: float = 0.0) -> str:
    """ISO 8601 time, so many seconds after the tests' start of time."""
    return (START + timedelta(seconds=seconds)).isoformat()


def at_us(seconds: float = 0.0) -> int:
    """The same in µs since 1970."""
    return int(START.timestamp() * 1_000_000) + int(seconds * 1_000_000)


def transaction(number: int = 0, /, **fields: object) -> dict[str, object]:
    """A transaction as parsed JSON; a field that is None is left out."""
    event: dict[str, object] = {
        "type": "transaction",
        "schema_version": "1.0",
        "transaction_id": f"t{number}",
        "event_time": at(number),
        "customer_id": f"c{number % 7}",
        "amount": "20.00",
        "currency": "EUR",
        "merchant_id": "shop",
        "card_id": f"card{number % 7}",
        "device_id": f"device{number % 5}",
        "ip": f"192.0.2.{number % 11}",
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def outcome(number: int = 0, /, **fields: object) -> dict[str, object]:
    """What became of transaction `number`, one second after it."""
    kind = {"outcome_id": f"o{number}", "kind": "authorised", "type": "outcome", "event_time": at(number + 1)}
    return transaction(number, **{**kind, **fields})


def raw(event: dict[str, object]) -> bytes:
    """An event as the topic holds it."""
    return msgspec.json.encode(event)
