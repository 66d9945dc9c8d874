"""Alerts and decisions as msgspec structs: the same contracts as `fraud.contracts.outbound`, written fast.

One decision is written for every transaction. A test holds each struct to its contract.
"""

from collections.abc import Sequence

from msgspec import Struct

from fraud.contracts.inbound import SCHEMA_VERSION
from fraud.decoding.structs import TransactionEvent


class SourceOut(Struct, gc=False):
    """`fraud.contracts.outbound.Source`."""

    topic: str
    partition: int
    offset: int


class ShadowOut(Struct, gc=False):
    """`fraud.contracts.outbound.Shadow`."""

    model_version: int
    score: float
    action: str


class DecisionOut(Struct, gc=False):
    """`fraud.contracts.outbound.Decision`; absent values are written as null."""

    transaction_id: str
    customer_id: str
    event_time: str
    scored_at: str
    stage: str
    raw_score: float
    score: float
    threshold: float
    model_action: str
    action: str
    propensity: float
    alert_id: str | None
    model_version: int
    policy_version: str
    features_fingerprint: str
    features_crc: int
    late: bool
    history_from: str | None
    shadow: ShadowOut | None
    source: SourceOut
    ignored: tuple[str, ...] | None = None
    controls_offset: int | None = None
    rules: tuple[str, ...] | None = None
    levers: tuple[str, ...] | None = None
    rules_shadow: tuple[str, ...] | None = None
    schema_version: str = SCHEMA_VERSION


class ReasonOut(Struct, gc=False):
    """`fraud.contracts.outbound.AlertReason`."""

    code: str
    text: str
    contribution: float


class CostsOut(Struct, gc=False):
    """`fraud.contracts.outbound.Costs`."""

    allow: float
    challenge: float
    review: float
    block: float


class AlertOut(Struct, gc=False):
    """`fraud.contracts.outbound.Alert`."""

    alert_id: str
    transaction_id: str
    customer_id: str
    event_time: str
    scored_at: str
    stage: str
    score: float
    threshold: float
    action: str
    risk_level: str
    reasons: Sequence[ReasonOut]
    costs: CostsOut
    model_version: int
    policy_version: str
    features_fingerprint: str
    source: SourceOut
    transaction: TransactionEvent
    ignored: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    levers: tuple[str, ...] | None = None
    schema_version: str = SCHEMA_VERSION
