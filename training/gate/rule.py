"""The gate: whether a candidate may take the champion's place.

It passes when it is *shown to be better*: on payments whose labels the champion did not learn, the lower bound of
candidate − champion is above zero, at an error so small that a year of weekly looks at equal models promotes one of
them in less than one year of twenty (`benchmarks.gate` counts). Beside that nothing may speak against it: it is better
than chance; it has not fallen behind the best champion there ever was by more than a margin; no baseline and no segment
shows it to be worse; it alerts about as often as the policy expects; and the new labels look sane
(`training.gate.label_sanity`).

A candidate that is not shown to be better may still be *due*: it has learnt from twice as many frauds as the champion
and looks no worse. That happens once per doubling, and goes through a probation (`training.loop.runner`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import t

from fraud.decisions.policy import Policy
from training.evaluation.bootstrap import GATED, Interval, Ranking, difference, units
from training.evaluation.scores import Scored
from training.gate.volume import Traffic, volume

Floats = npt.NDArray[np.float64]

CHAMPION: Final = "champion"
BEST: Final = "best champion so far"
UNCHOSEN: Final = "unchosen"
"""Name of the holdout of payments that nobody chose to look at: banks and customers reported, or silence grew old."""

CHANCE: Final = "chance"
"""Names of rivals; any other is a baseline."""

CHANCE_ERROR: Final = 0.05
"""Of a look that calls a candidate better than chance: the look at the champion comes on top."""


class GateConfig(BaseModel):
    """What the gate demands.

    Attributes:
        figure: what candidate and rivals are compared by: "recall_at_budget" of scores whose zero is the end of the
            alert budget, "average_precision" or "recall_at_1pct".
        demand: "better": it must be shown to be better than the champion; "no_worse": to be worse by no more than the
            margin, for a shop that would rather follow what changes than wait for proof.
        margin: how far the candidate may stand behind the best champion so far: not per promotion, but ever.
        segment_margin: how much worse a segment may be, at the upper bound: it must be clearly worse to refuse.
        error: of one look that calls a candidate better which is not.
        lift: the candidate finds so many times what chance finds, at least.
        confidence: of the intervals that are told, and of "shown to be worse".
        repeats: of the bootstrap.
        min_frauds: fewer are too little evidence.
        min_segment_frauds: smaller segments are not looked at.
        renewal: known frauds of the candidate over those of the champion from which it is due.
        volume_band: largest relative departure of the number of alerts from what is expected.
        min_alerts: fewer alerts than this say nothing about volume.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str = "recall_at_budget"
    demand: Literal["better", "no_worse"] = "better"
    margin: float = Field(default=0.02, ge=0)
    segment_margin: float = Field(default=0.05, ge=0)
    error: float = Field(default=0.0025, gt=0, lt=0.5)
    lift: float = Field(default=2.0, ge=1)
    confidence: float = Field(default=0.9, gt=0, lt=1)
    repeats: int = Field(default=1_000, ge=20)
    min_frauds: int = Field(default=10, ge=1)
    min_segment_frauds: int = Field(default=30, ge=1)
    renewal: float = Field(default=2.0, gt=1)
    volume_band: float = Field(default=0.2, gt=0)
    min_alerts: int = Field(default=50, ge=1)


class GateAnswer(StrEnum):
    """The gate's answer, as a whole and on one check; records call it "verdict"."""

    ACCEPT = "accept"
    TOO_LITTLE_EVIDENCE = "too_little_evidence"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Holdout:
    """Payments of known label that candidate and rival both rank without having learnt from them.

    Attributes:
        name: "matured", `UNCHOSEN`, or "frozen".
        rival: `CHAMPION`, `BEST`, `CHANCE`, or a baseline's name.
        rows: with the candidate's scores.
        scores: float64 [n], the rival's scores.
        segments: name of a segment -> its value in each row, where segments are to be guarded.
        expected: what chance is expected to find, where it is the rival.
    """

    name: str
    rival: str
    rows: Scored
    scores: Floats
    segments: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)
    expected: float = 0.0


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
    """The gate's answer with everything it looked at.

    Attributes:
        answer: the answer.
        reason: what it follows from.
        findings: all of them.
        due: not shown to be better, but it has learnt from far more frauds and looks no worse.
        raises: whether it is shown to be better than the best champion so far as well, and takes that place too.
    """

    answer: GateAnswer
    reason: str
    findings: tuple[Finding, ...]
    due: bool = False
    raises: bool = False

    def as_json(self) -> dict[str, object]:
        """For the record beside the candidate."""
        findings = [finding.as_json() for finding in self.findings]
        return {"verdict": str(self.answer), "reason": self.reason, "due": self.due, "findings": findings}


def judge(
    holdouts: Sequence[Holdout],
    *,
    candidate_policy: Policy,
    champion_policy: Policy | None,
    traffic: Traffic | None = None,
    labels: Sequence[Finding] = (),
    learnt: tuple[int, int] = (0, 0),
    config: GateConfig | None = None,
    seed: int,
) -> Judgement:
    """Whether the candidate passes.

    Args:
        holdouts: matured ones against each rival, and of the champion's what nobody chose; a frozen one where there has
            been a promotion.
        candidate_policy: decides what the candidate would flag.
        champion_policy: the same for the champion.
        traffic: where alerts are counted; without it the volume is not looked at.
        labels: findings about the new labels.
        learnt: known frauds that candidate and champion learnt from.
        config: what is demanded.
        seed: of the bootstrap.
    """
    config = config or GateConfig()
    findings = list(labels)
    for holdout in holdouts:
        findings.append(compared(holdout, config, seed))
        findings += guarded(holdout, config, seed)
    if traffic is not None and champion_policy is not None:
        found = volume(traffic, candidate_policy, champion_policy, band=config.volume_band, least=config.min_alerts)
        answer = GateAnswer.ACCEPT if found.within else GateAnswer.REFUSE
        findings.append(Finding("volume", answer, found.text, found.numbers))
    return summed_up(findings, learnt=learnt, config=config)


def summed_up(
    findings: Sequence[Finding], *, learnt: tuple[int, int] = (0, 0), config: GateConfig | None = None
) -> Judgement:
    """One refusal refuses; else one lack of evidence is a lack of evidence."""
    config = config or GateConfig()
    for answer in (GateAnswer.REFUSE, GateAnswer.TOO_LITTLE_EVIDENCE):
        against = [finding for finding in findings if finding.answer is answer]
        if against:
            due = answer is GateAnswer.TOO_LITTLE_EVIDENCE and is_due(findings, learnt, config)
            reason = "; ".join(finding.text for finding in against)
            return Judgement(answer, reason, tuple(findings), due)
    shown = [finding for finding in findings if finding.check == f"better.matured.{CHAMPION}"]
    best = [finding for finding in findings if finding.check == f"better.matured.{BEST}"]
    reason = "; ".join(finding.text for finding in shown) or "there is no champion to compare with"
    raises = all(finding.numbers["bound"] > 0 for finding in best)
    return Judgement(GateAnswer.ACCEPT, reason, tuple(findings), raises=raises)


def is_due(findings: Sequence[Finding], learnt: tuple[int, int], config: GateConfig) -> bool:
    """Whether it learnt from enough more frauds than the champion, and looks no worse than that or the best one.

    The first frauds that are known are those that analysts were shown: whoever learnt from these finds their like, and
    may find less of all others. It must look no worse on frauds that nobody had chosen.
    """
    mine, theirs = learnt
    if mine < config.renewal * max(theirs, 1):
        return False
    allowed = {
        f"better.matured.{CHAMPION}": 0.0,
        f"better.{UNCHOSEN}.{CHAMPION}": 0.0,
        f"better.matured.{BEST}": -config.margin,
        f"better.matured.{CHANCE}": 0.0,
    }
    seen = {finding.check: finding.numbers for finding in findings if finding.check in allowed}
    return f"better.{UNCHOSEN}.{CHAMPION}" in seen and all(
        numbers["frauds"] >= config.min_frauds and numbers["value"] >= allowed[check] for check, numbers in seen.items()
    )


def compared(holdout: Holdout, config: GateConfig, seed: int) -> Finding:
    """Candidate against one rival on one holdout."""
    gap = _gap(holdout.rows, holdout.scores, config, seed)
    frauds = int(holdout.rows.fraud.sum())
    bound = lower_bound(gap, CHANCE_ERROR if holdout.rival == CHANCE else config.error)
    numbers = gap.as_json() | {"bound": bound, "frauds": frauds, "clusters": gap.clusters}
    words = config.figure.replace("_", " ")
    text = (
        f"{words} {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}) against the {holdout.rival}, "
        f"{holdout.name} holdout of {frauds} frauds"
    )
    return Finding(f"better.{holdout.name}.{holdout.rival}", _answer(holdout, gap, bound, config), text, numbers)


def _answer(holdout: Holdout, gap: Interval, bound: float, config: GateConfig) -> GateAnswer:
    """What one comparison says: champion and chance must be beaten, others must not be shown to be better."""
    follows = config.demand == "no_worse" and holdout.rival == CHAMPION
    shown_worse = gap.high < (-config.margin if follows or holdout.rival == BEST else 0)
    if int(holdout.rows.fraud.sum()) < config.min_frauds:
        needed = holdout.name == "matured" and holdout.rival == CHAMPION
        return GateAnswer.TOO_LITTLE_EVIDENCE if needed else GateAnswer.ACCEPT
    if shown_worse:
        return GateAnswer.REFUSE
    if holdout.name != "matured":
        return GateAnswer.ACCEPT
    passed = {
        CHAMPION: gap.low > -config.margin if follows else bound > 0,
        BEST: gap.value >= -config.margin,
        CHANCE: bound > 0 and _figure(holdout.rows, config) >= config.lift * holdout.expected,
    }
    return GateAnswer.ACCEPT if passed.get(holdout.rival, True) else GateAnswer.TOO_LITTLE_EVIDENCE


def _figure(rows: Scored, config: GateConfig) -> float:
    """The candidate's own."""
    ranking = Ranking.of(rows.score, rows.fraud, units(rows), rows.weight)
    return float(GATED[config.figure](ranking, np.ones((ranking.rows.shape[1], 1)))[0])


def lower_bound(gap: Interval, error: float) -> float:
    """The value less so many standard errors that one look in 1 / error calls an equal model better.

    Student's quantile at as many degrees of freedom as there are components with fraud, less one: percentiles of a
    bootstrap do not reach so far out, and are too narrow for a handful of components.
    """
    if not gap.clusters >= 2:
        return float("-inf")
    return gap.value - float(t.ppf(1 - error, gap.clusters - 1)) * gap.error


def _gap(rows: Scored, scores: Floats, config: GateConfig, seed: int) -> Interval:
    return difference(rows, scores, config.figure, seed=seed, repeats=config.repeats, confidence=config.confidence)


def guarded(holdout: Holdout, config: GateConfig, seed: int) -> list[Finding]:
    """Segments in which the candidate is clearly worse than the rival."""
    findings = []
    for segment, values in holdout.segments.items():
        for value in np.unique(values):
            rows = values == value
            if int(holdout.rows.fraud[rows].sum()) < config.min_segment_frauds:
                continue
            gap = _gap(holdout.rows.take(rows), holdout.scores[rows], config, seed)
            worse = gap.high < -config.segment_margin
            text = f"{segment} {value}: {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), {holdout.name} holdout"
            answer = GateAnswer.REFUSE if worse else GateAnswer.ACCEPT
            findings.append(Finding(f"segment.{holdout.name}.{segment}.{value}", answer, text, gap.as_json()))
    return findings
