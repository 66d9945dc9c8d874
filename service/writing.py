"""Verdicts to messages: a decision for every scored transaction, an alert for every flagged one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from fraud.features import features_crc
from fraud.masking import mask_headers
from fraud.outputs import alert_id
from fraud.pan import Token
from fraud.policy import ACTIONS
from fraud.pseudonyms import Pseudonyms
from fraud.reasons import LIMIT, Teller
from service.ports import Channel, Float32s, Headers, Messages
from service.result import Part
from service.verdicts import Verdicts
from service.wire import AlertOut, CostsOut, DecisionOut, ReasonOut, ShadowOut, SourceOut

MAX_HEADERS: Final = 16_000
"""Bytes of the source's headers that an alert passes on; more than that is no trace id."""

_UNSCORED: Final = ReasonOut("no_score", "the model gave this payment no score: it needs a look, whatever it says", 0.0)

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes alerts and decisions.

    Attributes:
        topic: of the input.
        stage: that transactions are scored at.
        teller: of the reasons.
        fingerprint: of the features.
        decisions: whether decisions are wanted.
        pseudonyms: replace the ids in alerts; None leaves them. Decisions keep them: labels are joined to those.
        token: what to replace card numbers in passed-on headers by; None leaves them.
    """

    topic: str
    stage: str
    teller: Teller
    fingerprint: str
    decisions: bool
    pseudonyms: Pseudonyms | None = None
    token: Token | None = None

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
        flagged = np.flatnonzero(verdicts.action).tolist()
        ids: list[str | None] = [None] * len(events)
        for row in flagged:
            ids[row] = alert_id(self._shown(events[row].transaction_id), self.stage)
        rows = part.decoded.rows[part.rows].tolist()
        return _Sheet(
            rows=rows,
            keys=[event.customer_id.encode() for event in events],
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
        headers = [passed_on(part.records.headers[sheet.rows[row]], self.token) for row in sheet.flagged]
        keys = [self._shown(part.events[row].customer_id).encode() for row in sheet.flagged]
        return Messages(Channel.ALERTS, keys, values, headers)

    def _alert(self, part: Part, verdicts: Verdicts, sheet: "_Sheet", row: int, why: Float32s) -> AlertOut:
        event = part.events[row]
        if self.pseudonyms is not None:
            event = msgspec.structs.replace(event, **self.pseudonyms.event(event))
        model, score = verdicts.model, float(verdicts.score[row])
        told = [_UNSCORED] if verdicts.unscored[row] else []
        found = self.teller.reasons(
            verdicts.features[row],
            np.where(np.isfinite(why), why, 0),
            texts=msgspec.structs.asdict(event),
            currency=model.policy.base_currency,
        )
        return AlertOut(
            alert_id=sheet.alert_ids[row] or "",
            transaction_id=event.transaction_id,
            customer_id=event.customer_id,
            event_time=event.event_time,
            scored_at=sheet.scored_at,
            stage=self.stage,
            score=score,
            threshold=float(verdicts.threshold[row]),
            action=ACTIONS[verdicts.action[row]],
            risk_level=model.policy.risk_level(score),
            reasons=told
            + [ReasonOut(reason.code, reason.text, reason.contribution) for reason in found][: LIMIT - len(told)],
            costs=CostsOut(*verdicts.cost[row].tolist()),
            model_version=model.version,
            policy_version=verdicts.policy_version,
            features_fingerprint=self.fingerprint,
            source=sheet.sources[row],
            transaction=event,
            ignored=part.decoded.ignored.get(sheet.rows[row]),
        )

    def _shown(self, value: str) -> str:
        """An id as alerts show it."""
        return value if self.pseudonyms is None else self.pseudonyms.of(value)

    def _decisions(self, part: Part, verdicts: Verdicts, sheet: "_Sheet") -> list[bytes]:
        version, policy_version, fingerprint = verdicts.model.version, verdicts.policy_version, self.fingerprint
        columns = zip(
            part.events,
            sheet.alert_ids,
            sheet.sources,
            part.encoded.late[part.rows].tolist(),
            verdicts.raw.tolist(),
            verdicts.score.tolist(),
            verdicts.threshold.tolist(),
            [ACTIONS[action] for action in verdicts.model_action.tolist()],
            [ACTIONS[action] for action in verdicts.action.tolist()],
            verdicts.propensity.tolist(),
            map(features_crc, verdicts.features),
            _shadows(verdicts),
            map(part.decoded.ignored.get, sheet.rows),
            strict=True,
        )
        # Positional, in the struct's order: keywords would double the cost of the line that runs for every transaction.
        return [
            _encode(
                DecisionOut(
                    event.transaction_id, event.customer_id, event.event_time, sheet.scored_at, self.stage, raw, score,
                    threshold, model_action, action, propensity, alert, version, policy_version, fingerprint, crc, late,
                    sheet.history_from, shadow, source, ignored,
                )
            )
            for (
                event, alert, source, late, raw, score, threshold, model_action, action, propensity, crc, shadow,
                ignored,
            ) in columns
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What alerts and decisions on n transactions share, as columns; `rows` are their places in the records."""

    rows: Sequence[int]
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


def passed_on(headers: Headers, token: Token | None = None) -> list[tuple[str, bytes]]:
    """A record's headers as an alert carries them: trace and correlation ids of any kind, within reason, masked."""
    if not headers:
        return []
    kept = [(name, value or b"") for name, value in headers]
    if sum(len(name) + len(value) for name, value in kept) > MAX_HEADERS:
        return []
    return mask_headers(kept, token)[0] if token else kept
