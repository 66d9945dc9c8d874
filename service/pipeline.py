"""Records in, outputs out: decode, features and history, scores, policy, messages. No I/O.

The histories of the partitions are the only state, and each is a pure function of its partition's records.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, cast

import numpy as np

from fraud.batch import Batch
from fraud.decode import Decoded, Decoder, Reject
from fraud.events import Reason
from fraud.exploration import Exploration
from fraud.features import Encoder, FeatureSpec, Status
from fraud.history import History
from fraud.wire import TransactionEvent
from service.deadletters import DeadLetters
from service.partition import Partition
from service.ports import Messages, Models, Output, Records
from service.result import Part, Result
from service.scoring import judge, score
from service.verdicts import Verdicts
from service.writing import Writer

_CONFLICT: Final = "transaction_id was seen within 24 h with other content"


class Pipeline:
    """The service's middle; `partitions` holds its state."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        spec: FeatureSpec,
        dead_letters: DeadLetters,
        writer: Writer,
        exploration: Exploration | None,
        monotonic: Callable[[], float],
    ) -> None:
        self.partitions: dict[int, Partition] = {}
        self._decoder = decoder
        self._spec = spec
        self._dead_letters = dead_letters
        self._writer = writer
        self._exploration = exploration
        self._monotonic = monotonic

    def adopt(self, partition: int, history: History, position: int | None, history_from: int | None = None) -> None:
        """Takes a partition over with the history that stands at `position`."""
        self.partitions[partition] = Partition(Encoder(self._spec, history), position, history_from)

    def learn(self, records: Records) -> None:
        """Takes records into their partition's history, without any output: they were scored before."""
        partition = self.partitions[records.partition]
        decoded = self._decoder.decode(records.values, records.timestamps_us)
        partition.encoder.encode(decoded.batch)
        partition.position = records.end

    def process(self, polled: Sequence[Records], models: Models, now_us: int) -> Result:
        """Scores the next records of some partitions; their histories and positions move on.

        Args:
            polled: at most one item a partition, each right after that partition's position.
            models: who scores.
            now_us: wall time, for what people read.
        """
        laps = _Laps(self._monotonic)
        decoded = [self._decoder.decode(records.values, records.timestamps_us) for records in polled]
        laps.end("decode")
        parts = [self._encode(*pair, models) for pair in zip(polled, decoded, strict=True)]
        laps.end("features")
        verdicts = self._judge(parts, models, laps)
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        outputs = [self._output(*pair, now) for pair in zip(parts, verdicts, strict=True)]
        laps.end("policy")
        return Result(outputs, parts, verdicts, laps.seconds)

    def _encode(self, records: Records, decoded: Decoded, models: Models) -> Part:
        partition = self.partitions[records.partition]
        start, partition.position = partition.position, records.end
        partition.encoder.risk = models.champion.risk
        encoded = partition.encoder.encode(decoded.batch)
        partition.mature()
        rows = np.flatnonzero(encoded.status == Status.SCORE)
        conflicts = np.flatnonzero(encoded.status == Status.CONFLICT)
        dead = [*decoded.rejects, *(Reject(int(decoded.rows[i]), Reason.CONFLICT, _CONFLICT) for i in conflicts)]
        dead.sort(key=lambda reject: reject.row)
        return Part(
            records=records,
            start=start,
            decoded=decoded,
            encoded=encoded,
            rows=rows,
            events=cast("list[TransactionEvent]", [decoded.events[row] for row in rows.tolist()]),
            features=encoded.features[rows],
            batch=decoded.batch.take(rows),
            dead=dead,
        )

    def _judge(self, parts: Sequence[Part], models: Models, laps: "_Laps") -> list[Verdicts]:
        """Scores all partitions together, since a matrix product costs little more for many rows than for few."""
        features = np.concatenate([part.features for part in parts])
        scores = score(models, self._spec, features, Batch.concatenate(part.batch for part in parts))
        laps.end("score")
        verdicts, first = [], 0
        for part in parts:
            rows = slice(first, first + len(part.features))
            partition = self.partitions[part.records.partition]
            verdicts.append(judge(models, scores.take(rows), part, partition, self._exploration))
            first = rows.stop
        return verdicts

    def _output(self, part: Part, verdicts: Verdicts, now: datetime) -> Output:
        partition = self.partitions[part.records.partition]
        messages: list[Messages] = self._writer.write(part, verdicts, history_from=partition.history_from, now=now)
        if part.dead:
            messages.append(self._dead_letters.messages(part.records, part.dead, now))
        return Output(part.records.partition, part.start, part.records.end, tuple(m for m in messages if len(m)))


class _Laps:
    """Splits a batch's time by stage."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last = monotonic()
        self.seconds: dict[str, float] = {}

    def end(self, stage: str) -> None:
        now = self._monotonic()
        self.seconds[stage] = now - self._last
        self._last = now
