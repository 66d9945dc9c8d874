"""Time per event: in batches beside a consumer, alone, and by the number of known entities."""

import time
from collections.abc import Callable
from statistics import median

from benchmarks.history.consuming import consume, consumer
from benchmarks.history.filling import BATCH, batches, encoder, meet, trade
from benchmarks.history.payments import START
from benchmarks.report import Figure
from fraud.features.encoder import Encoder

Say = Callable[[str], None]
CONSUMED = 20_000
TRADED = 500_000
SINGLE = 1_000
FEW, MANY = 10_000, 10_000_000
PER_CUSTOMER = 11.0
"""Entities and pairs of a customer in `at_scale`, counted."""


def beside_a_consumer(customers: int, repeats: int, say: Say) -> list[Figure]:
    """Features of events with every id, and consuming as many events with kafka-python, in turns."""
    code = encoder(customers)
    now = meet(code, customers, start=START, complete=True)
    now = trade(code, customers, start=now, events=TRADED, complete=True, say=say)
    rounds = CONSUMED // BATCH
    features, consumed = [], []
    with consumer(CONSUMED) as client:
        consume(client, CONSUMED)
        for repeat in range(repeats):
            say(f"repeat {repeat + 1} of {repeats}")
            consumed.append(consume(client, CONSUMED))
            features.append(_cost(code, customers, start=now, count=rounds, size=BATCH, even=False, seed=repeat))
            now += CONSUMED * 1_000_000
    ratios = [own / theirs for own, theirs in zip(features, consumed, strict=True)]
    alone = [
        _cost(code, customers, start=now + i * SINGLE * 1_000_000, count=SINGLE, size=1, even=False, seed=90 + i)
        for i in range(repeats)
    ]
    return [
        Figure.of("feature_cost_ratio", ratios, "x"),
        Figure.of("feature_us", features, "µs/event"),
        Figure.of("consume_us", consumed, "µs/event"),
        Figure.of("single_event_us", alone, "µs"),
        Figure("known_entities.million_customers", sum(code.history.entities.values()), "entities"),
    ]


def at_scale(_: int, repeats: int, say: Say) -> list[Figure]:
    """A batch of customers who each paid twice before, among 10 million known entities and among 10 thousand.

    The few are met anew for every batch: known ones have longer rings after it.
    """
    customers = round(MANY / PER_CUSTOMER)
    many = encoder(customers)
    now = _twice(many, customers)
    known = sum(many.history.entities.values())
    say(f"{known:,} entities are known")
    few, ratios, slow, fast = round(FEW / PER_CUSTOMER), [], [], []
    for repeat in range(repeats):
        small = [_few(few, seed) for seed in range(repeat * 10, repeat * 10 + 10)]
        large = _cost(many, customers, start=now, count=10, size=BATCH, even=True, seed=repeat)
        now += 10 * BATCH * 1_000_000
        fast.append(median(small))
        slow.append(large)
        ratios.append(slow[-1] / fast[-1])
    return [
        Figure.of("scale_ratio_10m_10k", ratios, "x"),
        Figure.of("feature_us.known_10m", slow, "µs/event"),
        Figure.of("feature_us.known_10k", fast, "µs/event"),
        Figure("known_entities.many", known, "entities"),
    ]


def _few(customers: int, seed: int) -> float:
    code = encoder(customers)
    now = _twice(code, customers)
    return _cost(code, customers, start=now, count=1, size=BATCH, even=True, seed=seed)


def _twice(code: Encoder, customers: int) -> int:
    """Two payments of each customer; the event time after them."""
    return meet(code, customers, start=meet(code, customers, start=START, complete=True), complete=True)


def _cost(code: Encoder, customers: int, *, start: int, count: int, size: int, even: bool, seed: int) -> float:
    """Processor µs per event: the median over batches."""
    spent = []
    for batch in batches(customers, count, start=start, size=size, even=even, seed=seed):
        began = time.process_time_ns()
        code.encode(batch)
        spent.append((time.process_time_ns() - began) / 1e3 / size)
    return median(spent)
