"""The loop itself: turn after turn, read what came, watch the champion, run when a run is due, announce.

    feed → ledger → watch → due? → run → gate → promote, shadow, keep or refuse → record → announce

Each turn takes its present as an argument. A run's decision is written down before it is carried out, and carrying it
out may be repeated: killed at any instant, the next turn goes on where this one ended.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from fraud.contracts.outbound import Announcement
from fraud.timestamps import to_datetime
from runtime import model_registry
from runtime.errors import Unavailable
from runtime.model_registry import RegistryError
from training.data.errors import (
    InvalidDataset,
)
from training.evaluation.evaluate import Model
from training.labels.ledger import DAY_US
from training.labels.store import LedgerStore
from training.loop.announce import Announcer
from training.loop.decision import Decision, decide
from training.loop.feed import Feed
from training.loop.ledger_view import LedgerView, LedgerViewReader
from training.loop.metrics import LoopMetrics
from training.loop.monitoring.business_figures import business, by_version, joined, quality
from training.loop.monitoring.delays import reports
from training.loop.monitoring.drift import Drift, drift_of
from training.loop.monitoring.rollback import MIN_DECISIONS, VOLUME_FACTOR, rollback_reason
from training.loop.record import RunRecord, failed, find_record, iso, record_of, write_record
from training.loop.state import BegunRun, LoopState, PendingMove, ServingPeriod, load_state, save_state
from training.loop.training_run import Trainer, fingerprint_of
from training.loop.triggers import due
from training.registry import versions as registry
from training.registry.learnt import read_delay

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did.

    Attributes:
        now: its present, µs.
        records: how many came.
        run: the record of the run, where there was one.
        rolled_back: why the champion went back, where it did.
    """

    now: int
    records: int
    run: RunRecord | None = None
    rolled_back: str | None = None


class Loop:
    """Holds what turns share; everything that must survive is in files."""

    def __init__(
        self,
        *,
        feed: Feed,
        store: LedgerStore,
        trainer: Trainer,
        announcer: Announcer,
        metrics: LoopMetrics,
        folder: Path,
    ) -> None:
        self.feed = feed
        self.store = store
        self.trainer = trainer
        self.announcer = announcer
        self.metrics = metrics
        self.folder = folder
        self.features = fingerprint_of(trainer.context)
        self.reader = LedgerViewReader(store, trainer.context, max_events=trainer.config.max_events)

    @property
    def stream_time(self) -> int | None:
        """The newest payment's time, µs: now, for replays and tests."""
        return self.store.newest("events")

    def turn(self, now: int, *, records: int = 0) -> Turn:
        """One turn at `now` (µs), after `records` came."""
        state = self._complete(load_state(self.folder))
        done = Turn(now, records)
        if state.unfinished is not None or self._worth_a_look(state, now):
            view = self._view(now if state.unfinished is None else state.unfinished.at)
            state, rolled_back = self._watch(state, view)
            state, record = self._run_if_due(state, view)
            state = state.model_copy(update={"looked": now})
            self._measure(view, state)
            done = replace(done, run=record, rolled_back=rolled_back)
        save_state(self.folder, state)
        self._deliver(state)
        self.metrics.last_success.set_to_current_time()
        return done

    def trust(self) -> None:
        """Takes the labels of the last run for sound, whatever the gate made of them: a person has looked."""
        state = load_state(self.folder)
        save_state(self.folder, state.model_copy(update={"trusted": state.last_run}))
        log.info("labels are trusted", until=state.last_run)

    def pull(self) -> int:
        """Moves what came into the ledger."""
        return self.feed.pull(self.store)

    def tidy(self, now: int) -> None:
        """Removes what is older than its time: ledger days, versions, many small files.

        Labels cannot be read again: a clock that runs ahead of the newest payment by more than a day is not believed.
        """
        newest = self.stream_time
        if newest is not None:
            self.store.retain(min(now, newest + DAY_US) - self.trainer.config.retention)
            self.store.compact(min(now, newest))
        best = load_state(self.folder).best
        kept = frozenset() if best is None else frozenset({best})
        registry.prune(self.trainer.root, keep=self.trainer.config.keep_versions, also=kept)

    def _worth_a_look(self, state: LoopState, now: int) -> bool:
        """Reading the whole window takes a while: not more often than the cool-down, unless a champion is watched."""
        config = self.trainer.config
        step = max(config.cooldown, 1)
        if state.serving is not None and now - state.serving.since <= config.watch:
            step = min(step, max(config.watch // 12, 1))
        return state.looked is None or now - state.looked >= step

    def _view(self, now: int) -> LedgerView:
        config = self.trainer.config
        return self.reader.read(now, window=config.window, maturity_days=config.maturity_days)

    def _watch(self, state: LoopState, view: LedgerView) -> tuple[LoopState, str | None]:
        """Rolls a champion back that does harm; ends watches and probations whose time is up."""
        config, root = self.trainer.config, self.trainer.root
        champion = registry.champion(root, self.features)
        serving = state.serving
        if serving is not None and serving.version == champion and view.now - serving.since <= config.watch:
            reason = rollback_reason(view.decisions, view.labels, serving, budget=config.alert_share)
            if reason is not None:
                return self._roll_back(state, view, reason), reason
        elif serving is not None and serving.version == champion and state.probation is None:
            registry.drop_shadow(root, self.features)
        if state.probation is not None and view.now - state.probation.since >= config.probation:
            state = self._end_probation(state, view, state.probation)
        return state, None

    def _roll_back(self, state: LoopState, view: LedgerView, reason: str) -> LoopState:
        gone = registry.champion(self.trainer.root, self.features)
        return self._move(state, PendingMove(type="rollback", version=None, former=gone, at=view.now, reason=reason))

    def _end_probation(self, state: LoopState, view: LedgerView, shadow: ServingPeriod) -> LoopState:
        """A shadow that alerts about as often as the champion takes over; another one is refused."""
        mine = view.decisions[view.decisions["shadow_version"] == shadow.version]
        would = float((mine["shadow_action"] != "allow").mean()) if len(mine) else 0.0
        does = float((mine["model_action"] != "allow").mean()) if len(mine) else 0.0
        expected = shadow.alerts is not None and shadow.alerts[0] <= would <= shadow.alerts[1]
        steady = expected or does == 0 or 1 / VOLUME_FACTOR <= would / does <= VOLUME_FACTOR
        reason = f"probation over {len(mine)} payments: alerts on {would:.2%}, the champion on {does:.2%}"
        state = state.model_copy(update={"probation": None})
        if len(mine) >= MIN_DECISIONS and steady:
            return self._promote(state, shadow, view.now, reason, run=state.runs)
        registry.drop_shadow(self.trainer.root, self.features)
        registry.refuse(self.trainer.root, shadow.version, reason=reason, at=iso(view.now), evidence={})
        return state

    def _run_if_due(self, state: LoopState, view: LedgerView) -> tuple[LoopState, RunRecord | None]:
        config = self.trainer.config
        labels = len(view.labels)
        drift = self._drift(view) if labels and state.unfinished is None else None
        state = self._sampling(state, drift, labels)
        why = due(state, view.now, frauds=view.frauds, labels=labels, drift=drift, config=config)
        if why is None or state.probation is not None:
            return state, None
        begun = state.unfinished or BegunRun(number=state.runs + 1, at=view.now, why=why)
        state = state.model_copy(update={"unfinished": begun})
        save_state(self.folder, state)
        record = find_record(self.folder, begun.number) or self._decide(state, view, begun, drift)
        return self._carry_out(state, view, record), record

    def _decide(self, state: LoopState, view: LedgerView, begun: BegunRun, drift: Drift | None) -> RunRecord:
        log.info("run begins", run=begun.number, why=begun.why, frauds=view.frauds, labels=len(view.labels))
        try:
            result = self.trainer.run(view, state, begun)
        except (InvalidDataset, RegistryError) as error:
            record = failed(begun, str(error))
        else:
            decision = decide(result.judgement, result.champion, self.trainer.config)
            record = record_of(begun, result, decision, drift)
        write_record(self.folder, record)
        return record

    def _carry_out(self, state: LoopState, view: LedgerView, record: RunRecord) -> LoopState:
        root, at = self.trainer.root, iso(record.at_us)
        if record.candidate is not None:
            if record.decision is Decision.PROMOTE:
                period = ServingPeriod(
                    version=record.candidate, since=record.at_us, promised=record.promised, alerts=record.alerts,
                    raises=record.raises,
                )  # fmt: skip
                state = self._promote(state, period, record.at_us, record.reason, run=record.run)
            elif record.decision is Decision.SHADOW:
                shadow = PendingMove(
                    type="shadow", version=record.candidate, former=record.champion, at=record.at_us,
                    reason=record.reason, run=record.run, promised=record.promised, alerts=record.alerts,
                    raises=record.raises,
                )  # fmt: skip
                state = self._move(state, shadow)
            else:
                registry.refuse(
                    root, record.candidate, reason=record.reason, at=at, evidence={"findings": record.findings}
                )
        self.metrics.runs.labels(record.decision).inc()
        log.info("run ends", run=record.run, decision=record.decision, candidate=record.candidate, reason=record.reason)
        doubted = any(str(f["check"]).startswith("labels.") and f["verdict"] == "refuse" for f in record.findings)
        return state.model_copy(
            update={
                "runs": record.run,
                "last_run": record.at_us,
                "frauds_then": view.frauds,
                "labels_then": len(view.labels),
                "trusted": state.trusted if doubted else record.at_us,
                "unfinished": None,
            }
        )

    def _promote(self, state: LoopState, period: ServingPeriod, at: int, reason: str, *, run: int) -> LoopState:
        version, former = period.version, registry.former(self.trainer.root, self.features, period.version)
        move = PendingMove(
            type="promotion", version=version, former=former, at=at, reason=reason, run=run,
            promised=period.promised, alerts=period.alerts, raises=period.raises,
        )  # fmt: skip
        return self._move(state, move)

    def _move(self, state: LoopState, move: PendingMove) -> LoopState:
        """Makes a move: remembered before, so that a crash loses neither who served before nor the announcement."""
        state = state.model_copy(update={"moving": move})
        save_state(self.folder, state)
        return self._complete(state)

    def _complete(self, state: LoopState) -> LoopState:
        """Makes a move that has begun to its end, and puts its announcement into the outbox."""
        move = state.moving
        if move is None:
            return state
        try:
            version = self._carried_out(move)
        except RegistryError as error:
            log.warning("a move could not be made", move=move.type, version=move.version, error=str(error))
            return state.model_copy(update={"moving": None})
        serving = ServingPeriod(
            version=version, since=move.at, promised=move.promised, alerts=move.alerts, raises=move.raises
        )
        place = "probation" if move.type == "shadow" else "serving"
        if move.type == "promotion":
            serving = serving.model_copy(update={"former": move.former})
        announcement = Announcement(
            type=move.type,
            version=version,
            former=move.former,
            at=to_datetime(move.at),
            reason=move.reason,
            features_fingerprint=self.features,
            run=move.run,
        )
        told = {
            "moving": None,
            "outbox": (*state.outbox, announcement),
            place: serving,
            "best": best_after(state, move),
        }
        state = state.model_copy(update=told)
        save_state(self.folder, state)
        return state

    def _carried_out(self, move: PendingMove) -> int:
        """Makes a move in the model directory, or what is left of it; the version that serves or shadows then."""
        root, at, key = self.trainer.root, iso(move.at), self.trainer.config.bundle_key
        if move.version is not None:
            registry.promote(root, move.version, reason=move.reason, at=at, shadow=move.type == "shadow", key=key)
            if move.type == "promotion" and move.former is not None and self.trainer.config.watch > 0:
                # The former champion goes on as a shadow: what it shows as well is the payments' doing.
                registry.promote(root, move.former, reason=move.reason, at=at, shadow=True, key=key)
            return move.version
        back = registry.champion(root, self.features)
        if back is None or back == move.former:
            _, back = model_registry.rollback(root, self.features, reason=move.reason, at=at)
        self.metrics.runs.labels(Decision.ROLLBACK).inc()
        log.warning("rolled back", version=move.former, champion=back, reason=move.reason)
        return back

    def _deliver(self, state: LoopState) -> None:
        """Sends what waits to be announced, in order; what cannot be sent now waits for the next turn."""
        while state.outbox:
            try:
                self.announcer.announce(state.outbox[0])
            except Unavailable as error:
                log.warning("not announced yet", waiting=len(state.outbox), error=str(error))
                return
            state = state.model_copy(update={"outbox": state.outbox[1:]})
            save_state(self.folder, state)

    def _drift(self, view: LedgerView) -> Drift | None:
        champion = self._champion()
        if champion is None:
            return None
        return drift_of(view, champion, self.trainer.context, seed=self.trainer.config.seed)

    def _sampling(self, state: LoopState, drift: Drift | None, labels: int) -> LoopState:
        """Drift without new labels asks for more reviews: only labels can tell what it means."""
        config = self.trainer.config
        if drift is None:
            return state
        for kind, value in drift.by_kind().items():
            self.metrics.drift.labels(kind).set(value)
        moved = bool(drift.beyond(psi=config.drift_psi, auc=config.drift_auc))
        return state.model_copy(update={"sampling": moved and labels == state.labels_then})

    def _champion(self) -> Model | None:
        version = registry.champion(self.trainer.root, self.features)
        return (
            None
            if version is None
            else Model.read(registry.find(self.trainer.root, version)[1], self.trainer.config.bundle_key)
        )

    def _tell_refused(self, view: LedgerView) -> None:
        for kind, refused in (("decisions", view.refused_decisions), ("labels", view.refused_labels)):
            self.metrics.refused.labels(kind).set(refused)
            if refused:
                log.warning("messages off their contract are left out", kind=kind, count=refused)

    def _measure(self, view: LedgerView, state: LoopState) -> None:
        metrics = self.metrics
        newest = view.labels["received_at"].max() if len(view.labels) else None
        if newest is not None:
            metrics.label_lag.set((view.now - int(newest)) / 1e6)
        metrics.unknown_labels.set(view.known.unknown_labels)
        self._tell_refused(view)
        metrics.sampling.set(state.sampling)
        metrics.set_reports(*reports(view, read_delay(self.trainer.root, self.trainer.config.base)))
        for serving in (state.serving, state.probation):
            for figure, value in (serving.promised if serving else {}).items():
                metrics.promised.labels(str(serving.version if serving else 0), figure).set(value)
        decided = joined(view)
        matured = quality(decided)
        for gauge, name in ((metrics.precision, "precision"), (metrics.recall, "recall")):
            if name in matured:
                gauge.set(matured[name])
        for version, figures in by_version(decided).items():
            for figure, value in figures.items():
                metrics.realised.labels(str(version), figure).set(value)
        champion = self._champion()
        metrics.set_business(business(view, decided, champion.policy if champion else None))


def best_after(state: LoopState, move: PendingMove) -> int | None:
    """The best champion so far after a move: the first, one that was shown to be better than the best, or what is left.

    One that took over because it was due is not shown to be better: whoever was the best stays what later ones are held
    against, or a champion could decline by small steps, each within what chance allows.
    """
    if move.type == "rollback":
        return None if state.best == move.former else state.best
    if move.type != "promotion" or move.version is None:
        return state.best
    if move.raises or move.former is None:
        return move.version
    return move.former if state.best is None else state.best
