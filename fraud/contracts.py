"""Writes `docs/contracts/` from the models: `python -m fraud.contracts [FOLDER]`.

JSON Schemas, one AsyncAPI 3.0 document that describes every topic, and an example of each message. A test fails when
the folder is stale. `examples/<version>/` is copied once a version is out and never changes: what was valid stays so.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from fraud.events import SCHEMA_VERSION, Label, Outcome, Transaction
from fraud.outputs import Alert, Announcement, DeadLetter, Decision, alert_id

Json: TypeAlias = dict[str, object]

FOLDER: Final = Path("docs/contracts")
MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "transaction": Transaction,
    "outcome": Outcome,
    "label": Label,
    "alert": Alert,
    "decision": Decision,
    "dead_letter": DeadLetter,
    "announcement": Announcement,
}

_TRANSACTION: Final[Json] = {
    "type": "transaction",
    "schema_version": SCHEMA_VERSION,
    "transaction_id": "tx-7f3a91",
    "event_time": "2026-01-05T10:00:00.250000Z",
    "customer_id": "cu-1842",
    "amount": "129.90",
    "currency": "EUR",
    "order_id": "or-55012",
    "attempt_no": 1,
    "merchant_id": "shop-12",
    "merchant_category": "5732",
    "card_id": "tok_91c2e7",
    "card_fingerprint": "fp_5d20aa",
    "bin": "411111",
    "card_country": "FR",
    "card_funding": "credit",
    "payment_method": "card",
    "device_id": "dev-77a0",
    "session_id": "se-9012",
    "ip": "203.0.113.9",
    "ip_country": "FR",
    "ip_asn": "AS64500",
    "email_hash": "b2c41f",
    "email_domain": "example.org",
    "phone_hash": "77e1d0",
    "billing_country": "FR",
    "shipping_country": "BE",
    "billing_address_hash": "a1b2c3",
    "shipping_address_hash": "d4e5f6",
    "shipping_method": "express",
    "channel": "web",
    "initiator": "customer",
    "is_recurring": False,
    "is_guest": False,
    "is_digital": False,
    "account_created_at": "2024-03-01T08:30:00Z",
    "card_added_at": "2026-01-05T09:58:12Z",
    "tz_offset_min": 60,
    "items_count": 2,
    "stage": "pre_auth",
    "attributes": {"basket": "electronics", "loyalty_points": 120},
}
_SOURCE: Final[Json] = {"topic": "payments.transactions.v1", "partition": 0, "offset": 81234}
_SCORED: Final[Json] = {
    "schema_version": SCHEMA_VERSION,
    "transaction_id": "tx-7f3a91",
    "customer_id": "cu-1842",
    "event_time": "2026-01-05T10:00:00.250000Z",
    "scored_at": "2026-01-05T10:00:00.281000Z",
    "stage": "pre_auth",
    "score": 0.83,
    "threshold": 0.021,
    "action": "block",
    "model_version": 3,
    "policy_version": "1c6f22ea52ce",
    "features_fingerprint": "5b0e6a9d3c41f278",
    "source": _SOURCE,
}
EXAMPLES: Final[Mapping[str, tuple[str, Json]]] = {
    "transaction": ("transaction", _TRANSACTION),
    "transaction_minimal": (
        "transaction",
        {
            "type": "transaction",
            "schema_version": SCHEMA_VERSION,
            "transaction_id": "tx-7f3a92",
            "event_time": "2026-01-05T11:00:00+01:00",
            "customer_id": "cu-1842",
            "amount": 0,
            "currency": "JPY",
        },
    ),
    "outcome": (
        "outcome",
        {
            "type": "outcome",
            "schema_version": SCHEMA_VERSION,
            "outcome_id": "ou-31",
            "transaction_id": "tx-7f3a91",
            "customer_id": "cu-1842",
            "event_time": "2026-01-05T10:00:01Z",
            "kind": "declined",
            "amount": "129.90",
            "currency": "EUR",
            "decline_category": "soft",
            "avs": "match",
            "cvv": "mismatch",
            "three_ds": "none",
            "liability": "merchant",
            "card_fingerprint": "fp_5d20aa",
            "device_id": "dev-77a0",
            "ip": "203.0.113.9",
            "merchant_id": "shop-12",
        },
    ),
    "label": (
        "label",
        {
            "schema_version": SCHEMA_VERSION,
            "label_id": "la-9",
            "transaction_id": "tx-7f3a91",
            "verdict": "unauthorised",
            "source": "chargeback",
            "occurred_at": "2026-02-11T00:00:00Z",
            "received_at": "2026-02-13T06:00:00Z",
            "reason_code": "10.4",
        },
    ),
    "alert": (
        "alert",
        {
            **_SCORED,
            "alert_id": alert_id("tx-7f3a91", "pre_auth"),
            "risk_level": "critical",
            "reasons": [
                {
                    "code": "device",
                    "text": "8 cards from this device in 24 h, 6 declined attempts",
                    "contribution": 2.41,
                }
            ],
            "costs": {"allow": 113.6, "challenge": 18.5, "review": 13.2, "block": 6.9},
            "transaction": _TRANSACTION,
        },
    ),
    "decision": (
        "decision",
        {
            **_SCORED,
            "raw_score": 1.7,
            "model_action": "block",
            "propensity": 0.99,
            "alert_id": alert_id("tx-7f3a91", "pre_auth"),
            "features_crc": 2882400001,
            "late": False,
            "shadow": {"model_version": 4, "score": 0.79, "action": "block"},
        },
    ),
    "dead_letter_headers": (
        "dead_letter",
        {
            "reason": "missing_field",
            "detail": "customer_id: Field required",
            "source_topic": "payments.transactions.v1",
            "source_partition": 0,
            "source_offset": 81235,
            "time": "2026-01-05T10:00:02Z",
            "masked": 0,
            "truncated": False,
            "attempt": 0,
        },
    ),
    "announcement": (
        "announcement",
        {
            "schema_version": SCHEMA_VERSION,
            "model": "fraud",
            "type": "promotion",
            "version": 4,
            "former": 3,
            "at": "2026-02-01T04:00:00Z",
            "reason": "run 12: recall within the alert budget 0.31 against 0.22",
            "features_fingerprint": "5b0e6a9d3c41f278",
            "run": 12,
        },
    ),
}
"""Name of an example -> the contract that it follows, and its content."""


def documents() -> dict[str, str]:
    """Every generated file: its path below the folder, and its text."""
    files: dict[str, Json] = {f"schemas/{name}.json": schema(model) for name, model in MODELS.items()}
    files |= {f"examples/{name}.json": content for name, (_, content) in EXAMPLES.items()}
    files["asyncapi.json"] = asyncapi()
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in files.items()}


def schema(model: type[BaseModel]) -> Json:
    """The JSON Schema of one contract."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def asyncapi() -> Json:
    """All topics in one AsyncAPI 3.0 document."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in MODELS.values()], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fraudstream",
            "version": SCHEMA_VERSION,
            "description": "Payment events in; alerts, decisions and dead letters out. Topic names are settings; these "
            "are the defaults. Outputs are written in transactions: read them with isolation.level=read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(*facts) for name, facts in _CHANNELS.items()},
        "operations": {
            f"{_ACTIONS[name]}_{name}": {
                "action": _ACTIONS[name],
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in facts[2]],
            }
            for name, facts in _CHANNELS.items()
        },
        "components": {
            "messages": {name: _message(name) for name in MODELS},
            "schemas": definitions["$defs"],
        },
    }


_CHANNELS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "transactions": (
        "payments.transactions.v1",
        "Payment attempts and what became of them, in one order.",
        ("transaction", "outcome"),
    ),
    "labels": ("fraud.labels.v1", "What somebody found out about transactions.", ("label",)),
    "alerts": ("fraud.alerts.v1", "One alert for each flagged transaction.", ("alert",)),
    "decisions": ("fraud.decisions.v1", "One decision for each scored transaction.", ("decision",)),
    "dead_letters": ("payments.transactions.v1.dlq", "Messages that could not be scored.", ("dead_letter",)),
    "models": ("fraud.models.v1", "What becomes of versions of the model.", ("announcement",)),
}
_ACTIONS: Final = {
    "transactions": "receive",
    "labels": "receive",
    "alerts": "send",
    "decisions": "send",
    "dead_letters": "send",
    "models": "send",
}
_KEYS: Final = {"label": "transaction_id", "dead_letter": "the key of the source record", "announcement": "model"}


def _channel(topic: str, description: str, messages: tuple[str, ...]) -> Json:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _message(name: str) -> Json:
    model = MODELS[name]
    shape = {"$ref": f"#/components/schemas/{model.__name__}"}
    examples = [content for contract, content in EXAMPLES.values() if contract == name]
    key = {"type": "string", "description": _KEYS.get(name, "customer_id")}
    message: Json = {
        "name": name,
        "title": model.__name__,
        "summary": (model.__doc__ or "").splitlines()[0],
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }
    if name == "dead_letter":
        raw = {"type": "string", "format": "binary", "description": "the message as it came, card numbers masked"}
        return {**message, "contentType": "application/octet-stream", "headers": shape, "payload": raw}
    return {**message, "payload": shape, "examples": [{"payload": content} for content in examples]}


def write(folder: Path) -> None:
    """Writes every document below the folder."""
    for path, text in documents().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
