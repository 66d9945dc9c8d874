"""An example of every message, for `docs/contracts/` and the tests."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from fraud.events import SCHEMA_VERSION
from fraud.outputs import alert_id

Json: TypeAlias = dict[str, object]

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
