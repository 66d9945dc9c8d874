"""Histories of a given size."""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.history.payments import busy, payments
from fraud.decoding.batch import Batch
from fraud.features.encoder import SPEC, Encoder
from fraud.history.history import History, HistoryConfig

STEP = 500_000
"""µs between two payments: 2 a second."""

CHUNK = 10_000
BATCH = 1_000
KINDS = 13
"""Entities and pairs of a complete event."""


def encoder(customers: int) -> Encoder:
    """An empty history with room for so many customers."""
    return Encoder(SPEC, History(HistoryConfig(max_entities=max(1 << 20, (KINDS + 2) * customers))))


def meet(code: Encoder, customers: int, *, start: int, complete: bool) -> int:
    """Takes one payment of each customer; the event time after the last."""
    for first in range(0, customers, CHUNK):
        numbers = np.arange(first + 1, min(first + CHUNK, customers) + 1, dtype=np.uint64)
        now = start + first * STEP
        code.encode(payments(numbers, start=now, step=STEP, seed=now // STEP, complete=complete))
    return start + customers * STEP


def trade(code: Encoder, customers: int, *, start: int, events: int, complete: bool, say: Callable[[str], None]) -> int:
    """Takes `events` more payments, of customers as busy as they are; the event time after the last."""
    for first in range(0, events, CHUNK):
        numbers = busy(customers, CHUNK, seed=first)
        now = start + first * STEP
        code.encode(payments(numbers, start=now, step=STEP, seed=now // STEP, complete=complete))
        if first % 500_000 == 0:
            say(f"{first:,} of {events:,} payments")
    return start + events * STEP


def batches(customers: int, count: int, *, start: int, size: int, even: bool, seed: int) -> Iterator[Batch]:
    """`count` complete batches of known customers, drawn evenly or as busy as they are."""
    events = count * size
    drawn = np.random.default_rng(seed).integers(1, customers + 1, events).astype(np.uint64)
    log = payments(drawn if even else busy(customers, events, seed=seed), start=start, step=STEP, seed=seed)
    for row in range(0, events, size):
        yield log.take(slice(row, row + size))


def partial_batches(customers: int, count: int, *, start: int, seed: int) -> Iterator[Batch]:
    """`count` batches of 1,000 payments without the rarer ids."""
    for first in range(0, count * BATCH, CHUNK):
        numbers = busy(customers, CHUNK, seed=seed + first)
        log = payments(numbers, start=start + first * STEP, step=STEP, seed=seed + first, complete=False)
        for row in range(0, CHUNK, BATCH):
            yield log.take(slice(row, row + BATCH))
