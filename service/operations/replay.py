"""Models side by side: the service's own pipeline over past events, and what each would have flagged."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import Batch
from fraud.history.history import History
from fraud.models.bundle import InvalidBundle
from fraud.models.serving import version_path
from fraud.money import MICRO
from runtime.errors import Misconfigured
from runtime.kafka.client import Cluster
from service.adapters.kafka.group import Reader
from service.adapters.model_directory import load
from service.batch import PartitionBatch
from service.bootstrap import build_pipeline, domain, expected
from service.operations.event_files import jsonl_records, parquet_records
from service.partition import Partition
from service.ports import Models, Records
from service.scored_batch import ScoredBatch
from service.scoring import choose_actions, score
from service.settings import Settings

FILES: Final = {".jsonl", ".json", ".parquet"}
SHARE: Final = 5_000
"""Records scored together; features do not depend on it."""


@dataclass
class Tally:
    """One model's account of the replayed transactions.

    Attributes:
        version: of the model.
        transactions: scored.
        actions: how many of each action.
        flagged_amount: money in flagged transactions, base currency units.
        amount: money in all of them.
        only_here: flagged by this model and not by the first one.
        missed: flagged by the first one and not by this.
    """

    version: int
    transactions: int = 0
    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    flagged_amount: float = 0.0
    amount: float = 0.0
    only_here: int = 0
    missed: int = 0

    def add(self, part: PartitionBatch, scored: ScoredBatch, first: ScoredBatch) -> None:
        """Takes in a share."""
        flagged, reference = scored.action != 0, first.action != 0
        amounts = part.batch.amount / MICRO
        self.transactions += len(flagged)
        for number, name in enumerate(ACTIONS):
            self.actions[name] += int(np.count_nonzero(scored.action == number))
        self.amount += float(amounts.sum())
        self.flagged_amount += float(amounts[flagged].sum())
        self.only_here += int(np.count_nonzero(flagged & ~reference))
        self.missed += int(np.count_nonzero(reference & ~flagged))


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome: one tally a model, records read and refused, and how fast."""

    tallies: Sequence[Tally]
    records: int
    dead_letters: int
    seconds: float


def replay(settings: Settings, source: str, versions: Sequence[int]) -> Replay:
    """Runs the source's records through the pipeline, all models on the same features.

    Args:
        settings: of the service.
        source: a `.jsonl` or `.parquet` file, or a topic.
        versions: in the model directory, blessed or not; the first is what the others are compared to.

    Raises:
        Misconfigured: a model or the source cannot be used.
    """
    code = domain(settings)
    quiet = settings.model_copy(update={"decisions": "off", "explore_share": 0.0})
    pipeline = build_pipeline(quiet, code, time.monotonic)
    models = [versions_model(settings, version) for version in versions]
    is_file = Path(source).suffix in FILES
    for partition in range(1 if is_file else settings.platform.partitions):
        pipeline.adopt(partition, History(code.config), None)
    paces = [{p: Partition(state.encoder, None) for p, state in pipeline.partitions.items()} for _ in models]
    tallies = [Tally(version) for version in versions]
    began, records, dead = time.monotonic(), 0, 0
    for share in past_records(settings, source):
        result = pipeline.process([share], models[0], 0)
        records += len(share)
        for part, first in zip(result.parts, result.scored, strict=True):
            dead += len(part.dead)
            for tally, loaded, pace in zip(tallies, models, paces, strict=True):
                scored = first
                if loaded is not models[0]:
                    scores = score(loaded, code.spec, part.features, Batch.concatenate([part.batch]))
                    scored = choose_actions(loaded, scores, part, pace[share.partition])
                tally.add(part, scored, first)
    return Replay(tallies, records, dead, time.monotonic() - began)


def to_json(found: Replay) -> bytes:
    """The outcome as one JSON object."""
    return msgspec.json.encode(found)


def versions_model(settings: Settings, version: int) -> Models:
    """A version of the model directory as the champion, blessed or not; Misconfigured where it cannot be used."""
    path = version_path(settings.models_dir, version, blessed=False)
    try:
        return Models(load(path, expected(settings, domain(settings)), batch_records=SHARE, shadow=True))
    except InvalidBundle as error:
        raise Misconfigured(str(error)) from None


def past_records(settings: Settings, source: str) -> Iterator[Records]:
    """The records of a file or a topic, partition by partition, in log order.

    Raises:
        Misconfigured: the source cannot be used.
    """
    path = Path(source)
    if path.suffix == ".parquet":
        yield from parquet_records(path, SHARE)
    elif path.suffix in {".jsonl", ".json"}:
        yield from jsonl_records(path, SHARE)
    else:
        reader = Reader(Cluster.of(settings), source)
        try:
            partitions = reader.partitions()
            if len(partitions) != settings.platform.partitions:
                declared = settings.platform.partitions
                raise Misconfigured(f"topic {source} has {len(partitions)} partitions, the platform has {declared}")
            for partition in partitions:
                yield from reader.replay(partition, *reader.bounds(partition))
        finally:
            reader.close()
