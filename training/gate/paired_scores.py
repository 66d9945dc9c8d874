"""The gate's inputs and its ruling, put together in one place: for the loop's runs and for `promote --data` alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from training.data.dataset import Dataset
from training.evaluation.evaluate import Floats, Model, to_scored
from training.gate.label_sanity import LabelBands, sane
from training.gate.rule import Finding, GateConfig, Holdout, Judgement, Traffic, judge
from training.labels.ledger import DAY_US, Ledger

PERIOD_US: Final = 30 * DAY_US
DEFAULT_BUDGET: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInputs:
    """Two versions on the same payments.

    Attributes:
        candidate: the version that wants to serve.
        champion: who serves; None when nobody does.
        data: n payments as the candidate sees them, labels as known now.
        judges: bool [n], payments that neither learnt from.
        ledger: their labels.
        at: now, µs.
        promoted: when the champion began to serve, µs; None where nobody knows.
        trusted: labels received by then looked sane, µs; None where nobody knows.
        alert_share: share of payments that the shop wants to look at; None leaves it to the costs.
        baselines: other models' log-odds of the judged payments, by name.
    """

    candidate: Model
    champion: Model | None
    data: Dataset
    judges: npt.NDArray[np.bool_]
    ledger: Ledger
    at: int
    promoted: int | None
    trusted: int | None
    alert_share: float | None = None
    baselines: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def budget(self) -> float:
        """Share of payments within which scores are compared."""
        return self.alert_share or DEFAULT_BUDGET


@dataclass(frozen=True, slots=True)
class Ruling:
    """The gate's answer, and what it could not look at.

    Attributes:
        judgement: the answer.
        unseen: one line for each thing that the gate looks at where it can, and could not here.
    """

    judgement: Judgement
    unseen: tuple[str, ...]


def rule(inputs: GateInputs, *, config: GateConfig, seed: int, bands: LabelBands | None = None) -> Ruling:
    """Matured and frozen holdout, baselines, sane labels and volume; what cannot be had is named.

    Args:
        inputs: who, and on what.
        config: what is demanded.
        seed: of the bootstrap.
        bands: where the rates of new labels may lie.
    """
    c = inputs
    judged = c.data.take(c.judges)
    matured = holdout("matured", c, judged, baselines=c.baselines)
    frozen, no_frozen = frozen_holdout(c, judged, config)
    labels, no_labels = label_findings(c, bands)
    judgement = judge(
        [matured, *frozen],
        candidate_policy=c.candidate.policy,
        champion_policy=c.champion.policy if c.champion else None,
        traffic=traffic(c),
        labels=labels,
        config=config,
        seed=seed,
    )
    no_baselines = () if c.baselines or c.champion is None else ("no baseline was trained beside it",)
    return Ruling(judgement, (*no_frozen, *no_labels, *no_baselines))


def in_its_time(score: Floats, time: npt.NDArray[np.int64], budget: float) -> Floats:
    """Each score as its rank among all payments of the same 30 days, above 0 where it is within the budget. Shape [n].

    A fraud counts as soon as it is reported, silence only months later: among known labels the young payments are
    nearly all fraud. Scores are therefore not compared across time: to call everything young risky would look clever.

    Args:
        score: of all payments, [n].
        time: of each, µs, [n].
        budget: share of payments that may raise an alert.
    """
    if len(score) == 0:
        return score
    period = (time - time.min()) // PERIOD_US
    ranked = np.empty(len(score))
    for number in np.unique(period):
        rows = period == number
        ranked[rows] = rankdata(score[rows]) / np.count_nonzero(rows) - (1 - budget)
    return ranked


def holdout(
    name: str, inputs: GateInputs, judged: Dataset, *, baselines: Mapping[str, Floats] | None = None
) -> Holdout:
    """The rows of known label as both models rank them in their time, each with its own risk tables.

    Args:
        name: "matured" or "frozen".
        inputs: who is compared.
        judged: n payments as they came, of known label or not.
        baselines: other models' log-odds, [n] each; they count beside a champion only.
    """
    known, time, champion = judged.observed, judged.time, inputs.champion
    mine = inputs.candidate.scores(judged.features)
    theirs = None if champion is None else champion.scores(judged.with_risk(champion.risk).features)
    rivals = {} if champion is None else dict(baselines or {})
    return Holdout(
        name,
        to_scored(judged, in_its_time(mine, time, inputs.budget)),
        None if theirs is None else in_its_time(theirs, time, inputs.budget)[known],
        {rival: in_its_time(logits, time, inputs.budget)[known] for rival, logits in rivals.items()},
        {segment: values[known] for segment, values in judged.segments.items()},
    )


def frozen_holdout(inputs: GateInputs, judged: Dataset, config: GateConfig) -> tuple[list[Holdout], tuple[str, ...]]:
    """Payments before the last promotion with labels as they were known then: later labels cannot touch them.

    After a cold start hardly any fraud was known: with fewer than the gate needs there is no frozen holdout.
    """
    if inputs.champion is None:
        return [], ()
    if inputs.promoted is None:
        return [], ("no frozen holdout: when the champion was promoted is not known",)
    then = judged.between(None, inputs.promoted).with_labels(inputs.ledger, inputs.promoted)
    if then.frauds < config.min_frauds:
        few = f"{then.frauds} frauds were known among these payments when the champion was promoted"
        return [], (f"no frozen holdout: {few}, {config.min_frauds} are needed",)
    return [holdout("frozen", inputs, then)], ()


def label_findings(inputs: GateInputs, bands: LabelBands | None = None) -> tuple[list[Finding], tuple[str, ...]]:
    """Whether the labels that came since labels were last found sane look like those before."""
    champion, data = inputs.champion, inputs.data
    if champion is None:
        return [], ()
    if inputs.trusted is None:
        return [], ("new labels were not compared with earlier ones: no labels are trusted yet",)
    labels = inputs.ledger.records.labels
    labels = labels[(labels["received_at"] <= inputs.at) & labels["verdict"].isin(["unauthorised", "genuine"])]
    labelled = np.isin(data.transaction, labels["transaction"].to_numpy(np.uint64))
    rows = data.take(labelled)
    scores = champion.scores(rows.with_risk(champion.risk).features)
    place = {transaction: row for row, transaction in enumerate(rows.transaction.tolist())}
    known = labels[labels["transaction"].isin(rows.transaction)]
    at = np.array([place[transaction] for transaction in known["transaction"].tolist()], np.intp)
    score = scores[at]
    # What the champion learnt it is surer and more often right about than it will be about anything new.
    unseen = inputs.judges[labelled][at]
    fraud = (known["verdict"] == "unauthorised").to_numpy().astype(np.int8)
    new = (known["received_at"] > inputs.trusted).to_numpy(bool)
    source = known["source"].to_numpy(np.str_)
    findings = sane(
        new=fraud[new],
        new_score=score[new],
        before=fraud[~new],
        before_score=np.where(unseen, score, np.nan)[~new],
        sources=(source[new], source[~new]),
        bands=bands,
    )
    return findings, ()


def traffic(inputs: GateInputs) -> Traffic | None:
    """The younger half of the payments, which alerts will look like, labelled or not, as both see them."""
    if inputs.champion is None:
        return None
    rows, old = recent(inputs.data), inputs.champion
    theirs = old.scores(rows.with_risk(old.risk).features)
    return Traffic(rows.amount, inputs.candidate.scores(rows.features), theirs, inputs.alert_share)


def recent(data: Dataset) -> Dataset:
    """The younger half of the payments."""
    return data.take(data.time >= np.median(data.time)) if len(data) else data
