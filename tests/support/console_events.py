"""Records of the topics that a console reads, with good defaults."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from console.projection.payments import Payments
from console.projection.projection import Projection, Topics
from fraud.contracts.cases import CaseEvent
from fraud.contracts.examples import EXAMPLES
from fraud.contracts.outbound import alert_id

TOPICS = Topics("payments", "alerts", "decisions", "labels", "cases", "controls", "models")
START = datetime(2027, 1, 15, 8, tzinfo=UTC)


def projection_of(connection: sqlite3.Connection, payments: Payments | None = None) -> Projection:
    """A projection of these topics that keeps thirty days."""
    thirty_days = 30 * 86_400_000_000
    return Projection(
        connection,
        TOPICS,
        payments or Payments(),
        blind_share=0.5,
        second_share=0.0,
        review_minutes=5.0,
        keep_us=thirty_days,
    )


def at(seconds: float = 0.0) -> str:
    """ISO 8601 time, so many seconds after the start."""
    return (START + timedelta(seconds=seconds)).isoformat()


def payment(number: int, **fields: object) -> dict[str, Any]:
    """A transaction as the topic has it."""
    event = {
        **EXAMPLES["transaction"][1],
        "transaction_id": f"t{number}",
        "customer_id": f"c{number % 7}",
        "event_time": at(number),
        "card_fingerprint": f"card{number % 11}",
        "device_id": f"device{number % 5}",
        "email_hash": f"mail{number % 7}",
        "billing_address_hash": f"street{number % 3}",
        "shipping_address_hash": f"street{number % 3}",
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def alert(number: int, *, gain: float = 1.0, paid: dict[str, Any] | None = None, **fields: object) -> dict[str, Any]:
    """An alert on `payment(number)`, whose review saves `gain`."""
    paid = payment(number) if paid is None else paid
    costs = {"allow": 10.0 + gain, "challenge": 12.0 + gain, "review": 10.0, "block": 11.0 + gain}
    return {
        **EXAMPLES["alert"][1],
        "alert_id": case_id(number),
        "transaction_id": paid["transaction_id"],
        "customer_id": paid["customer_id"],
        "event_time": paid["event_time"],
        "scored_at": at(number),
        "action": "review",
        "costs": costs,
        "transaction": paid,
        **fields,
    }


def decision(number: int, **fields: object) -> dict[str, Any]:
    """A decision on `payment(number)`: allowed, with no alert."""
    event = {
        **EXAMPLES["decision"][1],
        "transaction_id": f"t{number}",
        "customer_id": f"c{number % 7}",
        "event_time": at(number),
        "scored_at": at(number),
        "action": "allow",
        "model_action": "allow",
        "alert_id": None,
        "score": 0.01,
        **fields,
    }
    return {name: value for name, value in event.items() if value is not None}


def label(number: int, verdict: str, **fields: object) -> dict[str, Any]:
    """A label of `payment(number)`."""
    told = {**EXAMPLES["label"][1], "label_id": f"l{number}", "transaction_id": f"t{number}", "verdict": verdict}
    return {**told, **fields}


def case_id(number: int) -> str:
    """Of the alert on `payment(number)`."""
    return alert_id(f"t{number}", "pre_auth")


def act(kind: str, version: int, by: str = "mira", *, number: int = 1, **fields: object) -> CaseEvent:
    """An act on the case of `payment(number)`."""
    defaults: dict[str, dict[str, object]] = {
        "claim": {"seconds": 900},
        "reopen": {"seconds": 900, "text": "wrong button"},
        "verdict": {"verdict": "unauthorised", "reason_code": "stolen_card"},
        "snooze": {"seconds": 3600},
        "note": {"text": "called the customer"},
    }
    return CaseEvent.model_validate(
        {
            "event_id": f"{number}-{version}-{by}-{kind}",
            "type": kind,
            "case_id": case_id(number),
            "transaction_id": f"t{number}",
            "version": version,
            "by": by,
            "at": START,
            **defaults.get(kind, {}),
            **fields,
        }
    )


def raw(event: object) -> bytes:
    """As a topic holds it."""
    return (
        event.model_dump_json(exclude_none=True).encode()
        if isinstance(event, CaseEvent)
        else json.dumps(event).encode()
    )
