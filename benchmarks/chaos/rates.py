"""What the guarantees cost: the pause of a model swap, and exactly-once against at-least-once."""

import random
import time
from pathlib import Path

import msgspec
import numpy as np
from kafka import KafkaProducer

from benchmarks.chaos.world import World, event
from benchmarks.report import Figure
from deploy.kafka.broker import LocalBroker
from service.adapters.kafka.group import Reader
from tests.bundles import serve

SWAPS = 20
SWAP_RATE = 500.0
PRELOADED = 60_000


def swap_pauses(broker: LocalBroker, run: Path, models: Path, *, seed: int, scale: float) -> list[Figure]:
    """The longest silence between two batches around each model swap, beside what is usual without one."""
    world = World(broker.bootstrap_servers, "chaos-swaps", run / "swaps", models, seed=seed)
    service = world.service()
    moments: list[float] = []
    try:
        service.start()
        service.ready()
        with world.load(rate=SWAP_RATE):
            world.until_moved(0)
            time.sleep(3)
            for number in range(max(3, round(SWAPS * scale))):
                before = service.metric("fraud_model_swaps_total")
                moments.append(time.time())  # noqa: TID251 - compared with times that the service wrote
                serve(models, 2 - number % 2)
                while service.metric("fraud_model_swaps_total") == before:
                    time.sleep(0.05)
                time.sleep(1.5)
        world.until_caught_up()
        service.stop()
        batches = _batch_times(world)
    finally:
        world.close()
    gaps = np.diff(batches)
    near = [gaps[(batches[1:] > at) & (batches[:-1] < at + 3.0)].max() * 1000 for at in moments]
    usual = gaps[(batches[1:] > moments[0]) & (batches[1:] < moments[-1])] * 1000
    return [
        Figure("swap_pause_ms_p99", float(np.percentile(near, 99)), "ms", float(min(near)), float(max(near))),
        Figure("batch_gap_ms_p50", float(np.percentile(usual, 50)), "ms"),
        Figure("batch_gap_ms_p99", float(np.percentile(usual, 99)), "ms"),
    ]


def _batch_times(world: World) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """When each batch was scored, in seconds, ascending."""
    from datetime import datetime

    reader = Reader(world.cluster, world.names["decisions_topic"])
    try:
        times = {
            msgspec.json.decode(value or b"")["scored_at"]
            for records in reader.replay(0, *reader.bounds(0))
            for value in records.values
        }
    finally:
        reader.close()
    return np.array(sorted(datetime.fromisoformat(time_).timestamp() for time_ in times))


def exactly_once_cost(broker: LocalBroker, run: Path, models: Path, *, seed: int, scale: float) -> list[Figure]:
    """Time per event exactly once over time per event at least once, on the same preloaded events."""
    count = round(PRELOADED * max(scale, 0.2))
    rates: dict[str, list[float]] = {"exactly_once": [], "at_least_once": []}
    for repeat in range(3):
        for delivery, measured in rates.items():
            world = World(
                broker.bootstrap_servers, f"chaos-cost-{delivery}-{repeat}", run / f"cost-{delivery}-{repeat}", models
            )
            try:
                measured.append(_rate(world, delivery, count, seed))
            finally:
                world.close()
    ratios = [once / twice for once, twice in zip(rates["at_least_once"], rates["exactly_once"], strict=True)]
    return [
        Figure.of("exactly_once_cost_ratio", ratios, "x"),
        Figure.of("exactly_once_events_per_s", rates["exactly_once"], "1/s"),
        Figure.of("at_least_once_events_per_s", rates["at_least_once"], "1/s"),
    ]


def _rate(world: World, delivery: str, count: int, seed: int) -> float:
    """Events a second over the second half, so that starting does not count."""
    draw = random.Random(seed)  # noqa: S311 - seeded
    producer = KafkaProducer(bootstrap_servers=world.servers, linger_ms=20, batch_size=500_000)
    for number in range(count):
        customer, value = event(number, draw)
        producer.send(world.names["transactions_topic"], value, customer.encode())
    producer.flush()
    producer.close()
    service = world.service(delivery=delivery)
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
