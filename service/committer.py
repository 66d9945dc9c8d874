"""The end of a batch: publish and commit it, once, in order, while the next one may already be scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import structlog

from runtime.errors import Misconfigured, Refused, ServiceError, Unavailable
from service.batch import ProcessedBatch
from service.observability.health import Health
from service.observability.log_sampling import SampledWarnings
from service.observability.metrics import Metrics
from service.outputs.dead_letters import DeadLetterCap
from service.partition import Partition
from service.ports import Clock, Log, Output

REFUSALS: Final = 5
"""Times that the broker may refuse one batch's messages before the service stops; the first ones may be a passing
mistake of an operator."""

_log = structlog.get_logger(__name__)


class Unfinished(ServiceError):  # noqa: N818 - named for what happened
    """The time to stop is over and the batch in hand is not committed: it will be scored again after the next start."""


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
