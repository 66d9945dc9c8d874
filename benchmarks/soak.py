"""`make soak`: half the maximal rate for half an hour; memory stays flat, nothing fails, nothing is lost."""

import logging
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click
import msgspec
import numpy as np
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from benchmarks.chaos.rates import preload, rate_of
from benchmarks.report import Figure, report
from fraud.features.encoder import Encoder
from fraud.history.history import History
from local.broker.local_broker import LocalBroker
from local.load import event
from local.service_process import ServiceProcess
from local.testbed.bundles import serve, write_bundle
from local.testbed.scorer_run import ScorerRun
from runtime.kafka.client import open_consumer
from service.adapters.kafka.group import Reader
from service.bootstrap import decoder, domain, snapshot_directory
from service.observability.log_sampling import DEAD
from service.ports import Snapshot
from service.settings import Settings

FOLDER = Path("build/soak")
PLOT = Path("docs/pictures/soak.png")
EVERY = 2.0
PRELOADED = 60_000
WARM_UP = 0.2
"""Share of the time after which memory must not grow any more."""

EVENTS_PER_TRANSACTION = 1.2
"""Somewhat more than there are: one in twenty is an outcome, and one is broken."""

HOUR_US = 3_600_000_000


@dataclass
class Sample:
    """The service at one moment: seconds since the start, MB of its own memory, records done, records behind."""

    at: float
    memory: float
    done: float
    behind: float


@click.command()
@click.option("--minutes", default=30.0, show_default=True, help="How long.")
@click.option("--rate", type=float, help="Events a second; default: half of what this machine can.")
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
        scorer = ScorerRun(
            broker.bootstrap_servers, "soak", run / "scorer", run / "models", seed=seed, topic_config=kept
        )
        try:
            _fill(scorer)
            wanted = rate or _half_of_the_maximum(broker, run, seed)
            click.echo(f"{wanted:.0f} events/s for {minutes:g} min; logs in {run}", err=True)
            samples, errors, missing = _soak(scorer, minutes * 60, wanted)
        finally:
            scorer.close()
    after = [s for s in samples if s.at > minutes * 60 * WARM_UP]
    if plot:
        _plot(samples, after[0].at)
    settled = [s.memory for s in after]
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


def _fill(scorer: ScorerRun) -> None:
    """Has the service begin with a history that is as large as it gets: a snapshot at offset 0, and that committed.

    What remembers repeated transactions would otherwise grow for hours at a low rate.
    """
    settings = Settings(**scorer.names, snapshots_dir=scorer.folder / "snapshots")  # type: ignore[arg-type]
    code = domain(settings)
    history = History(code.config, code.salt)
    encoder, draw = Encoder(code.spec, history), random.Random(0)  # noqa: S311 - seeded
    now = int(time.time() * 1e6)  # noqa: TID251 - the stream is live
    values = [value for _, value in (event(number, draw) for number in range(PRELOADED))]
    batch = decoder(settings, code).decode(values, [now] * PRELOADED).batch
    ids = np.random.default_rng(0)
    while history.events < code.config.recent_capacity * EVENTS_PER_TRANSACTION:
        fresh = ids.integers(1, 1 << 63, len(batch), np.uint64)
        encoder.encode(replace(batch, transaction=fresh, time=batch.time - HOUR_US))
    snapshots = snapshot_directory(settings, code, wrote=lambda _: None, failed=lambda: None)
    reader = Reader(scorer.cluster, settings.transactions_topic)
    snapshots.open(reader.identity())
    reader.close()
    snapshots.save(Snapshot(0, 0, history))
    snapshots.wait()
    start = TopicPartition(settings.transactions_topic, 0)
    consumer = open_consumer({**scorer.cluster.config(), "group_id": settings.group_id})
    consumer.assign([start])
    consumer.commit({start: OffsetAndMetadata(0, "", -1)})
    consumer.close(autocommit=False)


def _half_of_the_maximum(broker: LocalBroker, run: Path, seed: int) -> float:
    scorer = ScorerRun(broker.bootstrap_servers, "soak-rate", run / "rate", run / "models", seed=seed)
    try:
        preload(scorer, PRELOADED, seed)
        return rate_of(scorer, "exactly_once", PRELOADED) / 2
    finally:
        scorer.close()


def _soak(scorer: ScorerRun, seconds: float, rate: float) -> tuple[list[Sample], int, float]:
    """What was seen, lines of trouble in the log, and records that were sent and not processed."""
    service = scorer.service(snapshot_interval="60")
    service.start()
    service.ready()
    samples: list[Sample] = []
    with scorer.load(rate=rate) as load, _sampling(service, samples, scorer.folder / "samples.jsonl"):
        time.sleep(seconds)
    scorer.until_caught_up(seconds=900)
    missing = load.sent - service.metric("fraud_records_total")
    code = service.stop()
    text = service.log.read_text()
    if '"source": "snapshot"' not in text:
        raise AssertionError(f"the service did not begin with the history that was made for it (see {service.log})")
    lines = text.splitlines()
    errors = sum('"level": "error"' in line or '"level": "warning"' in line for line in lines if DEAD not in line)
    return samples, errors + (code != 0), missing


@contextmanager
def _sampling(service: ServiceProcess, samples: list[Sample], file: Path) -> Iterator[None]:
    """Looks at the service every now and then while the block lasts; what was seen also goes to a file at once."""
    over = threading.Event()
    began = time.monotonic()

    def watch() -> None:
        with file.open("wb") as lines:
            while not over.wait(EVERY):
                with suppress(OSError):  # a busy machine may not answer in time
                    done, behind = service.metric("fraud_batch_size_sum"), service.metric("fraud_consumer_lag_records")
                    samples.append(Sample(time.monotonic() - began, service.own_mb(), done, behind))
                    lines.write(msgspec.json.encode(samples[-1]) + b"\n")
                    lines.flush()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
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
    top.plot(minutes, [s.memory for s in samples])
    top.set_ylabel("memory, MB")
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
