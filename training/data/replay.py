"""Batches through the service's history and features, one history per partition, with progress."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from kafka.partitioner.default import murmur2
from rich.console import Console
from rich.progress import Progress

from fraud.decoding.batch import Batch
from fraud.features.encoder import Encoder, FeatureSpec, Status
from fraud.features.risk_tables import RiskTables
from fraud.history.history import History, HistoryConfig

CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """Features of the transactions of a stream.

    Attributes:
        rows: intp [m], rows of the batch that are scored: transactions, duplicates left out.
        features: float32 [m, d].
    """

    rows: npt.NDArray[np.intp]
    features: npt.NDArray[np.float32]


def partition_of(key: str, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives a key."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def replay(
    batch: Batch,
    *,
    spec: FeatureSpec,
    config: HistoryConfig,
    risk: RiskTables,
    partition: npt.NDArray[np.int64] | None = None,
    progress: bool = False,
) -> Replayed:
    """What the service computes for a stream, whole.

    Args:
        batch: every event, in log order.
        spec: the features.
        config: the history's configuration.
        risk: dated tables.
        partition: int64 [n], each event's partition; None means one.
        progress: show a bar on a terminal.
    """
    every = np.arange(len(batch), dtype=np.intp)
    parts: Sequence[npt.NDArray[np.intp]]
    parts = [every] if partition is None else [np.flatnonzero(partition == p) for p in np.unique(partition)]
    features = np.empty((len(batch), spec.width), np.float32)
    scored = np.zeros(len(batch), np.bool_)
    with Progress(console=Console(stderr=True), disable=not (progress and sys.stderr.isatty())) as bar:
        task = bar.add_task("replaying events", total=len(batch))
        for rows in parts:
            encoder = Encoder(spec, History(config))
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                encoded = encoder.encode(batch.take(chunk), risk)
                features[chunk] = encoded.features
                scored[chunk] = encoded.status == Status.SCORE
                bar.advance(task, len(chunk))
    kept = np.flatnonzero(scored)
    return Replayed(kept, features[kept])
