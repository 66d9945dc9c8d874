"""The contracts: every event that this project reads or writes, as frozen, strict models.

JSON Schemas under `docs/contracts/` are generated from here. Unknown fields are ignored, null means absent, NaN and
infinities are refused. `fraud.decode` is the fast reader of the first two; it accepts exactly what they accept.
"""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from fraud.money import AMOUNT_PATTERN, MAX_MINOR, MINOR_DIGITS
from fraud.times import TIME_PATTERN, parse_time, to_datetime

SCHEMA_VERSION: Final = "1.0"
MAX_TEXT: Final = 256
MAX_ATTRIBUTES: Final = 64

ALERT_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "alerts.fraudstream")
"""Name space of alert ids; part of the contract, hence never changed."""


class Reason(StrEnum):
    """Why a message could not be scored; the `reason` header of its dead letter."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_OBJECT = "not_object"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_SCHEMA = "unknown_schema"
    MISSING_FIELD = "missing_field"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_CURRENCY = "unknown_currency"
    TOO_FAR_AHEAD = "too_far_ahead"
    CONFLICT = "conflict"


class InvalidEvent(Exception):  # noqa: N818 - named for what it says, as in the design: it leads to a dead letter
    """A message that cannot be scored and belongs in the dead-letter topic.

    Attributes:
        reason: the slug.
        detail: one line, without the offending value, which may be personal data.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def _time(value: object) -> object:
    if isinstance(value, str):
        return to_datetime(parse_time(value))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    raise ValueError("must be an ISO 8601 time with offset, as a string")


def _no_integer(value: object) -> object:
    """Keeps integers past 64 bits from passing as floats."""
    if isinstance(value, int):
        raise ValueError("must be within 64 bits")  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


def _no_null_character(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain the null character")
    return value


def is_known_schema(value: str) -> bool:
    """Whether a schema version is one that this code reads: any minor version of the first major one."""
    major, _, minor = value.partition(".")
    return major == "1" and minor.isascii() and minor.isdigit()


def _known_schema(value: str) -> str:
    if not is_known_schema(value):
        raise PydanticCustomError("unknown_schema", "must be 1.x")
    return value


def _known_currency(value: str) -> str:
    if value not in MINOR_DIGITS:
        raise PydanticCustomError("unknown_currency", "must be an ISO 4217 code")
    return value


Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_no_null_character)]
Time: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]
SchemaVersion: TypeAlias = Annotated[
    Text, AfterValidator(_known_schema), Field(json_schema_extra={"pattern": r"^1\.[0-9]+$"})
]
Currency: TypeAlias = Annotated[
    Text, AfterValidator(_known_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})
]
DecimalText: TypeAlias = Annotated[str, Field(pattern=AMOUNT_PATTERN, description="decimal in major units")]
MinorUnits: TypeAlias = Annotated[int, Field(ge=0, le=MAX_MINOR, description="integer in minor units")]
Amount: TypeAlias = DecimalText | MinorUnits
Number: TypeAlias = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | Annotated[float, BeforeValidator(_no_integer)]
Small: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]

OutcomeKind: TypeAlias = Literal["authorised", "declined", "captured", "voided", "refunded"]
Action: TypeAlias = Literal["allow", "challenge", "review", "block"]
Stage: TypeAlias = Literal["pre_auth", "post_auth"]
Verdict: TypeAlias = Literal["unauthorised", "first_party", "service", "genuine"]
LabelSource: TypeAlias = Literal["dispute_outcome", "chargeback", "analyst", "early_warning", "customer_report"]
RiskLevel: TypeAlias = Literal["low", "medium", "high", "critical"]


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())


class Attempt(_Contract):
    """What a transaction and its outcomes share: who paid, with what, from where, to whom."""

    transaction_id: Text = Field(description="id of the payment attempt, unique for at least 24 h")
    customer_id: Text = Field(description="who pays; for guests a hash of the e-mail address, never a shared constant")
    event_time: Time = Field(description="when it happened, at the source")
    amount: Amount = Field(description="decimal string in major units, or integer in minor units; 0 verifies a card")
    currency: Currency = Field(description="ISO 4217 code")
    order_id: Text | None = Field(None, description="order that the attempt pays; shared by its retries")
    attempt_no: Small | None = Field(None, description="1 for the first attempt on an order")
    merchant_id: Text | None = Field(None, description="shop or seller that is paid")
    merchant_category: Text | None = Field(None, description="merchant category code")
    card_id: Text | None = Field(None, description="token of the card, never its number")
    card_fingerprint: Text | None = Field(None, description="token that is equal for one card across shops")
    bin: Text | None = Field(None, description="first six or eight digits of the card number")
    card_country: Text | None = Field(None, description="country of the issuer, ISO 3166")
    card_funding: Text | None = Field(None, description="credit, debit, prepaid …")
    wallet: Text | None = Field(None, description="wallet that presented the card")
    payment_method: Text | None = Field(None, description="card, bank debit, pay later …")
    device_id: Text | None = Field(None, description="fingerprint of the device")
    session_id: Text | None = Field(None, description="session of the checkout")
    ip: Text | None = Field(None, description="client's address")
    ip_country: Text | None = Field(None, description="country of the address, ISO 3166")
    ip_asn: Text | None = Field(None, description="autonomous system of the address")
    email_hash: Text | None = Field(None, description="hash of the e-mail address")
    email_domain: Text | None = Field(None, description="domain of the e-mail address")
    phone_hash: Text | None = Field(None, description="hash of the phone number")
    billing_country: Text | None = Field(None, description="country of the billing address, ISO 3166")
    shipping_country: Text | None = Field(None, description="country of the shipping address, ISO 3166")
    billing_address_hash: Text | None = Field(None, description="hash of the normalised billing address")
    shipping_address_hash: Text | None = Field(None, description="hash of the normalised shipping address")
    shipping_method: Text | None = Field(None, description="standard, express, pick-up …")
    channel: Literal["web", "app", "pos", "moto"] | None = Field(None, description="where the customer was")
    initiator: Literal["customer", "merchant"] | None = Field(None, description="who started it; absent: the customer")
    is_recurring: bool | None = Field(None, description="a subscription's payment")
    is_guest: bool | None = Field(None, description="the customer has no account")
    is_digital: bool | None = Field(None, description="nothing is shipped")
    account_created_at: Time | None = Field(None, description="when the account was opened")
    card_added_at: Time | None = Field(None, description="when the card was stored in the account")
    tz_offset_min: Annotated[int, Field(ge=-1440, le=1440)] | None = Field(
        None, description="customer's offset from UTC in minutes, east positive"
    )
    items_count: Small | None = Field(None, description="items in the basket")
    stage: Stage | None = Field(None, description="when it is scored; absent: before authorisation")
    attributes: Annotated[dict[Text, Text | Number], Field(max_length=MAX_ATTRIBUTES)] | None = Field(
        None, description="platform-specific strings and numbers that a feature spec may name"
    )


class Transaction(Attempt):
    """One payment attempt, which is scored."""

    type: Literal["transaction"] = Field(description="tells it from an outcome on the same topic")
    schema_version: SchemaVersion = Field(description="version of this contract")


class Outcome(Attempt):
    """What became of an attempt; updates history, is not scored. Carries the attempt's entity ids again."""

    type: Literal["outcome"] = Field(description="tells it from a transaction on the same topic")
    schema_version: SchemaVersion = Field(description="version of this contract")
    outcome_id: Text = Field(description="id of this outcome")
    kind: OutcomeKind = Field(description="what happened")
    decline_category: Text | None = Field(None, description="why it was declined: soft, hard, fraud, insufficient …")
    avs: Text | None = Field(None, description="result of the address check")
    cvv: Text | None = Field(None, description="result of the card code check")
    three_ds: Text | None = Field(None, description="result of 3-D Secure")
    liability: Text | None = Field(None, description="who bears a fraud's loss: merchant or issuer")


class Label(_Contract):
    """What somebody found out about a transaction, maybe months later."""

    schema_version: SchemaVersion = Field(description="version of this contract")
    label_id: Text = Field(description="id of this label")
    transaction_id: Text = Field(description="transaction that is judged")
    verdict: Verdict = Field(description="what it was")
    source: LabelSource = Field(description="who says so, most authoritative first in this list")
    occurred_at: Time = Field(description="when the source decided")
    received_at: Time = Field(description="when it reached us; training knows it from then on")
    reason_code: Text | None = Field(None, description="the scheme's or the analyst's code")
    supersedes: Text | None = Field(None, description="label_id that this one corrects")


class Source(_Contract):
    """Where a record stands in Kafka."""

    topic: Text = Field(description="topic")
    partition: Annotated[int, Field(ge=0)] = Field(description="partition")
    offset: Annotated[int, Field(ge=0)] = Field(description="offset")


class AlertReason(_Contract):
    """One reason for a score, worded for an analyst."""

    code: Text = Field(description="stable name of the group of features")
    text: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="sentence with this event's values")
    contribution: float = Field(description="its share of the score, in log-odds")


class Costs(_Contract):
    """Expected cost of each action, in units of the base currency."""

    allow: float = Field(description="expected cost of letting it through")
    challenge: float = Field(description="expected cost of asking for a second factor")
    review: float = Field(description="expected cost of a manual review")
    block: float = Field(description="expected cost of refusing it")


class Alert(_Contract):
    """A flagged transaction. Act on it idempotently by `alert_id`."""

    schema_version: SchemaVersion = Field(SCHEMA_VERSION, description="version of this contract")
    alert_id: Text = Field(description="uuid5 of transaction_id and stage: the same for every delivery")
    transaction_id: Text = Field(description="the flagged transaction")
    customer_id: Text = Field(description="its customer; also the record's key")
    event_time: Time = Field(description="when the transaction happened")
    scored_at: Time = Field(description="when it was scored, by the service's clock")
    stage: Stage = Field(description="when in the payment it was scored")
    score: Probability = Field(description="calibrated probability of fraud")
    threshold: Probability = Field(description="score at which this amount is no longer allowed")
    action: Action = Field(description="the cheapest action")
    risk_level: RiskLevel = Field(description="coarse level for people")
    reasons: list[AlertReason] = Field(description="up to five, strongest first")
    costs: Costs = Field(description="expected cost of each action")
    model_version: Annotated[int, Field(ge=0)] = Field(description="version of the model")
    policy_version: Text = Field(description="version of the policy")
    features_fingerprint: Text = Field(description="fingerprint of the feature code")
    source: Source = Field(description="where the transaction stands")
    transaction: Transaction = Field(description="the transaction itself, card numbers masked")


class Shadow(_Contract):
    """What a model on probation would have said."""

    model_version: Annotated[int, Field(ge=0)] = Field(description="version of the shadow model")
    score: Probability = Field(description="its calibrated score")
    action: Action = Field(description="what its policy would have done")


class Decision(_Contract):
    """One scored transaction, flagged or not: the log that evaluation and the label ledger read."""

    schema_version: SchemaVersion = Field(SCHEMA_VERSION, description="version of this contract")
    transaction_id: Text = Field(description="the scored transaction")
    customer_id: Text = Field(description="its customer; also the record's key")
    event_time: Time = Field(description="when the transaction happened")
    scored_at: Time = Field(description="when it was scored, by the service's clock")
    stage: Stage = Field(description="when in the payment it was scored")
    raw_score: float = Field(description="score before calibration")
    score: Probability = Field(description="calibrated probability of fraud")
    threshold: Probability = Field(description="score at which this amount is no longer allowed")
    model_action: Action = Field(description="what the policy chose")
    action: Action = Field(description="what was done; differs where a would-be block was let through to learn")
    propensity: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        description="probability of `action` given `model_action`"
    )
    alert_id: Text | None = Field(None, description="the alert, where there is one")
    model_version: Annotated[int, Field(ge=0)] = Field(description="version of the model")
    policy_version: Text = Field(description="version of the policy")
    features_fingerprint: Text = Field(description="fingerprint of the feature code")
    features_crc: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(description="CRC-32 of the row of features")
    late: bool = Field(description="older than an event that its history had already seen")
    history_from: Time | None = Field(None, description="where history began, when that is too recent to be complete")
    shadow: Shadow | None = Field(None, description="the shadow model's view, where there is one")
    source: Source = Field(description="where the transaction stands")


class DeadLetter(_Contract):
    """Headers of a dead letter; its value is the message as it came, card numbers masked, its key the source's key."""

    reason: Reason = Field(description="slug of the reason", strict=False)
    detail: Annotated[str, Field(max_length=1024)] = Field(description="one line for people, without personal data")
    source_topic: Text = Field(description="topic that it was read from")
    source_partition: Annotated[int, Field(ge=0)] = Field(description="partition that it was read from")
    source_offset: Annotated[int, Field(ge=0)] = Field(description="offset that it was read from")
    time: Time = Field(description="when it was set aside, by the service's clock")
    masked: Annotated[int, Field(ge=0)] = Field(0, description="card numbers replaced in the value")
    truncated: bool = Field(False, description="the value is cut, and cannot be redriven")
    attempt: Annotated[int, Field(ge=0)] = Field(0, description="how often it has been redriven before")

    def headers(self) -> list[tuple[str, bytes]]:
        """As Kafka headers: name and UTF-8 text."""
        fields = self.model_dump(mode="json")
        return [
            (name, (str(value).lower() if value is True or value is False else str(value)).encode())
            for name, value in fields.items()
        ]

    @classmethod
    def from_headers(cls, headers: list[tuple[str, bytes]]) -> Self:
        """The dead letter of a record's headers; others, such as trace ids, are ignored.

        Raises:
            pydantic.ValidationError: when one is absent or wrong.
        """
        return cls.model_validate_strings({name: value.decode() for name, value in headers if name in cls.model_fields})


def alert_id(transaction_id: str, stage: str) -> str:
    """The same id for every alert on a transaction at a stage, however often it is scored."""
    return str(uuid.uuid5(ALERT_NAMESPACE, f"{transaction_id}\n{stage}"))
