"""The gate's inputs and its ruling, put together in one place: for the loop's runs and for `promote --data` alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import gamma, rankdata

from training.data.dataset import Dataset
from training.data.training_rows import FraudRate
from training.evaluation.evaluate import Floats, Model, to_scored
from training.evaluation.scores import Scored
from training.gate.label_sanity import LabelBands, sane
from training.gate.rule import BEST, CHAMPION, CHANCE, UNCHOSEN, Finding, GateConfig, Holdout, Judgement, judge
from training.gate.volume import Traffic
from training.labels.ledger import DAY_US, Ledger
from training.registry.learnt import Learnt, read_ranks

PERIOD_US: Final = 30 * DAY_US
DEFAULT_BUDGET: Final = 0.01
MOST_WEIGHT: Final = 20.0
"""That one payment counts in a comparison, however rarely a lottery lets its like through."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rival:
    """A version that the candidate is compared with, and what it makes of the payments.

    Attributes:
        model: the version.
        unseen: bool [n], payments whose label it had not learnt: it has come since, or is of nobody it knew.
        ranks: float64 [n], its scores as ranks in their time; where it had learnt from a payment, as its models of
            other folds ranked it, NaN where that is not known.
        like_candidate: float64 [n], the same by models that learn what it had learnt, less the fold that they rank, as
            the candidate's judges do; None where that cannot be done.
    """

    model: Model
    unseen: Bools
    ranks: Floats
    like_candidate: Floats | None = None

    @property
    def compared(self) -> Floats:
        """Ranks to hold against the candidate's, float64 [n].

        The candidate is ranked by models of its folds, which know less than it does. Held against the version itself it
        would have to be better by what a fold teaches before it looked equal.
        """
        return self.ranks if self.like_candidate is None else self.like_candidate

    @classmethod
    def of(cls, root: Path, model: Model, data: Dataset, budget: float) -> Self:
        """A version on n payments, with risk tables of the same age as the candidate's where it has any.

        Tables grow old while a version serves, and the candidate's will, too: their age is no merit of the model.
        """
        unseen = ~Learnt.of(root, model.version).taught(data)
        rows = data if model.risk.tables else data.with_risk(model.risk)
        ranks = in_its_time(model.scores(rows.features), data.time, budget)
        own, held = read_ranks(model.path), np.full(len(data), np.nan)
        place = np.searchsorted(own.transaction, data.transaction)
        known = np.flatnonzero(np.isin(data.transaction, own.transaction))
        held[known] = own.rank[place[known]] - (1 - budget)
        return cls(model, unseen, np.where(unseen, ranks, held))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInputs:
    """Candidate and rivals on the same payments.

    Attributes:
        candidate: the version that wants to serve.
        ranks: float64 [n], its scores as ranks in their time, by models that had not learnt from the payment; NaN where
            there is none.
        champion: who serves; None when nobody does.
        best: the best champion so far, where that is another.
        data: n payments as the candidate sees them, labels as known now.
        ledger: their labels.
        at: now, µs.
        promoted: when the champion began to serve, µs; None where nobody knows.
        trusted: labels received by then looked sane, µs; None where nobody knows.
        alert_share: share of payments that the shop wants to look at; None leaves it to the costs.
        rate: the rate of fraud, corrected for late reports.
        baselines: other models' ranks of the payments, by name, made like the candidate's.
    """

    candidate: Model
    ranks: Floats
    champion: Rival | None
    best: Rival | None = None
    data: Dataset
    ledger: Ledger
    at: int
    promoted: int | None
    trusted: int | None
    alert_share: float | None = None
    rate: FraudRate | None = None
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
    """Champion, best champion, chance, baselines, frozen holdout, sane labels and volume; what cannot be had is named.

    Args:
        inputs: who, and on what.
        config: what is demanded.
        seed: of the bootstrap.
        bands: where the rates of new labels may lie.
    """
    c = inputs
    frozen, no_frozen = frozen_holdout(c, config)
    labels, no_labels = label_findings(c, bands)
    judgement = judge(
        [*matured_holdouts(c, config, seed), *frozen],
        candidate_policy=c.candidate.policy,
        champion_policy=None if c.champion is None else c.champion.model.policy,
        traffic=traffic(c),
        labels=labels,
        learnt=(frauds_of(c.candidate), 0 if c.champion is None else frauds_of(c.champion.model)),
        config=config,
        seed=seed,
    )
    no_baselines = () if c.baselines or c.champion is None else ("no baseline was trained beside it",)
    return Ruling(judgement, (*no_frozen, *no_labels, *no_baselines))


def frauds_of(model: Model) -> int:
    """Known frauds that a version learnt from."""
    return model.manifest.trained_on.frauds


def in_its_time(
    score: Floats, time: npt.NDArray[np.int64], budget: float, fold: npt.NDArray[np.intp] | None = None
) -> Floats:
    """Each score as its rank among all payments of the same 30 days, above 0 where it is within the budget. Shape [n].

    A fraud counts as soon as it is reported, silence only months later: among known labels the young payments are
    nearly all fraud. Scores are therefore not compared across time: to call everything young risky would look clever.
    Silent payments are presumed genuine by this, as often as they come.

    Args:
        score: of all payments, [n]; NaN stays so.
        time: of each, µs, [n].
        budget: share of payments that may raise an alert.
        fold: of each, [n], where several models scored: each model's scores are ranked among themselves.
    """
    ranked = np.full(len(score), np.nan)
    if len(score) == 0:
        return ranked
    period = (time - time.min()) // PERIOD_US
    group = period if fold is None else period * (int(fold.max()) + 1) + fold
    for number in np.unique(group):
        rows = np.flatnonzero((group == number) & ~np.isnan(score))
        ranked[rows] = rankdata(score[rows]) / max(len(rows), 1) - (1 - budget)
    return ranked


def matured_holdouts(inputs: GateInputs, config: GateConfig, seed: int) -> list[Holdout]:
    """Payments of known label against each rival: those that it had not learnt from; chance and baselines on all."""
    c = inputs
    everything = np.ones(len(c.data), np.bool_)
    made: list[Holdout] = []
    if c.champion is not None:
        unseen, ranks = c.champion.unseen, c.champion.compared
        made.append(_against(c, CHAMPION, ranks, unseen, segments=True))
        made.append(_against(c, CHAMPION, ranks, unseen & ~c.data.chosen, name=UNCHOSEN))
    made += [] if c.best is None else [_against(c, BEST, c.best.compared, c.best.unseen)]
    chance = _against(c, CHANCE, np.random.default_rng(seed).random(len(c.data)) - (1 - c.budget), everything)
    at_random = (
        c.budget if config.figure == "recall_at_budget" else float(chance.rows.fraud.mean() if len(chance.rows) else 0)
    )
    chance = replace(chance, expected=at_random)
    rivals = {} if c.champion is None else dict(c.baselines)
    baselines = [_against(c, f"baseline {name}", ranks, everything) for name, ranks in rivals.items()]
    enough = [holdout for holdout in (chance, *baselines) if int(holdout.rows.fraud.sum()) >= config.min_frauds]
    return made + enough


def _against(
    inputs: GateInputs,
    rival: str,
    ranks: Floats,
    judges: Bools,
    *,
    data: Dataset | None = None,
    name: str = "matured",
    segments: bool = False,
) -> Holdout:
    """The rows of known label that both rank."""
    rows = inputs.data if data is None else data
    both = judges & ~np.isnan(inputs.ranks) & ~np.isnan(ranks) & rows.observed
    judged = rows.take(both)
    return Holdout(name, rival, weighed(judged, inputs.ranks[both]), ranks[both], judged.segments if segments else {})


def weighed(data: Dataset, ranks: Floats) -> Scored:
    """Rows of known label with their ranks; what a lottery let through stands for 1 / propensity payments."""
    weight = np.minimum(1 / data.propensity.astype(np.float64), MOST_WEIGHT)
    return replace(to_scored(data, ranks), weight=weight)


def frozen_holdout(inputs: GateInputs, config: GateConfig) -> tuple[list[Holdout], tuple[str, ...]]:
    """Payments before the last promotion with labels as they were known then: later labels cannot touch them.

    The champion learnt from most of these; models of other folds ranked them for it. After a cold start hardly any
    fraud was known: with fewer than the gate needs there is no frozen holdout.
    """
    c = inputs
    if c.champion is None:
        return [], ()
    if c.promoted is None:
        return [], ("no frozen holdout: when the champion was promoted is not known",)
    then = c.data.with_labels(c.ledger, c.promoted)
    holdout = _against(c, CHAMPION, c.champion.ranks, c.data.time < c.promoted, data=then, name="frozen")
    frauds = int(holdout.rows.fraud.sum())
    if frauds < config.min_frauds:
        few = f"{frauds} frauds were known among these payments when the champion was promoted"
        return [], (f"no frozen holdout: {few}, {config.min_frauds} are needed",)
    return [holdout], ()


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
    scores = champion.model.scores(rows.with_risk(champion.model.risk).features)
    place = {transaction: row for row, transaction in enumerate(rows.transaction.tolist())}
    known = labels[labels["transaction"].isin(rows.transaction)]
    at = np.array([place[transaction] for transaction in known["transaction"].tolist()], np.intp)
    score = scores[at]
    # What the champion learnt it is surer and more often right about than it will be about anything new.
    unseen = champion.unseen[labelled][at]
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
    rows, old = recent(inputs.data), inputs.champion.model
    theirs = old.scores(rows.with_risk(old.risk).features)
    rate = None if inputs.rate is None else rate_interval(inputs.rate)
    return Traffic(rows.amount, inputs.candidate.scores(rows.features), theirs, inputs.alert_share, rate)


def rate_interval(rate: FraudRate, confidence: float = 0.9) -> tuple[float, float] | None:
    """Where the rate lies, by Jeffreys' interval of a Poisson count; None before anything could have been reported."""
    if rate.payments <= 0:
        return None
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = gamma.ppf(ends, rate.frauds + 0.5, scale=1 / rate.payments)
    return min(float(low), 0.5), min(float(high), 0.5)


def recent(data: Dataset) -> Dataset:
    """The younger half of the payments."""
    return data.take(data.time >= np.median(data.time)) if len(data) else data
