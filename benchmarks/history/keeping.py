"""A full history in memory, its snapshots while scoring goes on, and its return."""

import importlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.history import resident
from benchmarks.history.filling import BATCH, STEP, encoder, meet, partial_batches, trade
from benchmarks.history.payments import START
from benchmarks.report import Figure
from fraud.features.encoder import SPEC, Encoder
from fraud.history.history import History, HistoryConfig
from service.adapters.snapshots import SnapshotDirectory
from service.ports import Snapshot

Say = Callable[[str], None]
PER_CUSTOMER = 3
"""Payments of a customer on average: one of each, the others by activity."""

CALM = 100
"""Batches timed before a snapshot."""

MOST = 5_000
"""Batches made ready for the time of a snapshot."""

SAMPLE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Kept:
    """One snapshot: seconds, milliseconds of a batch of 1,000, and GB of this process and the writer together."""

    pause: float
    pause_cpu: float
    written: float
    calm_ms: float
    busy_ms: float
    slowest_ms: float
    before_gb: float
    peak_gb: float


@dataclass(frozen=True, slots=True)
class Restored:
    """One restore: seconds, of them the processor's, and the most memory."""

    seconds: float
    cpu: float
    peak_gb: float


def keep(customers: int, repeats: int, say: Say) -> list[Figure]:
    """Customers, cards and devices, as many of each, their pairs and 50,000 merchants: filled, kept, brought back."""
    trade(encoder(1_000), 1_000, start=START, events=BATCH, complete=False, say=say)  # compiles
    empty = resident.now_gb()
    resident.reset_peak()
    code = Encoder(SPEC, History(HistoryConfig()))
    now = meet(code, customers, start=START, complete=False)
    now = trade(code, customers, start=now, events=(PER_CUSTOMER - 1) * customers, complete=False, say=say)
    memory = resident.peak_gb() - empty
    entities, payments = sum(code.history.entities.values()), code.history.events
    if sum(code.history.evictions.values()):
        raise AssertionError(f"the caps have pushed out {code.history.evictions}")
    importlib.import_module("tensorflow")  # a fork costs by what the process has, and the service has this as well
    with tempfile.TemporaryDirectory(dir="build") as folder:
        snapshots = []
        for repeat in range(repeats):
            say(f"snapshot {repeat + 1} of {repeats}")
            snapshots.append(_snapshot(Path(folder), code, customers, now))
            now += (CALM + MOST) * BATCH * STEP
        size = max(path.stat().st_size for path in Path(folder).rglob("*.npz")) / 1e9
        del code
        restored = [_restore(Path(folder), say) for _ in range(repeats)]
    return [
        Figure("memory_gb", memory, "GB"),
        Figure("memory.entities", entities, "entities"),
        Figure("memory.payments", payments, "payments"),
        Figure.of("snapshot_pause_ms", [s.pause * 1e3 for s in snapshots], "ms"),
        Figure.of("snapshot.pause_cpu_ms", [s.pause_cpu * 1e3 for s in snapshots], "ms"),
        Figure.of("snapshot.written_s", [s.written for s in snapshots], "s"),
        Figure("snapshot.file_gb", size, "GB"),
        Figure.of("snapshot.peak_gb", [s.peak_gb for s in snapshots], "GB"),
        Figure.of("snapshot.more_gb", [s.peak_gb - s.before_gb for s in snapshots], "GB"),
        Figure.of("snapshot.batch_ms_before", [s.calm_ms for s in snapshots], "ms"),
        Figure.of("snapshot.batch_ms_during", [s.busy_ms for s in snapshots], "ms"),
        Figure.of("snapshot.batch_ms_slowest", [s.slowest_ms for s in snapshots], "ms"),
        Figure.of("restore_s", [r.seconds for r in restored], "s"),
        Figure.of("restore.cpu_s", [r.cpu for r in restored], "s"),
        Figure.of("restore.peak_gb", [r.peak_gb - empty for r in restored], "GB"),
    ]


def _snapshot(folder: Path, code: Encoder, customers: int, now: int) -> Kept:
    """Keeps the history while batches go on at full speed, which copies the most memory."""
    ended: list[float] = []
    store = _store(folder, ended)
    batches = partial_batches(customers, CALM + MOST, start=now, seed=code.history.events)
    calm = [_timed(partial(code.encode, next(batches))) for _ in range(CALM)]
    before = peak = resident.shared_gb()
    spent = time.process_time()
    pause = _timed(lambda: store.save(Snapshot(0, code.history.events, code.history)))
    spent = time.process_time() - spent
    due, during = 0.0, []
    for batch in batches:
        if ended:
            break
        during.append(_timed(partial(code.encode, batch)))
        if time.monotonic() >= due:
            peak, due = max(peak, resident.shared_gb()), time.monotonic() + SAMPLE_SECONDS
    store.wait()
    return Kept(pause, spent, ended[0], median(calm) * 1e3, median(during) * 1e3, max(during) * 1e3, before, peak)


def _restore(folder: Path, say: Say) -> Restored:
    """Reads the newest snapshot."""
    resident.reset_peak()
    began, spent = time.perf_counter(), time.process_time()
    found = _store(folder, []).newest(0, 1 << 62)
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    if found is None or found.history.events != found.position:
        raise AssertionError("the snapshot did not come back")
    say(f"restored in {seconds:.1f} s")
    return Restored(seconds, spent, resident.peak_gb())


def _store(folder: Path, ended: list[float]) -> SnapshotDirectory:
    def failed() -> None:
        raise AssertionError("the snapshot was not written")

    store = SnapshotDirectory(
        folder, topic="bench", config=HistoryConfig(), settings="", wrote=ended.append, failed=failed
    )
    store.open("bench")
    return store


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
