"""ScoredBatch to messages: a decision for every scored transaction, an alert for every flagged one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from fraud.contracts.outbound import alert_id
from fraud.decisions.policy import ACTIONS
from fraud.decoding.masking import mask_headers
from fraud.explanations.reasons import LIMIT, ReasonBuilder
from fraud.features.encoder import features_crc
from fraud.privacy.card_numbers import Token
from fraud.privacy.pseudonyms import Pseudonyms
from service.batch import PartitionBatch
from service.outputs.structs import AlertOut, CostsOut, DecisionOut, ReasonOut, ShadowOut, SourceOut
from service.ports import Channel, Float32s, Headers, Messages
from service.scored_batch import ScoredBatch

MAX_HEADERS: Final = 16_000
"""Bytes of the source's headers that an alert passes on; more than that is no trace id."""

_UNSCORED: Final = ReasonOut("no_score", "the model gave this payment no score: it needs a look, whatever it says", 0.0)

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class OutputSerializer:
    """Writes alerts and decisions.

    Attributes:
        topic: of the input.
        stage: that transactions are scored at.
        reason_builder: of the reasons.
        fingerprint: of the features.
        decisions: whether decisions are wanted.
        pseudonyms: replace the ids in alerts; None leaves them. Decisions keep them: labels are joined to those.
        token: what to replace card numbers in passed-on headers by; None leaves them.
    """

    topic: str
    stage: str
    reason_builder: ReasonBuilder
    fingerprint: str
    decisions: bool
    pseudonyms: Pseudonyms | None = None
    token: Token | None = None

    def write(
        self, part: PartitionBatch, scored: ScoredBatch, *, history_from: int | None, now: datetime
    ) -> list[Messages]:
        """The messages on the n scored transactions of one partition.

        Args:
            part: the transactions.
            scored: what was said of them.
            history_from: see `service.partition.Partition`.
            now: wall time.
        """
        shared = self._shared(part, scored, history_from, now)
        messages = []
        if shared.flagged:
            messages.append(self._alerts(part, scored, shared))
        if self.decisions:
            messages.append(Messages(Channel.DECISIONS, shared.keys, self._decisions(part, scored, shared)))
        return messages

    def _shared(
        self, part: PartitionBatch, scored: ScoredBatch, history_from: int | None, now: datetime
    ) -> "_OutputColumns":
        events, records = part.events, part.records
        flagged = np.flatnonzero(scored.action).tolist()
        ids: list[str | None] = [None] * len(events)
        for row in flagged:
            ids[row] = alert_id(self._shown(events[row].transaction_id), self.stage)
        rows = part.decoded.rows[part.rows].tolist()
        return _OutputColumns(
            rows=rows,
            keys=[event.customer_id.encode() for event in events],
            sources=[SourceOut(self.topic, records.partition, records.offsets[row]) for row in rows],
            alert_ids=ids,
            flagged=flagged,
            scored_at=now.isoformat(),
            history_from=None if history_from is None else datetime.fromtimestamp(history_from / 1e6, UTC).isoformat(),
        )

    def _alerts(self, part: PartitionBatch, scored: ScoredBatch, shared: "_OutputColumns") -> Messages:
        contributions = scored.model.explain(scored.features[shared.flagged])
        values = [
            _encode(self._alert(part, scored, shared, row, why))
            for row, why in zip(shared.flagged, contributions, strict=True)
        ]
        headers = [passed_on(part.records.headers[shared.rows[row]], self.token) for row in shared.flagged]
        keys = [self._shown(part.events[row].customer_id).encode() for row in shared.flagged]
        return Messages(Channel.ALERTS, keys, values, headers)

    def _alert(
        self, part: PartitionBatch, scored: ScoredBatch, shared: "_OutputColumns", row: int, why: Float32s
    ) -> AlertOut:
        event = part.events[row]
        if self.pseudonyms is not None:
            event = msgspec.structs.replace(event, **self.pseudonyms.event(event))
        model, score = scored.model, float(scored.score[row])
        told = [_UNSCORED] if scored.unscored[row] else []
        found = self.reason_builder.reasons(
            scored.features[row],
            np.where(np.isfinite(why), why, 0),
            texts=msgspec.structs.asdict(event),
            currency=model.policy.base_currency,
        )
        return AlertOut(
            alert_id=shared.alert_ids[row] or "",
            transaction_id=event.transaction_id,
            customer_id=event.customer_id,
            event_time=event.event_time,
            scored_at=shared.scored_at,
            stage=self.stage,
            score=score,
            threshold=float(scored.threshold[row]),
            action=ACTIONS[scored.action[row]],
            risk_level=model.policy.risk_level(score),
            reasons=told
            + [ReasonOut(reason.code, reason.text, reason.contribution) for reason in found][: LIMIT - len(told)],
            costs=CostsOut(*scored.cost[row].tolist()),
            model_version=model.version,
            policy_version=scored.policy_version,
            features_fingerprint=self.fingerprint,
            source=shared.sources[row],
            transaction=event,
            ignored=part.decoded.ignored.get(shared.rows[row]),
        )

    def _shown(self, value: str) -> str:
        """An id as alerts show it."""
        return value if self.pseudonyms is None else self.pseudonyms.of(value)

    def _decisions(self, part: PartitionBatch, scored: ScoredBatch, shared: "_OutputColumns") -> list[bytes]:
        version, policy_version, fingerprint = scored.model.version, scored.policy_version, self.fingerprint
        columns = zip(
            part.events,
            shared.alert_ids,
            shared.sources,
            part.encoded.late[part.rows].tolist(),
            scored.raw.tolist(),
            scored.score.tolist(),
            scored.threshold.tolist(),
            [ACTIONS[action] for action in scored.model_action.tolist()],
            [ACTIONS[action] for action in scored.action.tolist()],
            scored.propensity.tolist(),
            map(features_crc, scored.features),
            _shadows(scored),
            map(part.decoded.ignored.get, shared.rows),
            strict=True,
        )
        # Positional, in the struct's order: keywords would double the cost of the line that runs for every transaction.
        return [
            _encode(
                DecisionOut(
                    event.transaction_id, event.customer_id, event.event_time, shared.scored_at, self.stage, raw, score,
                    threshold, model_action, action, propensity, alert, version, policy_version, fingerprint, crc, late,
                    shared.history_from, shadow, source, ignored,
                )
            )
            for (
                event, alert, source, late, raw, score, threshold, model_action, action, propensity, crc, shadow,
                ignored,
            ) in columns
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _OutputColumns:
    """What alerts and decisions on n transactions share, as columns; `rows` are their places in the records."""

    rows: Sequence[int]
    keys: Sequence[bytes]
    sources: Sequence[SourceOut]
    alert_ids: Sequence[str | None]
    flagged: list[int]
    scored_at: str
    history_from: str | None


def _shadows(scored: ScoredBatch) -> Sequence[ShadowOut | None]:
    shadow = scored.shadow
    if shadow is None:
        return [None] * len(scored.score)
    version = shadow.model.version
    return [
        ShadowOut(version, score, ACTIONS[action])
        for score, action in zip(shadow.score.tolist(), shadow.action.tolist(), strict=True)
    ]


def passed_on(headers: Headers, token: Token | None = None) -> list[tuple[str, bytes]]:
    """A record's headers as an alert carries them: trace and correlation ids of any kind, within reason, masked."""
    if not headers:
        return []
    kept = [(name, value or b"") for name, value in headers]
    if sum(len(name) + len(value) for name, value in kept) > MAX_HEADERS:
        return []
    return mask_headers(kept, token)[0] if token else kept
