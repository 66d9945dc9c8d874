"""One batch on its way through the pipeline, partition by partition, and its outcome.

Rows are counted in three ways, each within one partition: of its n records as polled; of the events among them
(`decoded`, `encoded`); of the m transactions that are scored. Whatever follows scoring works on the last, and
`PartitionBatch.rows` leads from there back to the records.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import Batch
from fraud.decoding.careful_reader import Reject
from fraud.decoding.decoder import Decoded
from fraud.decoding.structs import TransactionEvent
from fraud.features.encoder import Encoded
from service.ports import Float32s, Output, Records
from service.scored_batch import ScoredBatch


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """One partition's share of a batch, with features.

    Attributes:
        records: as polled.
        start: position before them.
        decoded: the events among them.
        encoded: features and status of the events.
        dead: the records that cannot be scored.
        rows: of the m scored transactions, among the records.
        places: of the same, among the events: intp [m].
        transaction_ids: theirs.
        customer_ids: theirs.
        event_times: theirs, as they were sent.
        batch: the same transactions as columns.
        features: theirs, float32 [m, d].
        late: bool [m], whether they are dated before others that came earlier.
    """

    records: Records
    start: int | None
    decoded: Decoded
    encoded: Encoded
    dead: Sequence[Reject]
    rows: Sequence[int]
    places: npt.NDArray[np.intp]
    transaction_ids: Sequence[str]
    customer_ids: Sequence[str]
    event_times: Sequence[str]
    batch: Batch
    features: Float32s
    late: npt.NDArray[np.bool_]

    def transaction(self, row: int) -> TransactionEvent:
        """The whole of a scored transaction: made now, for only what is flagged needs it."""
        return cast("TransactionEvent", self.decoded.event(int(self.places[row])))


@dataclass(frozen=True, slots=True)
class ProcessedBatch:
    """The outcome of a batch.

    Attributes:
        outputs: one a partition, to be committed together.
        parts: where they came from, for metrics and the cap.
        scored: scores and actions of each part's scored transactions.
        laps: seconds spent by stage.
    """

    outputs: Sequence[Output]
    parts: Sequence[PartitionBatch]
    scored: Sequence[ScoredBatch]
    laps: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(part.records) for part in self.parts)

    def only(self, partitions: Container[int]) -> "ProcessedBatch":
        """The outcome of these partitions' records."""
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
