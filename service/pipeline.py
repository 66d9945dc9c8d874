"""Records in, outputs out: decode, features and history, scores, policy, messages. No I/O.

The histories of the partitions are the only state, and each is a pure function of its partition's records.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import structlog

from fraud.contracts.inbound import Reason
from fraud.controls.rulebook import Rulebook
from fraud.decisions.exploration import Exploration
from fraud.decoding.batch import Batch
from fraud.decoding.careful_reader import Reject
from fraud.decoding.decoder import Decoded, Decoder
from fraud.features.encoder import Encoder, FeatureSpec, Status
from fraud.history.history import History
from runtime.errors import Unprocessable
from service.batch import PartitionBatch, ProcessedBatch
from service.outputs.dead_letters import DeadLetters
from service.outputs.serializer import OutputSerializer
from service.partition import Partition
from service.ports import Messages, Models, Output, Records
from service.ruling import apply_controls
from service.scored_batch import ScoredBatch
from service.scoring import choose_actions, draw_lots, score

_CONFLICT: Final = "transaction_id was seen within 24 h with other content"

_log = structlog.get_logger(__name__)


class Pipeline:
    """The service's middle; `partitions` holds its state."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        spec: FeatureSpec,
        dead_letters: DeadLetters,
        serializer: OutputSerializer,
        exploration: Exploration | None,
        lots: bytes | None,
        rulebook: Rulebook,
        monotonic: Callable[[], float],
        beat: Callable[[], None] = lambda: None,
        set_aside: bool = False,
    ) -> None:
        """Puts it together.

        Args:
            decoder: of the records.
            spec: of the features.
            dead_letters: writes those.
            serializer: of alerts and decisions.
            exploration: what is let through to learn; None for nothing.
            lots: key of the lots that controls ask for; None where there is none.
            rulebook: the controls, changed by their owner between two batches.
            monotonic: seconds that never go back.
            beat: called between the steps of a batch.
            set_aside: whether a record that the decoder fails on is a dead letter instead of an error.
        """
        self.partitions: dict[int, Partition] = {}
        self._decoder = decoder
        self._spec = spec
        self._dead_letters = dead_letters
        self._serializer = serializer
        self._exploration = exploration
        self._lots = lots
        self.rulebook = rulebook
        self._monotonic = monotonic
        self._beat = beat
        self._set_aside = set_aside

    def adopt(self, partition: int, history: History, position: int | None, history_from: int | None = None) -> None:
        """Takes a partition over with the history that stands at `position`."""
        self.partitions[partition] = Partition(Encoder(self._spec, history), position, history_from)

    def learn(self, records: Records) -> None:
        """Takes records into their partition's history, without any output: they were scored before."""
        partition = self._at(records)
        decoded = self._decode(records, set_aside=True)  # what is committed was set aside, or it would not be
        partition.encoder.encode(decoded.batch)
        partition.position = records.end

    def process(
        self, polled: Sequence[Records], models: Models, now_us: int, *, unscored: str | None = None
    ) -> ProcessedBatch:
        """Scores the next records of some partitions; their histories and positions move on.

        Args:
            polled: at most one item a partition, each right after that partition's position.
            models: who scores.
            now_us: wall time, for what people read.
            unscored: why none of them shall be scored; they become dead letters then, known to the history, as they
                will be to every history that is made from the log.

        Raises:
            Unprocessable: the decoder fails on a record, which is named; nothing has moved.
            Exception: an error of the program; the histories of `polled` are of no use any more.
        """
        laps = _Laps(self._monotonic)
        decoded = [self._decode(records, set_aside=self._set_aside) for records in polled]
        laps.end("decode")
        parts = [self._encode(*pair, models, unscored) for pair in zip(polled, decoded, strict=True)]
        laps.end("features")
        scored = self._score(parts, models, laps)
        self._beat()
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        outputs = [self._output(*pair, now) for pair in zip(parts, scored, strict=True)]
        laps.end("policy")
        return ProcessedBatch(outputs, parts, scored, laps.seconds)

    def _at(self, records: Records) -> Partition:
        """The records' partition, which must stand right before them: else some would be taken in twice."""
        partition = self.partitions[records.partition]
        if partition.position is not None and records.offsets[0] < partition.position:
            where = f"partition {records.partition} stands at {partition.position}"
            raise AssertionError(f"{where} and gets records from {records.offsets[0]} on")
        return partition

    def _decode(self, records: Records, *, set_aside: bool) -> Decoded:
        """The events of records; what the log could not hand out, or the decoder fails on, is rejected by its row."""
        self._beat()
        values, refused = records.values, {row: (Reason.TOO_LARGE, why) for row, why in records.unread.items()}
        try:
            decoded = self._decoder.decode(values, records.timestamps_us)
        except Exception as error:
            failing = self._failing(records, range(len(records)))
            if not failing:
                raise
            where = f"{self._dead_letters.topic}-{records.partition}@{records.offsets[min(failing)]}"
            _log.exception("a record cannot be decoded", record=where, set_aside=set_aside)
            if not set_aside:
                raise unprocessable(where, error) from error
            refused |= {row: (Reason.UNPROCESSABLE, why) for row, why in failing.items()}
            values = [None if row in failing else value for row, value in enumerate(values)]
            decoded = self._decoder.decode(values, records.timestamps_us)
        if not refused:
            return decoded
        rejects = [Reject(r.row, *refused[r.row]) if r.row in refused else r for r in decoded.rejects]
        return replace(decoded, rejects=rejects)

    def _failing(self, records: Records, rows: range) -> dict[int, str]:
        """The rows that the decoder fails on whatever stands beside them, with the kind of error, by bisection."""
        self._beat()
        try:
            chosen = slice(rows.start, rows.stop)
            self._decoder.decode(records.values[chosen], records.timestamps_us[chosen])
        except Exception as error:  # noqa: BLE001 - any error of the program: it is looked for, not handled
            if len(rows) == 1:
                return {rows.start: type(error).__name__}
            middle = len(rows) // 2
            return self._failing(records, rows[:middle]) | self._failing(records, rows[middle:])
        return {}

    def _encode(self, records: Records, decoded: Decoded, models: Models, unscored: str | None) -> PartitionBatch:
        self._beat()
        partition = self._at(records)
        start, partition.position = partition.position, records.end
        partition.encoder.ask(self.rulebook.measures)
        encoded = partition.encoder.encode(decoded.batch, models.champion.risk)
        partition.mature()
        scored = np.flatnonzero(encoded.status == Status.SCORE)
        conflicts = decoded.rows[encoded.status == Status.CONFLICT].tolist()
        dead = [*decoded.rejects, *(Reject(row, Reason.CONFLICT, _CONFLICT) for row in conflicts)]
        if unscored is not None:
            dead += [Reject(row, Reason.UNPROCESSABLE, unscored) for row in decoded.rows[scored].tolist()]
            scored = scored[:0]
        dead.sort(key=lambda reject: reject.row)
        transaction_ids, customer_ids, event_times = decoded.told(scored)
        return PartitionBatch(
            records=records,
            start=start,
            decoded=decoded,
            encoded=encoded,
            dead=dead,
            rows=decoded.rows[scored].tolist(),
            places=scored,
            transaction_ids=transaction_ids,
            customer_ids=customer_ids,
            event_times=event_times,
            batch=decoded.batch.take(scored),
            features=encoded.features[scored],
            late=encoded.late[scored],
        )

    def _score(self, parts: Sequence[PartitionBatch], models: Models, laps: "_Laps") -> list[ScoredBatch]:
        """Scores all partitions together, since a matrix product costs little more for many rows than for few."""
        features = np.concatenate([part.features for part in parts])
        scores = score(models, self._spec, features, Batch.concatenate(part.batch for part in parts))
        laps.end("score")
        scored, first = [], 0
        levers = self.rulebook.levers
        for part in parts:
            last = first + len(part.features)
            partition = self.partitions[part.records.partition]
            scored.append(choose_actions(models, scores[:, :, first:last], part, partition, levers))
            first = last
        scored = apply_controls(self.rulebook, parts, scored, fields=self._spec.fields, rates=self._decoder.rates)
        return [
            draw_lots(
                each, part, self.partitions[part.records.partition], exploration=self._exploration, lots=self._lots
            )
            for part, each in zip(parts, scored, strict=True)
        ]

    def _output(self, part: PartitionBatch, scored: ScoredBatch, now: datetime) -> Output:
        self._beat()
        partition = self.partitions[part.records.partition]
        messages: list[Messages] = self._serializer.write(part, scored, history_from=partition.history_from, now=now)
        if part.dead:
            messages.append(self._dead_letters.messages(part.records, part.dead, now, self._beat))
        return Output(part.records.partition, part.start, part.records.end, tuple(m for m in messages if len(m)))


def unprocessable(where: str, error: BaseException) -> Unprocessable:
    """Names the record that cannot be processed; the error's own text may hold what the record holds."""
    return Unprocessable(
        f"the record at {where} cannot be processed ({type(error).__name__}, an error of the program, shown in the "
        "log) and is uncommitted; FRAUD_SET_ASIDE=on makes it a dead letter and goes on"
    )


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
