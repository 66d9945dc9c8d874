"""`make soak`: half the maximal rate for half an hour; memory stays flat, nothing fails, nothing is lost."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks.chaos.process import ServiceProcess
from benchmarks.chaos.rates import preload, rate_of
from benchmarks.chaos.world import World
from benchmarks.report import Figure, report
from deploy.kafka.broker import LocalBroker
from fraud.history import HistoryConfig
from service.notices import DEAD
from tests.bundles import serve, write_bundle

FOLDER = Path("build/soak")
PLOT = Path("docs/soak.png")
EVERY = 2.0
PRELOADED = 60_000
MOST = 8_000.0
WARM_UP = 0.2
"""Share of the time after which memory must not grow any more."""

EVENTS_PER_TRANSACTION = 1.2
"""Somewhat more than there are: one in twenty is an outcome, and one is broken."""


@dataclass
class Sample:
    """What the service was like at one moment: seconds since the start, resident MB, records done, records behind."""

    at: float
    resident: float
    done: float
    behind: float


@click.command()
@click.option("--minutes", default=30.0, show_default=True, help="How long.")
@click.option(
    "--rate", type=float, help=f"Events a second; default: half of what this machine can, at most {MOST:.0f}."
)
@click.option("--seed", default=1, show_default=True, help="Of the events.")
@click.option("--plot/--no-plot", default=True, show_default=True, help=f"Write {PLOT}.")
def main(minutes: float, rate: float | None, seed: int, plot: bool) -> None:
    """Streams at half the maximal rate and watches memory."""
    logging.getLogger("kafka").setLevel(logging.ERROR)  # the load's own producer
    run = (FOLDER / time.strftime("%H%M%S")).resolve()
    write_bundle(run / "models", 1)
    serve(run / "models", 1)
    with LocalBroker() as broker:
        kept = {"retention.bytes": str(3 << 30), "segment.bytes": str(1 << 27)}  # half an hour would fill a disk
        world = World(broker.bootstrap_servers, "soak", run / "world", run / "models", seed=seed, topic_config=kept)
        try:
            wanted = rate or _half_of_the_maximum(broker, run, seed)
            click.echo(f"{wanted:.0f} events/s for {minutes:g} min; logs in {run}", err=True)
            samples, errors, missing = _soak(world, minutes * 60, wanted)
        finally:
            world.close()
    after = _settled(samples, minutes * 60)
    if plot:
        _plot(samples, after[0].at)
    settled = [s.resident for s in after]
    drift = _drift(settled)
    seconds = samples[-1].at - samples[0].at
    figures = [
        Figure("soak.minutes", seconds / 60, "min"),
        Figure("soak.settled_minutes", (after[-1].at - after[0].at) / 60, "min"),
        Figure("soak.events_per_s", (samples[-1].done - samples[0].done) / seconds, "1/s"),
        Figure("soak.memory_drift", drift, "share"),
        Figure("soak.memory_mb", float(np.median(settled)), "MB", min(settled), max(settled)),
        Figure("soak.behind_records", max(s.behind for s in samples), "records"),
        Figure("soak.errors", errors, "log lines"),
        Figure("soak.missing", missing, "records"),
    ]
    report("soak", figures, title="Half the maximal rate")
    sys.exit(0 if drift <= 0.05 and not errors and not missing else 1)


def _settled(samples: list[Sample], seconds: float) -> list[Sample]:
    """Those after the warm-up, which ends when the memory for repeated transactions is full, if it ever is."""
    warm = [s for s in samples if s.at > seconds * WARM_UP]
    full = [s for s in warm if s.done > HistoryConfig().recent_capacity * EVENTS_PER_TRANSACTION]
    return full if len(full) > len(warm) // 4 else warm


def _half_of_the_maximum(broker: LocalBroker, run: Path, seed: int) -> float:
    world = World(broker.bootstrap_servers, "soak-rate", run / "rate", run / "models", seed=seed)
    try:
        preload(world, PRELOADED, seed)
        # The load itself takes a share of this machine, and the service must be able to catch up.
        return min(MOST, rate_of(world, "exactly_once", PRELOADED) / 2)
    finally:
        world.close()


def _soak(world: World, seconds: float, rate: float) -> tuple[list[Sample], int, float]:
    """What was seen, lines of trouble in the log, and records that were sent and not processed."""
    service = world.service(snapshot_interval="60")
    service.start()
    service.ready()
    samples: list[Sample] = []
    with world.load(rate=rate) as load, _sampling(service, samples):
        time.sleep(seconds)
    world.until_caught_up(seconds=900)
    missing = load.sent - service.metric("fraud_records_total")
    code = service.stop()
    lines = service.log.read_text().splitlines()
    errors = sum('"level": "error"' in line or '"level": "warning"' in line for line in lines if DEAD not in line)
    return samples, errors + (code != 0), missing


@contextmanager
def _sampling(service: ServiceProcess, samples: list[Sample]) -> Iterator[None]:
    done = threading.Event()
    began = time.monotonic()

    def watch() -> None:
        while not done.wait(EVERY):
            samples.append(
                Sample(
                    time.monotonic() - began,
                    service.resident_mb(),
                    service.metric("fraud_batch_size_sum"),
                    service.metric("fraud_consumer_lag_records"),
                )
            )

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _drift(settled: list[float]) -> float:
    """Growth from the first tenth to the last tenth, as a share."""
    tenth = max(1, len(settled) // 10)
    first, last = float(np.median(settled[:tenth])), float(np.median(settled[-tenth:]))
    return last / first - 1


def _plot(samples: list[Sample], settled: float) -> None:
    """Memory and pace over time, with a line where the warm-up ends, `settled` seconds after the start."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, (top, bottom) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 5))
    minutes = [s.at / 60 for s in samples]
    top.plot(minutes, [s.resident for s in samples])
    top.set_ylabel("resident memory, MB")
    top.set_ylim(bottom=0)
    top.axvline(settled / 60, linestyle=":", color="gray")
    pace = np.diff([s.done for s in samples]) / np.diff([s.at for s in samples])
    bottom.plot(minutes[1:], pace)
    bottom.set_ylabel("events a second")
    bottom.set_xlabel("minutes")
    bottom.set_ylim(bottom=0)
    figure.tight_layout()
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=80)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
