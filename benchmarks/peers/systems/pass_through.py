"""The limit: what kafka-python delivers to a program that does nothing with it.

For throughput it consumes and commits. For latency (`produce`) it also sends every record on before it commits, in the
delivery mode that it is told.
"""

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata

from benchmarks.peers.job import Job


def main(job: Job) -> None:
    """Runs until it is stopped."""
    consumer = KafkaConsumer(
        job.source,
        bootstrap_servers=job.bootstrap_servers,
        group_id=job.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
    )
    if not job.produce:
        while True:
            if consumer.poll(timeout_ms=100, max_records=job.batch_records):
                consumer.commit()
    exactly_once = job.delivery == "exactly_once"
    producer = KafkaProducer(
        bootstrap_servers=job.bootstrap_servers,
        transactional_id=job.group if exactly_once else None,
        acks="all",
        batch_size=1 << 20,
        retry_backoff_ms=5,
    )
    if exactly_once:
        producer.init_transactions()
    while True:
        polled = consumer.poll(timeout_ms=100, max_records=job.batch_records)
        if polled:
            _send_on(job, consumer, producer, polled)


def _send_on(job: Job, consumer: KafkaConsumer, producer: KafkaProducer, polled: dict[object, list[object]]) -> None:
    transactional = job.delivery == "exactly_once"
    if transactional:
        producer.begin_transaction()
    futures = [
        producer.send(job.sink, key=record.key, value=record.value, partition=0)  # type: ignore[attr-defined] # untyped
        for records in polled.values()
        for record in records
    ]
    producer.flush()
    for future in futures:
        future.get(0)
    if transactional:
        ends = {
            partition: OffsetAndMetadata(records[-1].offset + 1, "", -1)  # type: ignore[attr-defined] # untyped
            for partition, records in polled.items()
        }
        producer.send_offsets_to_transaction(ends, consumer.group_metadata())
        producer.commit_transaction()
    else:
        consumer.commit()


if __name__ == "__main__":
    main(Job.from_argument())
