"""The gate: whether a candidate may take the champion's place.

It passes when, on a matured holdout and on a frozen one from before the last promotion, the lower bound of
candidate − champion (and − the best baseline, where there is one) is above −margin, by paired bootstrap over customers;
when no segment got clearly worse; when it alerts about as often; and when the new labels look sane
(`training.gate.label_sanity`). Too little evidence keeps the champion: the candidate may go to shadow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from fraud.decisions.policy import Policy
from training.evaluation.bootstrap import Interval, difference
from training.evaluation.scores import Scored

Floats = npt.NDArray[np.float64]


class GateConfig(BaseModel):
    """What the gate demands.

    Attributes:
        figure: what candidate and champion are compared by: "average_precision", "recall_at_1pct", or
            "recall_at_budget" of scores whose zero is the end of the alert budget.
        margin: how much worse the candidate may be at the lower bound.
        segment_margin: the same for a segment, at the upper bound: a segment must be clearly worse to refuse.
        confidence: of the intervals.
        repeats: of the bootstrap.
        min_frauds: fewer in a holdout are too little evidence.
        min_segment_frauds: smaller segments are not looked at.
        volume_band: largest relative change of the number of alerts.
        min_alerts: fewer alerts of the champion than this say nothing about volume.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str = "average_precision"
    margin: float = Field(default=0.02, ge=0)
    segment_margin: float = Field(default=0.05, ge=0)
    confidence: float = Field(default=0.9, gt=0, lt=1)
    repeats: int = Field(default=200, ge=20)
    min_frauds: int = Field(default=30, ge=1)
    min_segment_frauds: int = Field(default=30, ge=1)
    volume_band: float = Field(default=0.2, gt=0)
    min_alerts: int = Field(default=50, ge=1)


class GateAnswer(StrEnum):
    """The gate's answer, as a whole and on one check; records call it "verdict"."""

    ACCEPT = "accept"
    TOO_LITTLE_EVIDENCE = "too_little_evidence"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Holdout:
    """Rows that neither model was trained on, as scored by both.

    Attributes:
        name: "matured" or "frozen".
        rows: with the candidate's scores.
        champion: float64 [n], the champion's scores; None when there is no champion.
        baselines: other models' scores of the same rows, by name.
        segments: name of a segment -> its value in each row.
    """

    name: str
    rows: Scored
    champion: Floats | None
    baselines: Mapping[str, Floats] = field(default_factory=dict)
    segments: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Payments as they come, labelled or not, to count alerts on: labelled ones were partly chosen by the champion.

    Attributes:
        amount: int64 [n], micro-units of the base currency.
        candidate: float64 [n], the candidate's scores.
        champion: float64 [n], the champion's.
        budget: share of payments that the shop wants to look at; so many alerts are neither too many nor too few.
    """

    amount: npt.NDArray[np.int64]
    candidate: Floats
    champion: Floats
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the gate looked at: its name, what came out, what that means, and the numbers."""

    check: str
    answer: GateAnswer
    text: str
    numbers: Mapping[str, float]

    def as_json(self) -> dict[str, object]:
        """For the record beside the candidate."""
        return {"check": self.check, "verdict": str(self.answer), "text": self.text, **self.numbers}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The gate's answer with everything it looked at."""

    answer: GateAnswer
    reason: str
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, object]:
        """For the record beside the candidate."""
        findings = [finding.as_json() for finding in self.findings]
        return {"verdict": str(self.answer), "reason": self.reason, "findings": findings}


def judge(
    holdouts: Sequence[Holdout],
    *,
    candidate_policy: Policy,
    champion_policy: Policy | None,
    traffic: Traffic | None = None,
    labels: Sequence[Finding] = (),
    config: GateConfig | None = None,
    seed: int,
) -> Judgement:
    """Whether the candidate passes.

    Args:
        holdouts: the matured one first; the frozen one where there has been a promotion.
        candidate_policy: decides what the candidate would flag.
        champion_policy: the same for the champion.
        traffic: where alerts are counted; without it the volume is not looked at.
        labels: findings about the new labels.
        config: what is demanded.
        seed: of the bootstrap.
    """
    config = config or GateConfig()
    findings = list(labels)
    for holdout in holdouts:
        findings += compared(holdout, config, seed)
        findings += guarded(holdout, config, seed)
    if traffic is not None and champion_policy is not None:
        findings.append(volume(traffic, candidate_policy, champion_policy, config))
    return summed_up(findings)


def summed_up(findings: Sequence[Finding]) -> Judgement:
    """One refusal refuses; else one lack of evidence is a lack of evidence."""
    for answer in (GateAnswer.REFUSE, GateAnswer.TOO_LITTLE_EVIDENCE):
        against = [finding for finding in findings if finding.answer is answer]
        if against:
            return Judgement(answer, "; ".join(finding.text for finding in against), tuple(findings))
    reasons = [finding.text for finding in findings if finding.check.startswith("better")]
    return Judgement(GateAnswer.ACCEPT, "; ".join(reasons) or "there is no champion to compare with", tuple(findings))


def compared(holdout: Holdout, config: GateConfig, seed: int) -> list[Finding]:
    """Candidate against champion and the best baseline on one holdout."""
    rivals = {} if holdout.champion is None else {"champion": holdout.champion}
    frauds = int(holdout.rows.fraud.sum())
    if rivals and frauds < config.min_frauds:
        text = f"only {frauds} frauds in the {holdout.name} holdout, {config.min_frauds} are needed"
        return [Finding(f"evidence.{holdout.name}", GateAnswer.TOO_LITTLE_EVIDENCE, text, {"frauds": frauds})]
    if frauds:
        rivals |= _best(holdout, config, seed)
    return [_against(holdout, name, scores, config, seed=seed) for name, scores in rivals.items()]


def _best(holdout: Holdout, config: GateConfig, seed: int) -> dict[str, Floats]:
    if not holdout.baselines:
        return {}
    worst_first = {name: _gap(holdout.rows, scores, config, seed).value for name, scores in holdout.baselines.items()}
    name = min(worst_first, key=lambda n: (worst_first[n], n))
    return {f"baseline {name}": holdout.baselines[name]}


def _gap(rows: Scored, scores: Floats, config: GateConfig, seed: int) -> Interval:
    return difference(rows, scores, config.figure, seed=seed, repeats=config.repeats, confidence=config.confidence)


def _against(holdout: Holdout, rival: str, scores: Floats, config: GateConfig, *, seed: int) -> Finding:
    gap = _gap(holdout.rows, scores, config, seed)
    words = config.figure.replace("_", " ")
    text = f"{words} {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}) against the {rival}, {holdout.name} holdout"
    if gap.low > -config.margin:
        answer = GateAnswer.ACCEPT
    else:
        # Not shown to be worse either: more labels may tell.
        answer = GateAnswer.REFUSE if gap.value < -config.margin or gap.high < 0 else GateAnswer.TOO_LITTLE_EVIDENCE
    return Finding(f"better.{holdout.name}.{rival}", answer, text, gap.as_json())


def guarded(holdout: Holdout, config: GateConfig, seed: int) -> list[Finding]:
    """Segments in which the candidate is clearly worse than the champion."""
    if holdout.champion is None:
        return []
    findings = []
    for segment, values in holdout.segments.items():
        for value in np.unique(values):
            rows = values == value
            if int(holdout.rows.fraud[rows].sum()) < config.min_segment_frauds:
                continue
            gap = _gap(_some(holdout.rows, rows), holdout.champion[rows], config, seed)
            worse = gap.high < -config.segment_margin
            text = f"{segment} {value}: {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), {holdout.name} holdout"
            answer = GateAnswer.REFUSE if worse else GateAnswer.ACCEPT
            findings.append(Finding(f"segment.{holdout.name}.{segment}.{value}", answer, text, gap.as_json()))
    return findings


def volume(traffic: Traffic, candidate: Policy, champion: Policy, config: GateConfig) -> Finding:
    """Whether the candidate alerts about as often as the champion."""
    new = int(candidate.decide(traffic.candidate, traffic.amount).flagged.sum())
    old = int(champion.decide(traffic.champion, traffic.amount).flagged.sum())
    change = new / old - 1 if old else float("inf") if new else 0.0
    text = f"{new} alerts where the champion raises {old} ({change:+.0%})"
    wanted = traffic.budget * len(traffic.amount) if traffic.budget is not None else old
    least, most = min(old, wanted) * (1 - config.volume_band), max(old, wanted) * (1 + config.volume_band)
    outside = old >= config.min_alerts and not least <= new <= most
    return Finding(
        "volume", GateAnswer.REFUSE if outside else GateAnswer.ACCEPT, text, {"alerts": new, "champion_alerts": old}
    )


def _some(rows: Scored, chosen: npt.NDArray[np.bool_]) -> Scored:
    return Scored(
        rows.score[chosen],
        rows.fraud[chosen],
        rows.time[chosen],
        rows.amount[chosen],
        rows.card[chosen],
        rows.customer[chosen],
    )
