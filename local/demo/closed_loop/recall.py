"""Recall before, during and after the new pattern, on the service's decisions, beside an oracle."""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fraud.decoding.batch import hash_ids
from local.demo.closed_loop.run import ScenarioRun
from local.demo.closed_loop.scenario import DAY_US, NEW_PATTERN, START_US
from training.data.dataset import Dataset
from training.data.replayed_stream import count_risk, from_stream
from training.data.training_rows import training_rows
from training.evaluation.evaluate import Model
from training.labels.delay import DelayCurve, Reports
from training.loop.decision import Decision
from training.loop.ledger_view import LedgerView
from training.loop.record import all_records
from training.loop.training_run import Trainer
from training.loop.training_step import task_of
from training.modelling.adapt import strategy_named
from training.modelling.inputs import open_base
from training.modelling.network import predict
from training.modelling.strategies.task import Scorer
from training.modelling.train_loop import make_deterministic
from training.registry import versions as registry
from training.registry.learnt import read_delay

Bools = npt.NDArray[np.bool_]

ENOUGH: Final = 3
"""Known frauds of the new pattern from which on a version can have learnt something of it."""

RECOVERED: Final = 0.9
"""Share of the oracle's recall at which the loop has recovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Shares of fraud that was flagged, and what it took.

    Attributes:
        recall_before: of every fraud, from the go-live until the new pattern began.
        recall_during: of the new pattern, until the first promotion that had frauds of it to learn from.
        recall_after: of the new pattern, from that promotion on.
        recall_oracle: of the same payments, by models that are trained on all labels received by each promotion and
            alert on exactly as many payments as the service did.
        after_to_oracle: recall_after / recall_oracle.
        recall_unadapted: of the same payments, by the version that served when the pattern began, at as many alerts.
        days_to_learn: from the pattern's begin until that promotion.
        days_to_recover: from the pattern's begin until a step whose recall was 90 % of the oracle's.
        alert_share: share of payments that was flagged since the go-live.
        promotions: promotions since the go-live.
        frauds_after: frauds of the new pattern that `recall_after` stands on.
        swapped_under: payments that were sent while the service swapped models.
        lost: payments that were neither scored nor set aside.
        doubled: payments that were scored twice.
    """

    recall_before: float
    recall_during: float
    recall_after: float
    recall_oracle: float
    after_to_oracle: float
    recall_unadapted: float
    days_to_learn: float
    days_to_recover: float
    alert_share: float
    promotions: int
    frauds_after: int
    swapped_under: int
    lost: int
    doubled: int

    def as_dict(self) -> dict[str, float]:
        """Rounded for a reader."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class DecidedPayments:
    """The decisions since the go-live beside the truth.

    Attributes:
        rows: a frame of transaction_id, flagged, version, fraud, new (of the new pattern), time (µs).
        begins: when the new pattern began, µs.
        learnt: when a version was promoted that could have learnt it, µs; the end where none was.
        promoted: times of that promotion and all later ones, µs.
    """

    rows: pd.DataFrame
    begins: int
    learnt: int
    promoted: tuple[int, ...]

    def recall(self, chosen: "pd.Series[bool]") -> float:
        """Share of these frauds that was flagged; NaN without any."""
        return float(self.rows.loc[chosen & self.rows["fraud"], "flagged"].mean())


def decided_payments(done: ScenarioRun) -> DecidedPayments:
    """Decisions and truth side by side, and when the loop learnt."""
    scenario, truth = done.scenario, done.stream.truth
    rows = pd.DataFrame(
        [(d.transaction_id, d.action != "allow", d.model_version) for d in done.outputs.decisions],
        columns=["transaction_id", "flagged", "version"],
    ).join(truth[["is_fraud", "pattern", "event_time"]], on="transaction_id")
    rows["time"] = rows["event_time"].astype("datetime64[us, UTC]").astype("int64")
    rows["fraud"], rows["new"] = rows["is_fraud"].astype(bool), rows["pattern"] == NEW_PATTERN
    rows["new"] &= rows["fraud"]
    rows = rows[rows["time"] >= scenario.at(scenario.live)].reset_index(drop=True)
    begins = scenario.at(scenario.pattern)
    promoted = promotions(done, begins)
    return DecidedPayments(rows, begins, promoted[0] if promoted else done.now, promoted)


def promotions(done: ScenarioRun, begins: int) -> tuple[int, ...]:
    """Times of promotions from the first on that had `ENOUGH` known frauds of the new pattern behind it, µs."""
    truth = done.stream.truth
    ids = truth.index[(truth["pattern"] == NEW_PATTERN) & truth["is_fraud"].astype(bool)].tolist()
    hashed, ledger = np.asarray(hash_ids(ids, len(ids))), view_of(done).stream.ledger
    times = [r.at_us for r in all_records(done.loop.folder) if r.decision is Decision.PROMOTE and r.at_us > begins]
    informed = [int((ledger.as_of(at).of(hashed)["label"] == 1).sum()) >= ENOUGH for at in times]
    return tuple(times[informed.index(True) :]) if any(informed) else ()


def view_of(done: ScenarioRun) -> LedgerView:
    """Everything that the loop knows at the end."""
    return done.loop.reader.read(done.now, window=done.loop.trainer.config.window, maturity_days=None)


def measure(done: ScenarioRun, decided: DecidedPayments) -> Recall:
    """All figures."""
    rows = decided.rows
    after = rows["time"] >= decided.learnt
    oracle, unadapted = references(done, decided)
    ids = pd.Series([d.transaction_id for d in done.outputs.decisions])
    records = [r for r in all_records(done.loop.folder) if r.decision is Decision.PROMOTE]
    recall_after = decided.recall(rows["new"] & after)
    return Recall(
        recall_before=decided.recall(rows["time"] < decided.begins),
        recall_during=decided.recall(rows["new"] & ~after),
        recall_after=recall_after,
        recall_oracle=oracle,
        after_to_oracle=recall_after / oracle if oracle else float("nan"),
        recall_unadapted=unadapted,
        days_to_learn=(decided.learnt - decided.begins) / DAY_US,
        days_to_recover=recovered(done, decided, RECOVERED * oracle),
        alert_share=float(rows["flagged"].mean()),
        promotions=len(records) - 1,
        frauds_after=int((rows["new"] & after).sum()),
        swapped_under=done.trickled,
        lost=done.sent - len(ids) - len(done.outputs.dead_letters),
        doubled=int(ids.duplicated().sum()),
    )


def recovered(done: ScenarioRun, decided: DecidedPayments, wanted: float) -> float:
    """Days from the pattern's begin to the end of the first step that caught `wanted` of it; NaN when none did."""
    step = by_step(decided, decided.rows["new"], done.scenario.step)
    good = step.index[(step >= wanted) & (step.index * DAY_US + START_US >= decided.learnt)]
    return float(good[0] + done.scenario.step - (decided.begins - START_US) / DAY_US) if len(good) else float("nan")


def by_step(decided: DecidedPayments, chosen: "pd.Series[bool]", step: int) -> "pd.Series[float]":
    """Recall in each step, by the day on which the step begins."""
    rows = decided.rows[chosen & decided.rows["fraud"]]
    day = ((rows["time"] - START_US) // (step * DAY_US)) * step
    return rows.groupby(day)["flagged"].mean()


def references(done: ScenarioRun, decided: DecidedPayments) -> tuple[float, float]:
    """Recall of the new pattern after `decided.learnt` by oracles, and by the version that served before it began."""
    if not decided.promoted:
        return float("nan"), float("nan")
    view, trainer = view_of(done), done.loop.trainer
    served = int(decided.rows.loc[decided.rows["time"] < decided.begins, "version"].iloc[-1])
    champion = Model.read(registry.find(trainer.root, served)[1])
    ends = (*decided.promoted[1:], done.now + 1)
    hits: list[Bools] = []
    old: list[Bools] = []
    for since, until in zip(decided.promoted, ends, strict=True):
        rows = decided.rows[(decided.rows["time"] >= since) & (decided.rows["time"] < until)]
        if not rows["new"].any():
            continue
        risk = count_risk(view.stream, trainer.config.risk, trainer.context.spec, until=since)
        data = from_stream(view.stream, trainer.context, risk=risk)
        place = pd.Series(np.arange(len(data)), index=data.transaction_ids.astype(str))[rows["transaction_id"]]
        ahead = data.take(place.to_numpy(np.intp))
        past = data.between(view.since, since).with_labels(view.stream.ledger, since)
        scorer = oracle(trainer, past, view, since)
        new, alerts = rows["new"].to_numpy(bool), int(rows["flagged"].sum())
        hits.append(most(predict(scorer, ahead.features), alerts)[new])
        old.append(most(champion.scores(ahead.with_risk(champion.risk).features), alerts)[new])
    return float(np.concatenate(hits).mean()), float(np.concatenate(old).mean())


def oracle(trainer: Trainer, past: Dataset, view: LedgerView, at: int) -> Scorer:
    """What the loop's strategy makes of everything that was known at a time (µs)."""
    config = trainer.config
    version, base = open_base(trainer.root, config.base)
    curve = DelayCurve.of(Reports.of(view.stream.ledger, at), read_delay(trainer.root, version))
    task, strategy = task_of(base, past, training_rows(past, curve, at, seed=config.seed), config, seed=config.seed)
    make_deterministic(task.seed)
    return strategy_named(strategy)(task).scorer


def most(scores: npt.NDArray[np.floating], count: int) -> Bools:
    """True for the `count` highest scores. Shape [n]."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    chosen = np.zeros(len(order), np.bool_)
    chosen[order[:count]] = True
    return chosen
