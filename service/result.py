"""What a batch is on its way through the pipeline, and what comes of it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fraud.batch import Batch
from fraud.decode import Decoded, Reject
from fraud.features import Encoded
from fraud.wire import TransactionEvent
from service.ports import Float32s, Output, Records
from service.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class Part:
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
class Result:
    """What came of a batch.

    Attributes:
        outputs: one a partition, to be committed together.
        parts: where they came from, for metrics and the cap.
        verdicts: what was said of the scored events of each part.
        laps: seconds spent by stage.
    """

    outputs: Sequence[Output]
    parts: Sequence[Part]
    verdicts: Sequence[Verdicts]
    laps: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(part.records) for part in self.parts)

    def only(self, partitions: Container[int]) -> "Result":
        """What came of the records of these partitions."""
        rows = [row for row, part in enumerate(self.parts) if part.records.partition in partitions]
        if len(rows) == len(self.parts):
            return self
        return Result(
            [self.outputs[row] for row in rows],
            [self.parts[row] for row in rows],
            [self.verdicts[row] for row in rows],
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
