"""The cost of the guarantees: the pause of a model swap, and exactly-once against at-least-once."""

import random
import time
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.report import Figure
from local.broker.local_broker import LocalBroker
from local.load import event
from local.testbed.bundles import serve
from local.testbed.scorer_run import ScorerRun
from runtime.kafka.client import open_producer
from service.adapters.kafka.group import Reader

SWAPS = 20
VERSIONS = 3
SWAP_RATE = 500.0
PRELOADED = 60_000


def swap_pauses(broker: LocalBroker, run: Path, models: Path, *, seed: int, scale: float) -> list[Figure]:
    """How long nothing is scored around each model swap, beside what is usual between two batches.

    The pause of a swap is the time from the last batch by the old model to the first by the new one; while the new one
    is loaded, in the three seconds before, the longest gap tells what loading costs.
    """
    scorer = ScorerRun(broker.bootstrap_servers, "chaos-swaps", run / "swaps", models, seed=seed)
    service = scorer.service()
    resident = growth = 0.0
    try:
        service.start()
        service.ready()
        with scorer.load(rate=SWAP_RATE):
            scorer.until_moved(0)
            time.sleep(3)
            for number in range(max(2 * VERSIONS, round(SWAPS * scale))):
                if number == VERSIONS:  # each has been loaded once
                    resident = service.own_mb()
                before = service.metric("fraud_model_swaps_total")
                # Three versions in turn: the one before the present is kept in memory, and would take no loading.
                serve(models, (number + 1) % VERSIONS + 1)
                while service.metric("fraud_model_swaps_total") == before:
                    time.sleep(0.05)
                time.sleep(1.5)
            growth = service.own_mb() - resident
        scorer.until_caught_up()
        service.stop()
        times, versions = _batches(scorer)
    finally:
        scorer.close()
        serve(models, 1)
    gaps = np.diff(times) * 1000
    swaps = np.flatnonzero(np.diff(versions))
    loading = [gaps[(times[:-1] > times[at] - 3) & (times[:-1] <= times[at])].max() for at in swaps]
    return [
        Figure(
            "swap_pause_ms_p99",
            float(np.percentile(gaps[swaps], 99)),
            "ms",
            float(gaps[swaps].min()),
            float(gaps[swaps].max()),
        ),
        Figure("swap_loading_gap_ms", float(np.median(loading)), "ms", float(min(loading)), float(max(loading))),
        Figure("swap_memory_growth_mb", growth, "MB"),
        Figure("batch_gap_ms_p50", float(np.percentile(gaps, 50)), "ms"),
        Figure("batch_gap_ms_p99", float(np.percentile(gaps, 99)), "ms"),
    ]


def _batches(scorer: ScorerRun) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """When each batch was scored, in seconds, ascending, and by which version."""
    reader = Reader(scorer.cluster, scorer.names["decisions_topic"])
    try:
        decisions = (
            msgspec.json.decode(value or b"")
            for records in reader.replay(0, *reader.bounds(0))
            for value in records.values
        )
        found = {decision["scored_at"]: decision["model_version"] for decision in decisions}
    finally:
        reader.close()
    ordered = sorted((datetime.fromisoformat(at).timestamp(), version) for at, version in found.items())
    return np.array([at for at, _ in ordered]), np.array([version for _, version in ordered])


def exactly_once_cost(broker: LocalBroker, run: Path, models: Path, *, seed: int, scale: float) -> list[Figure]:
    """Time per event exactly once over time per event at least once, on the same preloaded events."""
    count = round(PRELOADED * max(scale, 0.2))
    rates: dict[str, list[float]] = {"exactly_once": [], "at_least_once": []}
    for repeat in range(3):
        for delivery, measured in rates.items():
            scorer = ScorerRun(
                broker.bootstrap_servers, f"chaos-cost-{delivery}-{repeat}", run / f"cost-{delivery}-{repeat}", models
            )
            try:
                preload(scorer, count, seed)
                measured.append(rate_of(scorer, delivery, count))
            finally:
                scorer.close()
    ratios = [once / twice for once, twice in zip(rates["at_least_once"], rates["exactly_once"], strict=True)]
    return [
        Figure.of("exactly_once_cost_ratio", ratios, "x"),
        Figure.of("exactly_once_events_per_s", rates["exactly_once"], "1/s"),
        Figure.of("at_least_once_events_per_s", rates["at_least_once"], "1/s"),
    ]


def preload(scorer: ScorerRun, count: int, seed: int) -> None:
    """Fills the input before the service starts."""
    draw = random.Random(seed)  # noqa: S311 - seeded
    producer = open_producer({**scorer.cluster.config(), "linger_ms": 20, "batch_size": 500_000})
    for number in range(count):
        customer, value = event(number, draw)
        producer.send(scorer.names["transactions_topic"], value, customer.encode())
    producer.flush()
    producer.close()


def rate_of(scorer: ScorerRun, delivery: str, count: int) -> float:
    """Events a second over the last two thirds of what was preloaded, so that starting does not count."""
    service = scorer.service(delivery=delivery)
    service.start()
    service.ready()
    while service.metric("fraud_batch_size_sum") < count / 3:
        time.sleep(0.02)
    began, first = time.monotonic(), service.metric("fraud_batch_size_sum")
    while (done := service.metric("fraud_batch_size_sum")) < count:
        time.sleep(0.02)
    rate = (done - first) / (time.monotonic() - began)
    service.stop()
    return rate
