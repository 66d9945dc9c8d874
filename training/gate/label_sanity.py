"""The sanity of new labels, looked at before a model that learnt from them may serve.

Three figures are compared with what they were before. The *fraud rate* among labels that somebody gave: a window in
which many labels were turned round leaves its band. The *contradiction rate*: verdicts "genuine" on payments that the
champion was sure about, which is how a ring that clears its own orders shows. Fraud where the champion saw none is no
contradiction: that is what a new pattern looks like. And each *source* is compared with itself: a bank's chargebacks
hardly ever say "genuine", so that a feed which was turned round shows at once, whoever else is right.
"""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import binomtest

from training.gate.rule import Finding, GateAnswer


class LabelBands(BaseModel):
    """Where new labels may lie.

    Attributes:
        rate_factor: the fraud rate may grow or shrink by this factor.
        contradiction_factor: the contradiction rate may grow by this factor.
        contradiction_slack: and by this much on top.
        sure: scores from here on count as sure.
        confidence: a rate must leave its band with this confidence.
        min_labels: fewer labels are not judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_factor: float = Field(default=3.0, gt=1)
    contradiction_factor: float = Field(default=1.5, ge=1)
    contradiction_slack: float = Field(default=0.05, ge=0)
    sure: float = Field(default=0.5, gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    min_labels: int = Field(default=20, ge=1)


def sane(
    *,
    new: npt.NDArray[np.int8],
    new_score: npt.NDArray[np.float64],
    before: npt.NDArray[np.int8],
    before_score: npt.NDArray[np.float64],
    sources: tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]] | None = None,
    bands: LabelBands | None = None,
) -> list[Finding]:
    """Findings about new labels.

    Args:
        new: int8 [n], labels since the last training, 1 fraud, 0 genuine.
        new_score: float64 [n], the champion's scores of them.
        before: int8 [m], the labels before that.
        before_score: float64 [m], NaN where the champion learnt from the label: it is surer and righter there.
        sources: who gave the new labels, [n], and those before, [m].
        bands: where the rates may lie.
    """
    bands = bands or LabelBands()
    findings = [_fraud_rate(new, before, bands), _contradictions(new, new_score, before, before_score, bands=bands)]
    if sources is None:
        return findings
    ours, theirs = sources
    return findings + [_source(str(name), new[ours == name], before[theirs == name], bands) for name in np.unique(ours)]


def _source(name: str, new: npt.NDArray[np.int8], before: npt.NDArray[np.int8], bands: LabelBands) -> Finding:
    """How often a source says "genuine", against how often it used to."""
    check = f"labels.source.{name}"
    if min(len(new), len(before)) < bands.min_labels:
        return Finding(check, GateAnswer.ACCEPT, f"{len(new)} new labels from {name} are too few to judge", {})
    usual, rate = float((before == 0).mean()), float((new == 0).mean())
    limit = usual * bands.contradiction_factor + bands.contradiction_slack
    low, _ = _interval(int((new == 0).sum()), len(new), bands.confidence)
    text = f"{rate:.1%} of the labels from {name} say genuine, was {usual:.1%}"
    if low > limit:
        return Finding(check, GateAnswer.REFUSE, text + ": too many", {"rate": rate, "limit": limit})
    return Finding(check, GateAnswer.ACCEPT, text, {"rate": rate, "limit": limit})


def _fraud_rate(new: npt.NDArray[np.int8], before: npt.NDArray[np.int8], bands: LabelBands) -> Finding:
    if min(len(new), len(before)) < bands.min_labels:
        return Finding("labels.fraud_rate", GateAnswer.ACCEPT, f"{len(new)} new labels are too few to judge", {})
    usual = (float((before == 1).sum()) + 0.5) / (len(before) + 1)
    low, high = _interval(int((new == 1).sum()), len(new), bands.confidence)
    rate = float((new == 1).mean())
    outside = low > usual * bands.rate_factor or high < usual / bands.rate_factor
    text = f"fraud rate of new labels {rate:.2%}, was {usual:.2%}" + (": outside its band" if outside else "")
    answer = GateAnswer.REFUSE if outside else GateAnswer.ACCEPT
    return Finding("labels.fraud_rate", answer, text, {"rate": rate, "usual": usual, "labels": len(new)})


def _contradictions(
    new: npt.NDArray[np.int8],
    new_score: npt.NDArray[np.float64],
    before: npt.NDArray[np.int8],
    before_score: npt.NDArray[np.float64],
    *,
    bands: LabelBands,
) -> Finding:
    sure, sure_before = new[new_score >= bands.sure], before[before_score >= bands.sure]
    if len(sure) < bands.min_labels:
        text = f"{len(sure)} new labels on payments that the champion was sure about are too few to judge"
        return Finding("labels.contradictions", GateAnswer.ACCEPT, text, {})
    # Where there is too little before, the scores themselves say how often a sure payment is genuine.
    said = float((1 - new_score[new_score >= bands.sure]).mean())
    usual = float((sure_before == 0).mean()) if len(sure_before) >= bands.min_labels else said
    limit = usual * bands.contradiction_factor + bands.contradiction_slack
    rate = float((sure == 0).mean())
    low, _ = _interval(int((sure == 0).sum()), len(sure), bands.confidence)
    text = f"{rate:.1%} of payments that the champion was sure about were called genuine, was {usual:.1%}"
    if low > limit:
        return Finding("labels.contradictions", GateAnswer.REFUSE, text + ": too many", {"rate": rate, "limit": limit})
    return Finding("labels.contradictions", GateAnswer.ACCEPT, text, {"rate": rate, "limit": limit})


def _interval(hits: int, count: int, confidence: float) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson, Biometrika 1934)."""
    found = binomtest(hits, count).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)
