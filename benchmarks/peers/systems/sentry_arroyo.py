"""Arroyo, with its batching: BatchStep → RunTask → UnbatchStep → Produce → CommitOffsets."""

from collections.abc import Mapping

from arroyo import Message, Partition, Topic
from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import build_kafka_configuration, build_kafka_consumer_configuration
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import (
    CommitOffsets,
    ProcessingStrategy,
    ProcessingStrategyFactory,
    Produce,
    RunTask,
)
from arroyo.processing.strategies.batching import BatchStep, UnbatchStep, ValuesBatch
from arroyo.types import BaseValue, Commit, Value

from benchmarks.peers.job import Job
from benchmarks.peers.scoring import Scorer, saved_model


class Score:
    """Scores one batch; its decisions carry the batch's offsets once, on the last of them."""

    def __init__(self, score: Scorer) -> None:
        self._score = score

    def __call__(self, message: Message[ValuesBatch[KafkaPayload]]) -> list[BaseValue[KafkaPayload]]:
        """Decisions of a batch as payloads to produce."""
        values = message.payload
        decisions = self._score(
            [value.payload.value for value in values],
            [int(value.timestamp.timestamp() * 1000) if value.timestamp else 0 for value in values],
        )
        out: list[BaseValue[KafkaPayload]] = [Value(KafkaPayload(None, decision, []), {}) for decision in decisions]
        if out:
            out[-1] = Value(out[-1].payload, message.committable)
        return out


class Strategies(ProcessingStrategyFactory[KafkaPayload]):  # type: ignore[misc] # Arroyo's types are not followed
    """Builds the chain whenever partitions are assigned."""

    def __init__(self, job: Job, score: Scorer) -> None:
        self._job = job
        self._score = Score(score)
        self._producer = KafkaProducer(
            build_kafka_configuration({}, bootstrap_servers=[job.bootstrap_servers]), use_simple_futures=True
        )

    def create_with_partitions(
        self,
        commit: Commit,
        partitions: Mapping[Partition, int],  # noqa: ARG002 - Arroyo's signature
    ) -> ProcessingStrategy[KafkaPayload]:
        """The chain, last step first."""
        produce = Produce(self._producer, Topic(self._job.sink), CommitOffsets(commit))
        score = RunTask(self._score, UnbatchStep(produce))
        return BatchStep(max_batch_size=self._job.batch_records, max_batch_time=0.1, next_step=score)


def main(job: Job) -> None:
    """Runs until it is stopped."""
    score = Scorer(saved_model(job.models_dir))
    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            {}, bootstrap_servers=[job.bootstrap_servers], group_id=job.group, auto_offset_reset="earliest"
        )
    )
    StreamProcessor(consumer, Topic(job.source), Strategies(job, score)).run()


if __name__ == "__main__":
    main(Job.from_argument())
