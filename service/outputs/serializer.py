"""Scored transactions to messages: a decision for every scored transaction, an alert for every flagged one."""

from collections.abc import Mapping, Sequence
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

RULE: Final = "RULE"
"""Code of a reason that names a rule; its contribution is 0, since rules say nothing of the score."""

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
        """The messages on the m scored transactions of one partition.

        Args:
            part: the transactions.
            scored: their scores and actions.
            history_from: see `service.partition.Partition`.
            now: wall time.
        """
        records, scored_at = part.records, now.isoformat()
        sources = [SourceOut(self.topic, records.partition, records.offsets[row]) for row in part.rows]
        flagged = np.flatnonzero(scored.action).tolist()
        alert_ids = {row: alert_id(self._shown(part.transaction_ids[row]), self.stage) for row in flagged}
        acted = None if scored.ruled is None else scored.ruled.names()
        messages = []
        if flagged:
            contributions = scored.model.explain(part.features[flagged])
            contributions = np.where(np.isfinite(contributions), contributions, 0)
            alerts = [
                self._alert(
                    part,
                    scored,
                    row,
                    why=why,
                    alert=alert_ids[row],
                    source=sources[row],
                    scored_at=scored_at,
                    acted=acted,
                )
                for row, why in zip(flagged, contributions, strict=True)
            ]
            keys = [self._shown(part.customer_ids[row]).encode() for row in flagged]
            headers = [passed_on(records.headers[part.rows[row]], self.token) for row in flagged]
            messages.append(Messages(Channel.ALERTS, keys, alerts, headers))
        if self.decisions:
            reaches = None if history_from is None else datetime.fromtimestamp(history_from / 1e6, UTC).isoformat()
            decisions = self._decisions(
                part, scored, sources=sources, alert_ids=alert_ids, scored_at=scored_at, history_from=reaches,
                acted=acted,
            )  # fmt: skip
            keys = [customer.encode() for customer in part.customer_ids]
            messages.append(Messages(Channel.DECISIONS, keys, decisions))
        return messages

    def _alert(
        self,
        part: PartitionBatch,
        scored: ScoredBatch,
        row: int,
        *,
        why: Float32s,
        alert: str,
        source: SourceOut,
        scored_at: str,
        acted: Sequence[tuple[str, ...] | None] | None,
    ) -> bytes:
        event = part.transaction(row)
        if self.pseudonyms is not None:
            event = msgspec.structs.replace(event, **self.pseudonyms.event(event))
        model, score = scored.model, float(scored.score[row])
        rules = None if acted is None else acted[row]
        reasons = [_UNSCORED] if scored.unscored[row] else []
        if rules is not None and scored.ruled is not None:
            reasons += [ReasonOut(RULE, f"rule {name}: {scored.ruled.why[name]}"[:1024], 0.0) for name in rules]
        found = self.reason_builder.reasons(
            part.features[row],
            why,
            texts=msgspec.structs.asdict(event),
            currency=model.policy.base_currency,
        )
        reasons += [ReasonOut(reason.code, reason.text, reason.contribution) for reason in found]
        message = AlertOut(
            alert_id=alert,
            transaction_id=event.transaction_id,
            customer_id=event.customer_id,
            event_time=event.event_time,
            scored_at=scored_at,
            stage=self.stage,
            score=score,
            threshold=float(scored.threshold[row]),
            action=ACTIONS[scored.action[row]],
            risk_level=model.policy.risk_level(score),
            reasons=reasons[:LIMIT],
            costs=CostsOut(*scored.cost[row].tolist()),
            model_version=model.version,
            policy_version=model.policy_version,
            features_fingerprint=self.fingerprint,
            source=source,
            transaction=event,
            ignored=part.decoded.ignored.get(part.rows[row]),
            rules=rules,
            levers=(scored.levers[row] or None) if scored.levers is not None else None,
        )
        return _encode(message)

    def _shown(self, value: str) -> str:
        """An id as alerts show it."""
        return value if self.pseudonyms is None else self.pseudonyms.of(value)

    def _decisions(
        self,
        part: PartitionBatch,
        scored: ScoredBatch,
        *,
        sources: Sequence[SourceOut],
        alert_ids: Mapping[int, str],
        scored_at: str,
        history_from: str | None,
        acted: Sequence[tuple[str, ...] | None] | None,
    ) -> list[bytes]:
        version, policy_version, fingerprint = scored.model.version, scored.model.policy_version, self.fingerprint
        none, known = [None] * len(part.rows), scored.controls_offset
        columns = zip(
            part.transaction_ids,
            part.customer_ids,
            part.event_times,
            map(alert_ids.get, range(len(part.rows))),
            sources,
            part.late.tolist(),
            scored.raw.tolist(),
            scored.score.tolist(),
            scored.threshold.tolist(),
            [ACTIONS[action] for action in scored.model_action.tolist()],
            [ACTIONS[action] for action in scored.action.tolist()],
            scored.propensity.tolist(),
            map(features_crc, part.features),
            _shadows(scored),
            map(part.decoded.ignored.get, part.rows),
            none if acted is None else acted,
            none if scored.levers is None else [held or None for held in scored.levers],
            none if scored.ruled is None or not scored.ruled.shadow else scored.ruled.names(shadow=True),
            strict=True,
        )
        # Positional, in the struct's order: keywords would double the cost of the line that runs for every transaction.
        return [
            _encode(
                DecisionOut(
                    transaction_id, customer_id, event_time, scored_at, self.stage, raw, score, threshold,
                    model_action, action, propensity, alert, version, policy_version, fingerprint, crc, late,
                    history_from, shadow, source, ignored, known, rules, levers, rules_shadow,
                )
            )
            for (
                transaction_id, customer_id, event_time, alert, source, late, raw, score, threshold, model_action,
                action, propensity, crc, shadow, ignored, rules, levers, rules_shadow,
            ) in columns
        ]  # fmt: skip


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
