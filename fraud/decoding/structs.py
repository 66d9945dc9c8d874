"""The same contracts as `fraud.contracts.inbound`, as msgspec structs: fast to read and write, in the hot path only.

A struct accepts at most what the contract accepts. What a type here cannot say (known currencies, existing dates,
schema versions) `fraud.decoding.event_columns` checks a column at a time.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from fraud.contracts.inbound import MAX_ATTRIBUTES, MAX_TEXT
from fraud.money import MAX_MINOR

Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Small: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000)]
Whole: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Amount: TypeAlias = str | Annotated[int, Meta(ge=0, le=MAX_MINOR)]
Attributes: TypeAlias = Annotated[dict[Text, Text | bool | Whole | float], Meta(max_length=MAX_ATTRIBUTES)]


class AttemptEvent(Struct, kw_only=True, gc=False, tag_field="type"):
    """Fields of `fraud.contracts.inbound.Attempt`; times stay text."""

    schema_version: Text
    transaction_id: Text
    customer_id: Text
    event_time: str
    amount: Amount
    currency: Text
    order_id: Text | None = None
    attempt_no: Small | None = None
    merchant_id: Text | None = None
    merchant_category: Text | None = None
    card_id: Text | None = None
    card_fingerprint: Text | None = None
    bin: Text | None = None
    card_country: Text | None = None
    card_funding: Text | None = None
    wallet: Text | None = None
    payment_method: Text | None = None
    device_id: Text | None = None
    session_id: Text | None = None
    ip: Text | None = None
    ip_country: Text | None = None
    ip_asn: Text | None = None
    email_hash: Text | None = None
    email_domain: Text | None = None
    phone_hash: Text | None = None
    billing_country: Text | None = None
    shipping_country: Text | None = None
    billing_address_hash: Text | None = None
    shipping_address_hash: Text | None = None
    shipping_method: Text | None = None
    channel: Literal["web", "app", "pos", "moto"] | None = None
    initiator: Literal["customer", "merchant"] | None = None
    is_recurring: bool | None = None
    is_guest: bool | None = None
    is_digital: bool | None = None
    account_created_at: str | None = None
    card_added_at: str | None = None
    tz_offset_min: Annotated[int, Meta(ge=-1440, le=1440)] | None = None
    items_count: Small | None = None
    stage: Literal["pre_auth", "post_auth"] | None = None
    shop_id: Text | None = None
    attributes: Attributes | None = None


class TransactionEvent(AttemptEvent, kw_only=True, gc=False, tag_field="type", tag="transaction"):
    """Fields of `fraud.contracts.inbound.Transaction`."""


class OutcomeEvent(AttemptEvent, kw_only=True, gc=False, tag_field="type", tag="outcome"):
    """Fields of `fraud.contracts.inbound.Outcome`."""

    outcome_id: Text
    kind: Literal["authorised", "declined", "captured", "voided", "refunded"]
    decline_category: Text | None = None
    avs: Text | None = None
    cvv: Text | None = None
    three_ds: Text | None = None
    liability: Text | None = None


Event: TypeAlias = TransactionEvent | OutcomeEvent
