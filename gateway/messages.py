"""What the gateway reads of decisions, alerts and dead letters, and what it answers."""

from typing import Final, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Struct

from fraud.contracts.inbound import Action
from runtime.kafka.batch_reader import Headers
from runtime.kafka.follower import Followed


class Source(Struct, frozen=True, gc=False):
    """Where a transaction stands."""

    partition: int
    offset: int

    @property
    def place(self) -> tuple[int, int]:
        """Both."""
        return self.partition, self.offset


class Reason(Struct, frozen=True, gc=False):
    """`fraud.contracts.outbound.AlertReason`."""

    code: str
    text: str
    contribution: float


class DecisionIn(Struct, frozen=True, gc=False):
    """What an answer needs of `fraud.contracts.outbound.Decision`."""

    transaction_id: str
    action: Action
    model_action: Action
    score: float
    threshold: float
    model_version: int
    policy_version: str
    scored_at: str
    source: Source
    alert_id: str | None = None
    ignored: tuple[str, ...] | None = None
    controls_offset: int | None = None
    rules: tuple[str, ...] | None = None


class AlertIn(Struct, frozen=True, gc=False):
    """What an answer needs of `fraud.contracts.outbound.Alert`, known by its source: its ids may be pseudonyms."""

    source: Source
    risk_level: str
    reasons: tuple[Reason, ...]


class DeadLetterIn(Struct, frozen=True, gc=False):
    """A transaction that could not be scored, by its place."""

    source: Source
    reason: str
    detail: str


Seen: TypeAlias = DecisionIn | AlertIn | DeadLetterIn


class Answer(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a payment is answered.

    Attributes:
        transaction_id: the payment.
        action: what to do with it.
        fallback: whether no decision stands behind the action.
        decision: where the decision can be read, now or later.
        fallback_reason: why there was none: timeout, overload, outage, journal, full.
        accepted: whether it is kept and will be scored; only ever false for want of a journal.
        score: calibrated probability of fraud.
        reasons: why it was flagged.
    """

    transaction_id: str
    action: Action
    fallback: bool
    decision: str
    fallback_reason: str | None = None
    accepted: bool = True
    score: float | None = None
    threshold: float | None = None
    model_action: Action | None = None
    risk_level: str | None = None
    reasons: tuple[Reason, ...] | None = None
    model_version: int | None = None
    policy_version: str | None = None
    controls_offset: int | None = None
    rules: tuple[str, ...] | None = None
    alert_id: str | None = None
    ignored: tuple[str, ...] | None = None
    scored_at: str | None = None


class Rejected(Struct, frozen=True, gc=False, tag_field="type", tag="rejected"):
    """A payment that the scorer would not score after all."""

    transaction_id: str
    rejected: str
    detail: str


encode: Final = msgspec.json.Encoder().encode
_decision: Final = msgspec.json.Decoder(DecisionIn).decode
_alert: Final = msgspec.json.Decoder(AlertIn).decode


def is_rejection(answer: bytes) -> bool:
    """Whether an answer's JSON is a `Rejected`; msgspec writes the tag first."""
    return answer.startswith(b'{"type":"rejected"')


def place_of(transaction_id: str) -> str:
    """The path of a payment's decision."""
    return f"/v1/decisions/{quote(transaction_id, safe='')}"


def answer_of(decision: DecisionIn, alert: AlertIn | None) -> Answer:
    """The answer that a decision, with its alert where it has one, gives."""
    return Answer(
        transaction_id=decision.transaction_id,
        action=decision.action,
        fallback=False,
        decision=place_of(decision.transaction_id),
        score=decision.score,
        threshold=decision.threshold,
        model_action=decision.model_action,
        risk_level=None if alert is None else alert.risk_level,
        reasons=() if alert is None else alert.reasons,
        model_version=decision.model_version,
        policy_version=decision.policy_version,
        controls_offset=decision.controls_offset,
        rules=decision.rules,
        alert_id=decision.alert_id,
        ignored=decision.ignored,
        scored_at=decision.scored_at,
    )


def seen(record: Followed, *, decisions: str, alerts: str, transactions: str) -> Seen | None:
    """What a record of the outputs says; None where it concerns no transaction of ours.

    Args:
        record: of decisions, alerts or dead letters.
        decisions: the topic of decisions.
        alerts: the topic of alerts.
        transactions: the topic that dead letters must come from.
    """
    try:
        if record.topic == decisions:
            return _decision(record.value or b"")
        if record.topic == alerts:
            return _alert(record.value or b"")
        return _dead_letter(record.headers, transactions)
    except (msgspec.DecodeError, ValueError, KeyError):
        return None  # another program's record: nobody here waits for it


def _dead_letter(headers: Headers, transactions: str) -> DeadLetterIn | None:
    named = {name: (value or b"").decode() for name, value in headers} if isinstance(headers, tuple | list) else {}
    if named.get("source_topic") != transactions:
        return None
    source = Source(int(named["source_partition"]), int(named["source_offset"]))
    return DeadLetterIn(source, named["reason"], named.get("detail", ""))
