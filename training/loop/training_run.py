"""One training run: data set, candidate, the gate's judgement. It writes a candidate; promoting is the caller's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from fraud.decisions.policy import Policy
from fraud.features.encoder import features_fingerprint
from fraud.features.risk_tables import RiskTables
from runtime.model_registry import RegistryError
from training.data.dataset import FRAUD, Dataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import count_risk, from_stream
from training.data.training_rows import FraudRate, TrainingRows, fraud_rate, training_rows
from training.evaluation.evaluate import Floats, Model
from training.gate.paired_scores import GateInputs, Rival, recent, rule
from training.gate.rule import Judgement
from training.labels.delay import DelayCurve, Reports
from training.loop.config import LoopConfig
from training.loop.ledger_view import LedgerView
from training.loop.state import BegunRun, LoopState
from training.loop.training_step import TrainedCandidate, policy_of, ranks_of, retrained, run_seed, train_candidate
from training.modelling.base import Base
from training.modelling.export import export_bundle, learnt_from
from training.modelling.inputs import open_base
from training.modelling.strategies import STRATEGIES
from training.modelling.train_loop import Progress, quiet
from training.registry import versions as registry
from training.registry.learnt import read_delay


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run's candidate and its judgement.

    Attributes:
        candidate: the version it wrote.
        champion: who served then, None when nobody did.
        judgement: what the gate says.
        strategy: how the candidate was made.
        counts: rows and frauds learnt from and judged on, window, maturity.
        promised: figures of the candidate on the matured holdout; empty without labels there.
        unseen: what the gate could not look at.
    """

    candidate: int
    champion: int | None
    judgement: Judgement
    strategy: str
    counts: Mapping[str, float | int]
    promised: Mapping[str, float]
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trainer:
    """Makes and judges candidates.

    Attributes:
        root: the model directory.
        context: features and rates.
        config: what decides.
        progress: told what is going on.
    """

    root: Path
    context: FeatureContext
    config: LoopConfig
    progress: Progress = quiet

    def run(self, view: LedgerView, state: LoopState, begun: BegunRun) -> RunResult:
        """Adapts the base to what is known at `view.now`, and lets the gate judge the result.

        Raises:
            RegistryError: there is no base.
            InvalidDataset: there is nothing to learn from.
        """
        config, seed = self.config, run_seed(self.config.seed, begun.number)
        risk = count_risk(view.stream, config.risk, self.context.spec, until=view.now)
        data = from_stream(view.stream, self.context, as_of=view.now, risk=risk).between(view.since, None)
        base_version, base = open_base(self.root, config.base, config.bundle_key)
        curve = DelayCurve.of(Reports.of(view.stream.ledger, view.now), read_delay(self.root, base_version))
        taught, rate = training_rows(data, curve, view.now, seed=seed), fraud_rate(data, curve, view.now)
        champion = self._version(registry.champion(self.root, fingerprint_of(self.context)))
        trained = train_candidate(base, data, taught, rate, config, seed=seed, progress=self.progress)
        candidate = self._export(trained, data, taught, risk, champion, view=view, parent=base_version)
        best = self._best(state, champion)
        again = partial(self._learnt_again, base, data, taught, curve=curve, view=view, parent=base_version, seed=seed)
        inputs = GateInputs(
            candidate=candidate,
            ranks=trained.ranks,
            champion=None if champion is None else self._rival(champion, data, again),
            best=None if best is None else self._rival(best, data, again),
            data=data,
            ledger=view.stream.ledger,
            at=view.now,
            promoted=state.serving.since if state.serving else None,
            trusted=state.trusted,
            alert_share=config.alert_share,
            rate=rate,
            baselines=trained.baselines,
        )
        ruling = rule(inputs, config=config.gate, seed=seed, bands=config.bands)
        judged = data.take(~np.isnan(trained.ranks)).labelled()
        return RunResult(
            candidate=candidate.version,
            champion=champion.version if champion else None,
            judgement=ruling.judgement,
            unseen=ruling.unseen,
            strategy=trained.strategy,
            counts=_counts(view, data, judged, trained) | _rates(taught, rate),
            promised=_promised(data, trained, rate, candidate),
        )

    def _rival(self, version: Model, data: Dataset, again: Callable[[Model], Floats | None]) -> Rival:
        rival = Rival.of(self.root, version, data, self.config.budget)
        return replace(rival, like_candidate=again(version))

    def _learnt_again(
        self,
        base: Base,
        data: Dataset,
        taught: TrainingRows,
        version: Model,
        *,
        curve: DelayCurve,
        view: LedgerView,
        parent: int,
        seed: int,
    ) -> Floats | None:
        """What a version had learnt, learnt again by models of the folds; None for one of another origin."""
        manifest = version.manifest
        same_origin = manifest.trained_on.as_received and manifest.parent == parent and manifest.strategy in STRATEGIES
        then = round(datetime.fromisoformat(manifest.created_at).timestamp() * 1_000_000)
        known = data.between(None, then).with_labels(view.stream.ledger, then)
        rows = training_rows(known, curve, then, seed=seed)
        if not same_origin or rows.sample.frauds < self.config.min_frauds:
            return None
        return retrained(
            base, data, taught, rows, self.config, strategy=manifest.strategy, seed=seed, progress=self.progress
        )

    def _version(self, number: int | None) -> Model | None:
        return None if number is None else Model.read(registry.find(self.root, number)[1], self.config.bundle_key)

    def _best(self, state: LoopState, champion: Model | None) -> Model | None:
        """The best champion so far, where it is another than the champion and still of these features."""
        if champion is None or state.best is None or state.best == champion.version:
            return None
        try:
            best = self._version(state.best)
        except RegistryError:
            return None  # somebody removed it
        same = best is not None and best.manifest.features_fingerprint == champion.manifest.features_fingerprint
        return best if same else None

    def _export(
        self,
        trained: TrainedCandidate,
        data: Dataset,
        taught: TrainingRows,
        risk: RiskTables,
        champion: Model | None,
        *,
        view: LedgerView,
        parent: int,
    ) -> Model:
        costs = champion.policy if champion else Policy.default(data.identity.platform.base_currency)
        policy = policy_of(costs, trained.candidate, recent(data), self.config.alert_share)
        candidate = trained.candidate
        if trained.rows:
            reached = {f"events/{part}": f"offset {offset}" for part, offset in sorted(view.reached.items())}
            candidate = learnt_from(candidate, data, taught.transaction, as_received=True, facts={"data": reached})
            rank = ranks_of(data, taught, trained.ranks, self.config.budget)
            candidate = replace(candidate, learnt_rank=rank)
        number = export_bundle(
            self.root,
            candidate,
            identity=data.identity,
            created_at=datetime.fromtimestamp(view.now / 1e6, UTC),
            parent=parent,
            policy=policy.model_dump_json(indent=2).encode() + b"\n",
            write_risk=risk.to_file if risk.tables else None,
            key=self.config.bundle_key,
        )
        return Model.read(registry.find(self.root, number)[1], self.config.bundle_key)


def fingerprint_of(context: FeatureContext) -> str:
    """Of this code's features."""
    return features_fingerprint(context.spec, context.config)


def _counts(view: LedgerView, data: Dataset, judged: Dataset, trained: TrainedCandidate) -> dict[str, float | int]:
    return {
        "learnt_rows": trained.rows,
        "learnt_frauds": trained.frauds,
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


def _rates(taught: TrainingRows, rate: FraudRate) -> dict[str, float | int]:
    return {
        "presumed_rows": len(taught.sample) - taught.labelled if taught.labelled else 0,
        "fraud_rate_reported": rate.frauds / max(rate.reported, 1),
        "fraud_rate": rate.value,
    }


def _promised(data: Dataset, trained: TrainedCandidate, rate: FraudRate, candidate: Model) -> dict[str, float]:
    """Precision and recall of the policy's alerts, as models of other folds rank the known frauds; {} without any.

    The candidate has learnt these frauds by heart: how many it flags says nothing. How deep it alerts it does say.
    """
    fraud = (data.label == FRAUD) & ~np.isnan(trained.ranks)
    young = recent(data)
    if not fraud.any() or len(young) == 0:
        return {}
    flagged = float(candidate.policy.decide(candidate.scores(young.features), young.amount).flagged.mean())
    rank = trained.ranks[fraud]
    recall = float((rank > trained_depth(trained, flagged)).mean())
    return {"precision": min(recall * rate.value / flagged, 1.0) if flagged else 0.0, "recall": recall}


def trained_depth(trained: TrainedCandidate, share: float) -> float:
    """The rank from which on `share` of all payments is flagged."""
    return float(np.nanquantile(trained.ranks, 1 - share))
