"""What features cost: per event and alone, against the number of known customers, and in memory.

Run: python -m benchmarks.history [--known 1000000] [--large 10000000]
"""

import time
from pathlib import Path
from statistics import median

import click
import numpy as np

from benchmarks.report import Figure, report
from fraud.batch import CATEGORIES, ENTITIES, INTEGERS, MISSING, Batch, UInt64s
from fraud.features import SPEC, Encoder
from fraud.history import History, HistoryConfig

BATCH = 1000
START = 1_700_000_000_000_000


def _ids(numbers: UInt64s, salt: int) -> UInt64s:
    return (numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)) | np.uint64(1)


def attempts(customers: UInt64s, *, start: int, seed: int) -> Batch:
    """One attempt per given customer, each with their own card and device, at one of 50,000 merchants."""
    rng, n = np.random.default_rng(seed), len(customers)
    ids = np.zeros((n, len(ENTITIES)), np.uint64)
    for entity in ("customer", "card", "device"):
        ids[:, ENTITIES.index(entity)] = _ids(customers, ENTITIES.index(entity))
    for entity, count in (("merchant", 50_000), ("bin", 2_000)):
        ids[:, ENTITIES.index(entity)] = _ids(rng.integers(1, count + 1, n).astype(np.uint64), 100 + count)
    categories = np.tile(_ids(customers, 9)[:, None] % np.uint64(50) + np.uint64(1), (1, len(CATEGORIES)))
    return Batch(
        kind=np.zeros(n, np.uint8),
        time=start + np.arange(n, dtype=np.int64) * 10_000,
        amount=rng.integers(0, 500_000_000, n),
        ids=ids,
        transaction=rng.integers(1, 2**63, n).astype(np.uint64),
        order=np.zeros(n, np.uint64),
        billing_address=np.zeros(n, np.uint64),
        categories=categories.astype(np.uint32),
        integers=np.full((n, len(INTEGERS)), MISSING, np.int64),
        attributes=np.zeros((n, 0), np.float32),
    )


def known(customers: int) -> tuple[Encoder, int]:
    """An encoder that has seen each customer once, and the time after."""
    encoder = Encoder(SPEC, History(HistoryConfig(max_entities=max(1 << 23, 9 * customers))))
    for first in range(0, customers, 100_000):
        last = min(first + 100_000, customers)
        numbers = np.arange(first + 1, last + 1, dtype=np.uint64)
        encoder.encode(attempts(numbers, start=START + first * 10_000, seed=first))
    return encoder, START + customers * 10_000


def cost(encoder: Encoder, customers: int, *, start: int, size: int, events: int) -> float:
    """CPU microseconds per event of known customers, in batches of `size`: median over batches."""
    chosen = np.random.default_rng(start % 2**32).integers(1, customers + 1, events).astype(np.uint64)
    log = attempts(chosen, start=start, seed=1)
    spent = []
    for row in range(0, events, size):
        batch = log.take(slice(row, row + size))
        before = time.process_time_ns()
        encoder.encode(batch)
        spent.append((time.process_time_ns() - before) / 1e3 / len(batch))
    return median(spent)


def _resident_gb() -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1e6


@click.command()
@click.option("--known", "customers", default=1_000_000, show_default=True)
@click.option("--large", default=10_000_000, show_default=True)
def main(customers: int, large: int) -> None:
    """Measure and report."""
    known(1000)
    before = _resident_gb()
    encoder, now = known(customers)
    memory = _resident_gb() - before
    bulk = cost(encoder, customers, start=now, size=BATCH, events=100_000)
    single = cost(encoder, customers, start=now + 2_000_000_000, size=1, events=2_000)
    del encoder
    few, now = known(10_000)
    small = cost(few, 10_000, start=now, size=BATCH, events=50_000)
    many, now = known(large)
    ratio = cost(many, large, start=now, size=BATCH, events=50_000) / small
    report(
        "history",
        [
            Figure("feature_us", bulk, "µs/event"),
            Figure("single_event_us", single, "µs"),
            Figure(f"scale_ratio_{large // 1000}k_10k", ratio, "x"),
            Figure("memory_gb", memory, "GB"),
        ],
        title=f"Features with {customers:,} known customers",
    )


if __name__ == "__main__":
    main()
