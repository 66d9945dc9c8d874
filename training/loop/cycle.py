"""One run: learn, judge, decide. It writes a candidate and says what should become of it; promoting is the caller's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from fraud.features import features_fingerprint
from fraud.policy import Policy
from fraud.risk import RiskTables
from training import registry
from training.adapt_inputs import open_base
from training.datasets import Dataset, World, count_risk, from_stream
from training.evaluate import Floats, Model, scores_of, to_scored
from training.export import export_bundle
from training.fitting import Progress, quiet
from training.gate import Finding, Holdout, Judgement, Traffic, Verdict, judge
from training.gate_labels import sane
from training.gate_run import traffic
from training.ledger import DAY_US
from training.loop.adaptation import Lesson, held_out, policy_of, run_seed, teach
from training.loop.config import LoopConfig
from training.loop.state import LoopState, Unfinished
from training.loop.view import View
from training.scores import Scored, at_policy

PERIOD_US: Final = 30 * DAY_US


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found.

    Attributes:
        candidate: the version it wrote.
        champion: who served then, None when nobody did.
        judgement: what the gate says.
        strategy: how the candidate was made.
        counts: rows and frauds learnt from and judged on, window, maturity.
        promised: figures of the candidate on the matured holdout; empty without labels there.
    """

    candidate: int
    champion: int | None
    judgement: Judgement
    strategy: str
    counts: Mapping[str, float | int]
    promised: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trainer:
    """Makes and judges candidates.

    Attributes:
        root: the model directory.
        world: features and rates.
        config: what decides.
        progress: told what is going on.
    """

    root: Path
    world: World
    config: LoopConfig
    progress: Progress = quiet

    def run(self, view: View, state: LoopState, begun: Unfinished) -> Outcome:
        """Adapts the base to what is known at `view.now`, and lets the gate judge the result.

        Raises:
            RegistryError: there is no base.
            InvalidDataset: there is nothing to learn from.
        """
        seed = run_seed(self.config.seed, begun.number)
        risk = count_risk(view.stream, self.config.risk, until=view.now)
        data = from_stream(view.stream, self.world, as_of=view.now, risk=risk).between(view.since, None)
        judges = held_out(data.customer, self.config.holdout_share)
        judged = data.take(judges)
        champion = self._champion()
        base_version, base = open_base(self.root, self.config.base, self.config.bundle_key)
        lesson = teach(base, data.take(~judges), judged, self.config, seed=seed, progress=self.progress)
        candidate = self._export(lesson, data, risk, champion, parent=base_version, at=view.now)
        score = scores_of(candidate.path, judged.features)
        budget = self.config.budget
        matured = _holdout("matured", score, champion, judged, budget=budget, baselines=lesson.baselines)
        frozen = _frozen(view, state, candidate, champion, judged, config=self.config)
        judgement = judge(
            [matured, *frozen],
            candidate_policy=candidate.policy,
            champion_policy=champion.policy if champion else None,
            traffic=_traffic(candidate, champion, _recent(data), self.config.alert_share) if champion else None,
            labels=_label_findings(view, state, champion, data, share=self.config.holdout_share),
            config=self.config.judging,
            seed=seed,
        )
        return Outcome(
            candidate=candidate.version,
            champion=champion.version if champion else None,
            judgement=judgement,
            strategy=lesson.strategy,
            counts=_counts(view, data, judged.labelled(), lesson),
            promised=_promised(to_scored(judged, score), candidate.policy),
        )

    def _champion(self) -> Model | None:
        version = registry.champion(self.root, fingerprint_of(self.world))
        return None if version is None else Model.read(registry.find(self.root, version)[1], self.config.bundle_key)

    def _export(
        self, lesson: Lesson, data: Dataset, risk: RiskTables, champion: Model | None, *, parent: int, at: int
    ) -> Model:
        costs = champion.policy if champion else Policy.default(data.identity.base_currency)
        policy = policy_of(costs, lesson.candidate, _recent(data), self.config.alert_share)
        number = export_bundle(
            self.root,
            lesson.candidate,
            identity=data.identity,
            created_at=datetime.fromtimestamp(at / 1e6, UTC),
            parent=parent,
            policy=policy.model_dump_json(indent=2).encode() + b"\n",
            write_risk=risk.to_file if risk.tables else None,
            key=self.config.bundle_key,
        )
        return Model.read(registry.find(self.root, number)[1], self.config.bundle_key)


def fingerprint_of(world: World) -> str:
    """Of this code's features."""
    return features_fingerprint(world.spec, world.config)


def _recent(data: Dataset) -> Dataset:
    """The younger half of the payments, which alerts will look like."""
    return data.take(data.time >= np.median(data.time)) if len(data) else data


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


def _holdout(
    name: str,
    score: Floats,
    champion: Model | None,
    judged: Dataset,
    *,
    budget: float,
    baselines: Mapping[str, Floats] | None = None,
) -> Holdout:
    """The rows of known label as both models rank them in their time, each with its own risk tables.

    Args:
        name: of the holdout.
        score: the candidate's, of all rows, [n].
        champion: who serves.
        judged: n payments as they came, of known label or not.
        budget: share of them that may raise an alert.
        baselines: other models' log-odds, [n] each; they count beside a champion only.
    """
    known, time = judged.observed, judged.time
    theirs = None if champion is None else scores_of(champion.path, judged.with_risk(champion.risk).features)
    rivals = {} if champion is None else dict(baselines or {})
    return Holdout(
        name,
        to_scored(judged, in_its_time(score, time, budget)),
        None if theirs is None else in_its_time(theirs, time, budget)[known],
        {rival: in_its_time(logits, time, budget)[known] for rival, logits in rivals.items()},
        {segment: values[known] for segment, values in judged.segments.items()},
    )


def _traffic(candidate: Model, champion: Model, recent: Dataset, budget: float | None) -> Traffic:
    return traffic((candidate, recent), (champion, recent.with_risk(champion.risk)), budget=budget)


def _frozen(
    view: View, state: LoopState, candidate: Model, champion: Model | None, judged: Dataset, *, config: LoopConfig
) -> list[Holdout]:
    """Payments before the last promotion with labels as they were known then: later labels cannot touch them.

    After a cold start hardly any fraud was known: with fewer than the gate needs there is no frozen holdout.
    """
    if champion is None or state.reign is None:
        return []
    then = judged.between(None, state.reign.since).with_labels(view.stream.ledger, state.reign.since)
    if then.frauds < config.gate.min_frauds:
        return []
    return [_holdout("frozen", scores_of(candidate.path, then.features), champion, then, budget=config.budget)]


def _label_findings(
    view: View, state: LoopState, champion: Model | None, data: Dataset, *, share: float
) -> list[Finding]:
    """Whether the labels that came since labels were last found sane look like those before."""
    if champion is None or state.trusted is None:
        return []
    labels = view.labels[view.labels["verdict"].isin(["unauthorised", "genuine"])]
    rows = data.take(np.isin(data.transaction, labels["transaction"].to_numpy(np.uint64)))
    scores = scores_of(champion.path, rows.with_risk(champion.risk).features)
    place = {transaction: row for row, transaction in enumerate(rows.transaction.tolist())}
    known = labels[labels["transaction"].isin(rows.transaction)]
    at = np.array([place[transaction] for transaction in known["transaction"].tolist()], np.intp)
    score = scores[at]
    # What the champion learnt it is surer and more often right about than it will be about anything new.
    unseen = held_out(rows.customer, share)[at]
    fraud = (known["verdict"] == "unauthorised").to_numpy().astype(np.int8)
    new = (known["received_at"] > state.trusted).to_numpy(bool)
    source = known["source"].to_numpy(np.str_)
    return sane(
        new=fraud[new],
        new_score=score[new],
        before=fraud[~new],
        before_score=np.where(unseen, score, np.nan)[~new],
        sources=(source[new], source[~new]),
    )


def _counts(view: View, data: Dataset, judged: Dataset, lesson: Lesson) -> dict[str, float | int]:
    return {
        "learnt_rows": lesson.rows,
        "learnt_frauds": lesson.frauds,
        "judged_rows": len(judged),
        "judged_frauds": judged.frauds,
        "payments": len(data),
        "labels": len(view.labels),
        "unknown_labels": view.known.unknown_labels,
        "refused_labels": view.refused_labels,
        "maturity_days": view.known.maturity_days,
        "since": view.since,
        "until": view.now,
    }


def _promised(rows: Scored, policy: Policy) -> dict[str, float]:
    """Precision and recall of the policy's alerts on the judged rows; nothing without fraud there."""
    if not rows.fraud.any():
        return {}
    figures = at_policy(rows, policy)
    return {"precision": float(figures["precision"] or 0.0), "recall": float(figures["recall"] or 0.0)}


def decision(judgement: Judgement, champion: int | None, config: LoopConfig) -> str:
    """What follows from a judgement: "promote", "shadow", "keep" or "refuse"."""
    if judgement.verdict is Verdict.REFUSE:
        return "refuse"
    if judgement.verdict is Verdict.TOO_LITTLE_EVIDENCE:
        return config.unsure if champion is not None else "promote"
    return "shadow" if config.promotion == "shadow" and champion is not None else "promote"
