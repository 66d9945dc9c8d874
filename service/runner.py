"""The loop: poll, process, commit; and what happens around it when ownership, the broker or the model changes.

Both halves of a batch's life stand here, the loop that scores it and the committer that publishes it beside the next
one: what is in doubt for one of them concerns the other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from fraud.controls.state import Refused as RefusedControl
from runtime.errors import Misconfigured, Refused, ServiceError, Unavailable
from runtime.shutdown import Shutdown
from service.batch import ProcessedBatch
from service.bisection import Suspects
from service.observability.health import Health
from service.observability.log_sampling import SampledWarnings
from service.observability.metrics import Metrics
from service.outputs.dead_letters import DeadLetterCap
from service.partition import Partition
from service.pipeline import Pipeline, unprocessable
from service.ports import Clock, ControlsSource, Log, ModelSource, Output, Records, Snapshot, SnapshotStore
from service.recovery import HistoryRecovery

POLL_SECONDS: Final = 0.2
GAUGE_SECONDS: Final = 1.0
KEEP_SECONDS: Final = 5.0
"""Between two polls during a restore: well below any max_poll_interval, and others wait for us in a rebalance."""

BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to reach the broker, the last one for as long as it takes."""

REFUSALS: Final = 5
"""Times that the broker may refuse one batch's messages before the service stops; the first ones may be a passing
mistake of an operator."""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Unfinished(ServiceError):  # noqa: N818 - named for what happened
    """The time to stop is over and the batch in hand is not committed: it will be scored again after the next start."""


class _Interrupted(ServiceError):  # noqa: N818 - as above
    """A stop was requested in the middle of a restore."""


class Runner:
    """Turns the pipeline over the log until asked to stop."""

    def __init__(
        self,
        *,
        log: Log,
        pipeline: Pipeline,
        models: ModelSource,
        snapshots: SnapshotStore,
        recovery: HistoryRecovery,
        metrics: Metrics,
        warnings: SampledWarnings,
        health: Health,
        clock: Clock,
        stop: Shutdown,
        controls: ControlsSource,
        snapshot_seconds: float,
        cap: DeadLetterCap | None,
        topic: str,
        set_aside: bool,
    ) -> None:
        self._log = log
        self._pipeline = pipeline
        self._models = models
        self._snapshots = snapshots
        self._recovery = recovery
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._stop = stop
        self._controls = controls
        self._snapshot_seconds = snapshot_seconds
        self._topic = topic
        self._set_aside = set_aside
        self._suspects = Suspects()
        self._committer = Committer(
            log, pipeline.partitions, pauses=self._pauses, on_doubt=self._look_again, cap=cap,
            metrics=metrics, warnings=warnings, health=health, clock=clock,
        )  # fmt: skip
        self._epoch: int | None = None
        self._gauges_due = 0.0
        self._poll_due = 0.0
        self._snapshots_due = 0.0
        self._saved: dict[int, tuple[int, float]] = {}

    def run(self) -> None:
        """Works until a stop is requested; returns with everything committed.

        Raises:
            Unfinished: the broker did not take the batch in hand before the time to stop was over.
            ServiceError: whatever else must stop the service; nothing half-done is committed.
        """
        self._until_reached(self._log.open)
        self._until_reached(lambda: self._snapshots.open(self._log.identity()))
        self._until_reached(self._controls.open)
        self._take_controls()
        self._snapshots_due = self._clock.monotonic() + self._snapshot_seconds
        while not self._stop.requested:
            polled = self._poll()
            self._metrics.latency.records.look(polled, self._log.lag(), self._clock.now_us())
            if polled:
                self._process(polled)
            else:
                self._committer.finish()
            self._take_controls()
            self._between_batches()
        self._committer.finish()
        self._health.unready = "stopping"
        self._stop.settled()
        self._save_snapshots()
        self._snapshots.wait()

    def _poll(self) -> Sequence[Records]:
        self._health.beat()
        polled = self._reach(lambda: self._log.poll(POLL_SECONDS))
        if polled is None or self._stop.requested:
            return ()  # polled, but nothing was done with it: the next start polls it again
        if self._log.assignment().epoch != self._epoch:
            self._committer.finish()
            with suppress(_Interrupted):
                self._reach(self._take_over)
            return ()  # taking over goes back to the committed positions: what was polled before comes again
        self._note_readiness(None if self._log.joined() else "not a member of the consumer group")
        return polled

    def _look_again(self) -> None:
        self._epoch = None

    def _note_readiness(self, unready: str | None) -> None:
        """Notes whether this instance is ready, and says so when that changes: an outage may raise nothing."""
        if unready != self._health.unready:
            _log.info("ready") if unready is None else _log.warning("not ready", reason=unready)
        self._health.unready = unready

    def _take_over(self) -> None:
        """Brings what this instance holds into line with what it owns, then lets the owned partitions flow."""
        self._health.unready = "restoring histories"
        assignment = self._log.assignment()
        if self._epoch is not None:
            self._metrics.broker.rebalances.inc()
        held = self._pipeline.partitions
        for partition in held.keys() - assignment.partitions:
            del held[partition]
        positions = {partition: self._log.committed(partition) for partition in sorted(assignment.partitions)}
        for partition, committed in positions.items():
            if partition not in held or held[partition].position != committed:
                self._restore(partition, committed)
        for partition, committed in positions.items():
            self._log.resume(partition, self._log.bounds(partition)[0] if committed is None else committed)
        self._epoch = assignment.epoch
        self._metrics.history.complete.set(all(state.history_from is None for state in held.values()))
        _log.info("partitions assigned", partitions=sorted(assignment.partitions))

    def _restore(self, partition: int, committed: int | None) -> None:
        self._pipeline.partitions.pop(partition, None)  # so that half a restore is never taken for a whole one
        start = self._clock.monotonic()
        if committed is not None:
            self._snapshots.discard_after(partition, committed)
        try:
            self._recovery.restore(partition, committed, self._stay)
        except BaseException:
            self._pipeline.partitions.pop(partition, None)
            raise
        self._metrics.history.restore_seconds.set(self._clock.monotonic() - start)

    def _stay(self) -> None:
        """Keeps the membership through a long restore: everything is paused, so that a poll brings no records."""
        self._health.beat()
        if self._stop.requested:
            raise _Interrupted("stopped while restoring a history; nothing was in hand")
        now = self._clock.monotonic()
        if now >= self._poll_due:
            self._poll_due = now + KEEP_SECONDS
            self._log.poll(POLL_SECONDS)  # a join takes a moment: with none, each poll would begin another

    def _process(self, polled: Sequence[Records]) -> None:
        """Scores what was polled, or as much of it as the search for a failing record wants, and begins to commit."""
        suspects = self._suspects
        share = suspects.share(polled)
        unscored = suspects.unscored(share)
        try:
            result = self._pipeline.process(share, self._models.current(), self._clock.now_us(), unscored=unscored)
        except Exception as error:  # whatever it is, a record may be behind it
            self._committer.finish()  # what came before is committed
            if isinstance(error, ServiceError):
                raise
            # What fails without being scored fails in the history, and would in every later replay: no way around it.
            self._failed(share, error, forgive=self._set_aside and unscored is None)
            return
        self._committer.begin(result)
        suspects.passed(share)
        if share is not polled:
            self._epoch = None  # back to the committed positions, for what was polled and left

    def _failed(self, share: Sequence[Records], error: Exception, *, forgive: bool) -> None:
        """Gives up the histories that a failed batch has changed, and narrows down which record was behind it.

        Raises:
            Unprocessable: it is found, and not to be set aside.
        """
        first = share[0]
        where = f"{self._topic}-{first.partition}@{first.offsets[0]}"
        _log.error("records cannot be processed", first=where, records=sum(map(len, share)), exc_info=error)
        for records in share:
            self._pipeline.partitions.pop(records.partition, None)
        self._epoch = None
        if self._suspects.failed(share):
            if not forgive:
                raise unprocessable(where, error) from error
            self._suspects.condemn(type(error).__name__)

    def _take_controls(self) -> None:
        """Lets the next batch be decided under what has come of the controls log."""
        rulebook, records = self._pipeline.rulebook, self._controls.poll()
        for offset, value in records:
            taken = rulebook.take(value, offset)
            self._metrics.controls.taken(taken)
            if isinstance(taken, RefusedControl):
                _log.warning("control refused", offset=offset, reason=str(taken.reason), detail=taken.detail)
            elif taken.control.control_id in rulebook.broken:
                why = rulebook.broken[taken.control.control_id]
                _log.error("control cannot act", control=taken.control.name, reason=why)
        if records:
            self._metrics.controls.standing(rulebook)
            _log.info("controls taken in", records=len(records), offset=rulebook.offset)

    def _between_batches(self) -> None:
        now = self._clock.monotonic()
        if now >= self._gauges_due:
            self._gauges_due = now + GAUGE_SECONDS
            self._show()
        if now >= self._snapshots_due:
            self._committer.finish()
            self._snapshots_due = now + self._snapshot_seconds
            self._save_snapshots()

    def _show(self) -> None:
        metrics, states = self._metrics, self._pipeline.partitions
        metrics.latency.longest_turn.set(self._health.longest)
        histories = [state.encoder.history for state in states.values()]
        newest = [history.watermark for history in histories if history.watermark is not None]
        metrics.models.serving(self._models.current(), max(newest, default=self._clock.now_us()))
        metrics.history.observe(histories)
        metrics.history.complete.set(all(state.history_from is None for state in states.values()))
        metrics.latency.lag(self._log.lag(), self._clock.now_us())
        metrics.controls.age.set(self._controls.age())
        now = self._clock.monotonic()
        ages = [now - saved for partition, (_, saved) in self._saved.items() if partition in states]
        metrics.history.snapshot_age.set(max(ages, default=0.0))

    def _save_snapshots(self) -> None:
        """Starts a snapshot of each partition that has moved since its last one."""
        for number, state in self._pipeline.partitions.items():
            if state.position is None or self._saved.get(number, (None, 0.0))[0] == state.position:
                continue
            snapshot = Snapshot(number, state.position, state.encoder.history, state.history_from)
            if self._snapshots.save(snapshot):
                self._saved[number] = state.position, self._clock.monotonic()

    def _until_reached(self, action: Callable[[], T]) -> None:
        """Tries until the outside answers or a stop is requested."""
        for _ in self._pauses():
            if self._stop.requested:
                return
            try:
                action()
            except Unavailable as error:
                self._wait_for_broker(error)
            else:
                return

    def _reach(self, action: Callable[[], T]) -> T | None:
        """One attempt; None, after a pause, when the outside does not answer."""
        try:
            return action()
        except Unavailable as error:
            self._wait_for_broker(error)
            self._stop.wait(1.0)
            return None

    def _wait_for_broker(self, error: Unavailable) -> None:
        self._health.unready = "waiting for the broker"
        _log.warning("waiting for the broker", error=str(error))

    def _pauses(self) -> Iterator[float]:
        """Pauses between attempts, for as long as it may take; each is waited for after it was handed out."""
        attempt = 0
        while not self._stop.overdue:
            pause = BACKOFF[min(attempt, len(BACKOFF) - 1)]
            self._health.beat()
            yield pause
            self._stop.wait(pause)
            attempt += 1


@dataclass(frozen=True, slots=True)
class Commit:
    """A batch whose commit is under way.

    Attributes:
        result: the batch.
        outputs: what of it is being published.
        begun_us: wall time, µs.
        end: gives the seconds spent by stage, or raises.
    """

    result: ProcessedBatch
    outputs: Sequence[Output]
    begun_us: int
    end: Future[Mapping[str, float]]


class Committer:
    """Commits batches, one at a time: scored once, and sent until the log has it.

    Args:
        log: where.
        held: the partitions whose histories this instance holds; one that another instance took over is removed.
        pauses: between attempts, for as long as it may take.
        on_doubt: called when the fate of a commit is unknown: afterwards every partition is paused, and what the
            instance owns must be looked at anew.
        cap: of dead letters.
    """

    def __init__(
        self,
        log: Log,
        held: dict[int, Partition],
        *,
        pauses: Callable[[], Iterator[float]],
        on_doubt: Callable[[], None],
        cap: DeadLetterCap | None,
        metrics: Metrics,
        warnings: SampledWarnings,
        health: Health,
        clock: Clock,
    ) -> None:
        self._log = log
        self._held = held
        self._pauses = pauses
        self._on_doubt = on_doubt
        self._cap = cap
        self._metrics = metrics
        self._warnings = warnings
        self._health = health
        self._clock = clock
        self._commit: Commit | None = None

    def begin(self, result: ProcessedBatch) -> None:
        """Begins to commit a batch, once the one before is committed.

        Its end is waited for at once unless as much as it held waits: then the next one is scored meanwhile. Without
        such a backlog that would only make the next one smaller, and what comes after it wait for two commits.
        """
        doubted = self.finish()
        if self._cap is not None:
            self._cap.check(result.dead)
        # After a doubt another instance may own a part of what was scored meanwhile.
        outputs = self._open_ones(result.outputs) if doubted else result.outputs
        self._hand_over(result, outputs)
        if sum(self._log.lag().values()) < len(result):
            self.finish()

    def _hand_over(self, result: ProcessedBatch, outputs: Sequence[Output]) -> None:
        if outputs:
            self._commit = Commit(result, outputs, self._clock.now_us(), self._log.commit(outputs))
        else:
            self._count(result, committed_us=self._clock.now_us(), seconds={})

    def finish(self) -> bool:
        """Waits for the commit under way, and sends its batch until the log has it; whether it was ever in doubt."""
        refusals = doubts = 0
        while self._commit is not None:
            commit, self._commit = self._commit, None
            self._health.beat()
            try:
                seconds = commit.end.result()
            except Unavailable as error:
                doubts += 1
                refusals += isinstance(error, Refused)
                if refusals >= REFUSALS:
                    raise Misconfigured(f"{error}; refused {refusals} times, the batch is uncommitted") from error
                self._metrics.broker.retried.inc()
                self._hand_over(commit.result, self._settle(commit.outputs, error))
            else:
                ended_us = commit.begun_us + round(1e6 * sum(seconds.values()))  # it may have ended long ago
                self._count(commit.result, committed_us=ended_us, seconds=seconds)
        return doubts > 0

    def _count(self, result: ProcessedBatch, *, committed_us: int, seconds: Mapping[str, float]) -> None:
        # A part that another instance took over is counted there.
        done = result.only(self._held)
        if len(done):
            self._metrics.batch(done, committed_us=committed_us, seconds=seconds)
            self._warnings.observe(done)

    def _settle(self, outputs: Sequence[Output], error: Unavailable) -> Sequence[Output]:
        """After a commit of unknown fate: which outputs must be sent again. The committed positions decide."""
        self._on_doubt()  # recovery pauses every partition
        self._health.unready = "the last commit is in doubt"
        _log.warning("commit in doubt", error=str(error))
        return self._open_ones(outputs, recover=True)

    def _open_ones(self, outputs: Sequence[Output], *, recover: bool = False) -> Sequence[Output]:
        """Those that are ours to commit, and not committed yet.

        Raises:
            Unfinished: the time to stop was over before the broker told.
        """
        for pause in self._pauses():
            try:
                if recover:
                    self._log.recover()
                return [output for output in outputs if self._is_open(output)]
            except Unavailable as again:
                _log.warning("waiting for the broker", error=str(again), pause=pause)
        raise Unfinished("the broker did not take the batch in hand in time; it is uncommitted")

    def _is_open(self, output: Output) -> bool:
        committed = self._log.committed(output.partition)
        if committed == output.end:
            return False
        if committed == output.start and output.partition in self._log.assignment().partitions:
            return True
        # Another instance owns it now, or has gone on: its records are scored there, and our history is not the log's.
        self._held.pop(output.partition, None)
        _log.warning("partition lost", partition=output.partition, committed=committed)
        return False
