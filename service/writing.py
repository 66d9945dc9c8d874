"""Verdicts to messages: a decision for every scored transaction, an alert for every flagged one."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from fraud.events import alert_id
from fraud.features import FeatureSpec, features_crc
from fraud.policy import ACTIONS
from fraud.reasons import reasons
from service.ports import Channel, Float32s, Headers, Messages
from service.result import Part
from service.scoring import Verdicts
from service.wire import AlertOut, CostsOut, DecisionOut, ReasonOut, ShadowOut, SourceOut

MAX_HEADERS: Final = 16_000
"""Bytes of the source's headers that an alert passes on; more than that is no trace id."""

_encode: Final = msgspec.json.Encoder().encode


def pseudonymiser(secret: bytes) -> Callable[[str], str]:
    """Pseudonyms by HMAC-SHA-256: equal for equal ids, and of no use without the secret."""
    return lambda customer: "cus_" + hmac.digest(secret, customer.encode(), "sha256")[:16].hex()


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes alerts and decisions.

    Attributes:
        topic: of the input.
        stage: that transactions are scored at.
        spec: for the reasons.
        fingerprint: of the features.
        decisions: whether decisions are wanted.
        pseudonym: replaces customer ids; None leaves them.
    """

    topic: str
    stage: str
    spec: FeatureSpec
    fingerprint: str
    decisions: bool
    pseudonym: Callable[[str], str] | None = None

    def write(self, part: Part, verdicts: Verdicts, *, history_from: int | None, now: datetime) -> list[Messages]:
        """The messages on the n scored transactions of one partition.

        Args:
            part: the transactions.
            verdicts: what was said of them.
            history_from: see `service.partition.Partition`.
            now: wall time.
        """
        sheet = self._sheet(part, verdicts, history_from, now)
        messages = []
        if sheet.flagged:
            messages.append(self._alerts(part, verdicts, sheet))
        if self.decisions:
            messages.append(Messages(Channel.DECISIONS, sheet.keys, self._decisions(part, verdicts, sheet)))
        return messages

    def _sheet(self, part: Part, verdicts: Verdicts, history_from: int | None, now: datetime) -> "_Sheet":
        events, records = part.events, part.records
        customers = [event.customer_id for event in events]
        if self.pseudonym is not None:
            customers = [self.pseudonym(customer) for customer in customers]
        flagged = np.flatnonzero(verdicts.action).tolist()
        ids: list[str | None] = [None] * len(events)
        for row in flagged:
            ids[row] = alert_id(events[row].transaction_id, self.stage)
        rows = part.decoded.rows[part.rows].tolist()
        return _Sheet(
            rows=rows,
            customers=customers,
            keys=[customer.encode() for customer in customers],
            sources=[SourceOut(self.topic, records.partition, records.offsets[row]) for row in rows],
            alert_ids=ids,
            flagged=flagged,
            scored_at=now.isoformat(),
            history_from=None if history_from is None else datetime.fromtimestamp(history_from / 1e6, UTC).isoformat(),
        )

    def _alerts(self, part: Part, verdicts: Verdicts, sheet: "_Sheet") -> Messages:
        contributions = verdicts.model.explain(verdicts.features[sheet.flagged])
        values = [
            _encode(self._alert(part, verdicts, sheet, row, why))
            for row, why in zip(sheet.flagged, contributions, strict=True)
        ]
        headers = [passed_on(part.records.headers[sheet.rows[row]]) for row in sheet.flagged]
        return Messages(Channel.ALERTS, [sheet.keys[row] for row in sheet.flagged], values, headers)

    def _alert(self, part: Part, verdicts: Verdicts, sheet: "_Sheet", row: int, why: Float32s) -> AlertOut:
        event, customer = part.events[row], sheet.customers[row]
        model, score = verdicts.model, float(verdicts.score[row])
        found = reasons(verdicts.features[row], why, self.spec)
        return AlertOut(
            alert_id=sheet.alert_ids[row] or "",
            transaction_id=event.transaction_id,
            customer_id=customer,
            event_time=event.event_time,
            scored_at=sheet.scored_at,
            stage=self.stage,
            score=score,
            threshold=float(verdicts.threshold[row]),
            action=ACTIONS[verdicts.action[row]],
            risk_level=model.policy.risk_level(score),
            reasons=[ReasonOut(reason.code, reason.text, reason.contribution) for reason in found],
            costs=CostsOut(*verdicts.cost[row].tolist()),
            model_version=model.version,
            policy_version=verdicts.policy_version,
            features_fingerprint=self.fingerprint,
            source=sheet.sources[row],
            transaction=event if self.pseudonym is None else msgspec.structs.replace(event, customer_id=customer),
        )

    def _decisions(self, part: Part, verdicts: Verdicts, sheet: "_Sheet") -> list[bytes]:
        version, policy_version, fingerprint = verdicts.model.version, verdicts.policy_version, self.fingerprint
        actions = [ACTIONS[action] for action in verdicts.action.tolist()]
        columns = zip(
            part.events,
            sheet.customers,
            sheet.alert_ids,
            sheet.sources,
            part.encoded.late[part.rows].tolist(),
            verdicts.raw.tolist(),
            verdicts.score.tolist(),
            verdicts.threshold.tolist(),
            actions,
            map(features_crc, verdicts.features),
            _shadows(verdicts),
            strict=True,
        )
        # Positional, in the struct's order: keywords would double the cost of the line that runs for every transaction.
        return [
            _encode(
                DecisionOut(
                    event.transaction_id, customer, event.event_time, sheet.scored_at, self.stage, raw, score,
                    threshold, action, action, 1.0, alert, version, policy_version, fingerprint, crc, late,
                    sheet.history_from, shadow, source,
                )
            )
            for event, customer, alert, source, late, raw, score, threshold, action, crc, shadow in columns
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What alerts and decisions on n transactions share, as columns; `rows` are their places in the records."""

    rows: Sequence[int]
    customers: Sequence[str]
    keys: Sequence[bytes]
    sources: Sequence[SourceOut]
    alert_ids: Sequence[str | None]
    flagged: list[int]
    scored_at: str
    history_from: str | None


def _shadows(verdicts: Verdicts) -> Sequence[ShadowOut | None]:
    shadow = verdicts.shadow
    if shadow is None:
        return [None] * len(verdicts.score)
    version = shadow.model.version
    return [
        ShadowOut(version, score, ACTIONS[action])
        for score, action in zip(shadow.score.tolist(), shadow.action.tolist(), strict=True)
    ]


def passed_on(headers: Headers) -> list[tuple[str, bytes]]:
    """A record's headers as an alert carries them: trace and correlation ids of whatever kind, within reason."""
    if not headers:
        return []
    kept = [(name, value or b"") for name, value in headers]
    return kept if sum(len(name) + len(value) for name, value in kept) <= MAX_HEADERS else []
