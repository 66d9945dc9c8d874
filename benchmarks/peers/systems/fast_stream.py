"""FastStream on aiokafka, with its batch subscriber and `publish_batch`."""

import asyncio

from aiokafka import ConsumerRecord
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from benchmarks.peers.job import Job
from benchmarks.peers.scoring import Scorer, saved_model


async def as_it_came(message: KafkaMessage) -> object:
    """The body undecoded: this project's decoder reads it."""
    return message.body


def main(job: Job) -> None:
    """Runs until it is stopped."""
    score = Scorer(saved_model(job.models_dir))
    broker = KafkaBroker(job.bootstrap_servers)

    @broker.subscriber(  # type: ignore[untyped-decorator] # FastStream's types are not followed
        job.source,
        group_id=job.group,
        auto_offset_reset="earliest",
        batch=True,
        max_records=job.batch_records,
        batch_timeout_ms=100,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        decoder=as_it_came,
        no_reply=True,
    )
    async def on_batch(message: KafkaMessage) -> None:
        records: tuple[ConsumerRecord, ...] = message.raw_message
        decisions = score([record.value for record in records], [record.timestamp for record in records])
        if decisions:
            await broker.publish_batch(*decisions, topic=job.sink)

    asyncio.run(FastStream(broker).run())


if __name__ == "__main__":
    main(Job.from_argument())
