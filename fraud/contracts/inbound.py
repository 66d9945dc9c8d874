"""The contracts of what comes in: transactions, their outcomes and labels, as frozen, strict models.

JSON Schemas under `docs/reference/contracts/` are made from here and from `fraud.contracts.outbound`. Unknown fields
are ignored, null means absent, NaN and infinities are refused. They are what producers promise; of transactions and
outcomes that break the promise in optional fields `fraud.decoding.validation` reads the rest.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from fraud.money import AMOUNT_PATTERN, MAX_MINOR, MINOR_DIGITS
from fraud.timestamps import TIME_PATTERN, parse_time, to_datetime

SCHEMA_VERSION: Final = "1.0"
MAX_TEXT: Final = 256
MAX_ATTRIBUTES: Final = 512


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
    UNPROCESSABLE = "unprocessable"


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
        # `fraud.decoding.validation` reads half a surrogate pair as the null character.
        raise ValueError("must hold neither the null character nor half a surrogate pair")
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
Attributes: TypeAlias = Annotated[dict[Text, Text | Number | bool], Field(max_length=MAX_ATTRIBUTES)]
Small: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]

OutcomeKind: TypeAlias = Literal["authorised", "declined", "captured", "voided", "refunded"]
Action: TypeAlias = Literal["allow", "challenge", "review", "block"]
Stage: TypeAlias = Literal["pre_auth", "post_auth"]
Verdict: TypeAlias = Literal["unauthorised", "first_party", "service", "genuine"]
LabelSource: TypeAlias = Literal["dispute_outcome", "chargeback", "analyst", "early_warning", "customer_report"]
RiskLevel: TypeAlias = Literal["low", "medium", "high", "critical"]


class Contract(BaseModel):
    """What all contracts have in common."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())


class Attempt(Contract):
    """What a transaction and its outcomes share: who paid, with what, from where, to whom."""

    transaction_id: Text = Field(description="id of the payment attempt, unique for as long as labels of it may come")
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
    shop_id: Text | None = Field(None, description="whose API key sent it; the gateway writes it")
    attributes: Attributes | None = Field(
        None, description="fields of the shop's own: texts, numbers and flags; its platform declares them"
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


OPTIONAL_FIELDS: Final = tuple(name for name, field in Outcome.model_fields.items() if not field.is_required())
"""Fields of transactions and outcomes that are treated as missing when they are invalid."""


class Label(Contract):
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
