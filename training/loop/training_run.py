"""One training run: data set, candidate, the gate's judgement. It writes a candidate; promoting is the caller's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fraud.decisions.policy import Policy
from fraud.features.encoder import features_fingerprint
from fraud.features.risk_tables import RiskTables
from training.data.dataset import Dataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import count_risk, from_stream
from training.evaluation.evaluate import Model, to_scored
from training.evaluation.scores import Scored, at_policy
from training.gate.paired_scores import GateInputs, recent, rule
from training.gate.rule import Judgement
from training.loop.config import LoopConfig
from training.loop.ledger_view import LedgerView
from training.loop.state import BegunRun, LoopState
from training.loop.training_step import TrainedCandidate, held_out, policy_of, run_seed, train_candidate
from training.modelling.export import export_bundle
from training.modelling.inputs import open_base
from training.modelling.train_loop import Progress, quiet
from training.registry import versions as registry


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
        seed = run_seed(self.config.seed, begun.number)
        risk = count_risk(view.stream, self.config.risk, self.context.spec, until=view.now)
        data = from_stream(view.stream, self.context, as_of=view.now, risk=risk).between(view.since, None)
        judges = held_out(data.customer, self.config.holdout_share)
        judged = data.take(judges)
        champion = self._champion()
        base_version, base = open_base(self.root, self.config.base, self.config.bundle_key)
        trained = train_candidate(base, data.take(~judges), judged, self.config, seed=seed, progress=self.progress)
        candidate = self._export(trained, data, risk, champion, parent=base_version, at=view.now)
        inputs = GateInputs(
            candidate=candidate,
            champion=champion,
            data=data,
            judges=judges,
            ledger=view.stream.ledger,
            at=view.now,
            promoted=state.serving.since if state.serving else None,
            trusted=state.trusted,
            alert_share=self.config.alert_share,
            baselines=trained.baselines,
        )
        ruling = rule(inputs, config=self.config.judging, seed=seed, bands=self.config.bands)
        return RunResult(
            candidate=candidate.version,
            champion=champion.version if champion else None,
            judgement=ruling.judgement,
            unseen=ruling.unseen,
            strategy=trained.strategy,
            counts=_counts(view, data, judged.labelled(), trained),
            promised=_promised(to_scored(judged, candidate.scores(judged.features)), candidate.policy),
        )

    def _champion(self) -> Model | None:
        version = registry.champion(self.root, fingerprint_of(self.context))
        return None if version is None else Model.read(registry.find(self.root, version)[1], self.config.bundle_key)

    def _export(
        self,
        trained: TrainedCandidate,
        data: Dataset,
        risk: RiskTables,
        champion: Model | None,
        *,
        parent: int,
        at: int,
    ) -> Model:
        costs = champion.policy if champion else Policy.default(data.identity.base_currency)
        policy = policy_of(costs, trained.candidate, recent(data), self.config.alert_share)
        number = export_bundle(
            self.root,
            trained.candidate,
            identity=data.identity,
            created_at=datetime.fromtimestamp(at / 1e6, UTC),
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


def _promised(rows: Scored, policy: Policy) -> dict[str, float]:
    """Precision and recall of the policy's alerts on the judged rows; nothing without fraud there."""
    if not rows.fraud.any():
        return {}
    figures = at_policy(rows, policy)
    return {"precision": float(figures["precision"] or 0.0), "recall": float(figures["recall"] or 0.0)}
