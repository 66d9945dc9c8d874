"""What a batch is on its way through the pipeline, and what comes of it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import Batch
from fraud.decoding.decoder import Decoded, Reject
from fraud.decoding.structs import TransactionEvent
from fraud.features.encoder import Encoded
from service.ports import Float32s, Output, Records
from service.scored_batch import ScoredBatch


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """One partition's share of a batch, on its way through.

    Attributes:
        records: as polled.
        start: position before them.
        decoded: the events among them.
        encoded: their features and status.
        rows: intp [m], which events are scored.
        events: the m scored events.
        features: theirs, float32 [m, d].
        batch: the same as columns.
        dead: the records that cannot be scored.
    """

    records: Records
    start: int | None
    decoded: Decoded
    encoded: Encoded
    rows: npt.NDArray[np.intp]
    events: Sequence[TransactionEvent]
    features: Float32s
    batch: Batch
    dead: Sequence[Reject]


@dataclass(frozen=True, slots=True)
class ProcessedBatch:
    """What came of a batch.

    Attributes:
        outputs: one a partition, to be committed together.
        parts: where they came from, for metrics and the cap.
        scored: what was said of the scored events of each part.
        laps: seconds spent by stage.
    """

    outputs: Sequence[Output]
    parts: Sequence[PartitionBatch]
    scored: Sequence[ScoredBatch]
    laps: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(part.records) for part in self.parts)

    def only(self, partitions: Container[int]) -> "ProcessedBatch":
        """What came of the records of these partitions."""
        rows = [row for row, part in enumerate(self.parts) if part.records.partition in partitions]
        if len(rows) == len(self.parts):
            return self
        return ProcessedBatch(
            [self.outputs[row] for row in rows],
            [self.parts[row] for row in rows],
            [self.scored[row] for row in rows],
            self.laps,
        )

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """Which of the n records are dead letters, bool [n], partition by partition."""
        masks = []
        for part in self.parts:
            mask = np.zeros(len(part.records), np.bool_)
            mask[[reject.row for reject in part.dead]] = True
            masks.append(mask)
        return np.concatenate(masks) if masks else np.zeros(0, np.bool_)
