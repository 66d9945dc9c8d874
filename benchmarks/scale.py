"""The cost of a history of millions: the service's pipeline with 10 thousand and with 10 million known customers.

Every customer is known with a card and a device, and the stream touches them evenly, the worst case for caches. Counted
are decoding, features and scores with the real model. Kafka's share is left out, which would bring the ratio nearer to
1, and so is writing: busier customers are flagged more often, and alerts cost more than decisions.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.peers.payments import FIRST_MS, Message, uniform
from benchmarks.peers.scoring import champion
from benchmarks.report import Figure
from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS, MISSING, Batch, hash_ids
from fraud.features.encoder import SPEC, Encoder
from fraud.history.history import History, HistoryConfig
from service.adapters.model_directory import load
from service.bootstrap import build_pipeline, domain, expected
from service.pipeline import Pipeline
from service.ports import Models, Records
from service.settings import Settings

SMALL, LARGE = 10_000, 10_000_000
KNOWN = {"customer": "c", "card": "k", "device": "d"}
"""Entities that every customer has, and the first letter of their ids in `uniform`."""

STEP_MS = 8_640
"""Between two events: each of 10,000 customers buys about once a day."""

CHUNK = 50_000
BATCH = 2_000
WARM_UP = 5
ROUNDS = 25


def measure(models_dir: Path, *, repeats: int, say: Callable[[str], None], large: int = LARGE) -> list[Figure]:
    """Events a second with few and with many known customers, in alternating batches of one process."""
    settings = Settings(models_dir=models_dir, snapshots_dir=models_dir)
    code = domain(settings)
    models = Models(load(champion(models_dir), expected(settings, code), batch_records=BATCH))
    lanes = {}
    for customers in (SMALL, large):
        pipeline = build_pipeline(settings, code, time.monotonic)
        pipeline.adopt(0, known(customers, config=HistoryConfig(max_entities=1 << 27, max_entries=1 << 26)), 0)
        lanes[customers] = pipeline, _batches(uniform(10_000_000, customers=customers, seed=3, step_ms=STEP_MS))
        say(f"{customers:,} customers are known")
    spent: dict[int, list[float]] = {customers: [] for customers in lanes}
    for _ in range(WARM_UP + repeats * ROUNDS):
        for customers, (pipeline, batches) in lanes.items():
            spent[customers].append(_seconds(pipeline, next(batches), models))
    rates = {customers: [BATCH / s for s in seconds[WARM_UP:]] for customers, seconds in spent.items()}
    ratios = [many / few for few, many in zip(rates[SMALL], rates[large], strict=True)]
    return [
        Figure.of("scale_ratio_10m_10k", ratios, "x"),
        *(Figure.of(f"pipeline.known_{customers}.rate", found, "events/s") for customers, found in rates.items()),
    ]


def known(customers: int, *, config: HistoryConfig) -> History:
    """A history that has seen one payment of every customer, with card and device."""
    history = History(config)
    encoder = Encoder(SPEC, history)
    for first in range(0, customers, CHUNK):
        encoder.encode(_payments(first, min(first + CHUNK, customers)))
    return history


def _payments(first: int, last: int) -> Batch:
    """One payment of each customer from `first` to before `last`, a day before the stream."""
    count = last - first
    ids = np.zeros((count, len(ENTITIES)), np.uint64)
    for entity, letter in KNOWN.items():
        ids[:, ENTITIES.index(entity)] = hash_ids((f"{letter}{number}" for number in range(first, last)), count)
    return Batch(
        kind=np.zeros(count, np.uint8),
        time=np.full(count, FIRST_MS * 1000 - 86_400_000_000) + np.arange(first, last) // 1_000,
        amount=np.full(count, 20_000_000, np.int64),
        ids=ids,
        transaction=np.arange(first + 1, last + 1, dtype=np.uint64),
        order=np.zeros(count, np.uint64),
        billing_address=np.zeros(count, np.uint64),
        categories=np.zeros((count, len(CATEGORIES)), np.uint32),
        integers=np.full((count, len(INTEGERS)), MISSING, np.int64),
        malformed=np.zeros(count, np.uint8),
        attributes=np.zeros((count, 0), np.float32),
        own_ids=np.zeros((count, 0), np.uint64),
    )


def _batches(messages: Iterator[Message]) -> Iterator[Records]:
    offset = 0
    while batch := list(islice(messages, BATCH)):
        yield Records(
            partition=0,
            offsets=range(offset, offset + len(batch)),
            timestamps_us=[message.timestamp_ms * 1000 for message in batch],
            keys=[message.key for message in batch],
            values=[message.value for message in batch],
            headers=[()] * len(batch),
        )
        offset += len(batch)


def _seconds(pipeline: Pipeline, records: Records, models: Models) -> float:
    laps = pipeline.process([records], models, 0).laps
    return sum(seconds for stage, seconds in laps.items() if stage != "policy")
