"""The second limit: consume and commit with confluent-kafka, whose work is done by librdkafka in C."""

from confluent_kafka import Consumer

from benchmarks.peers.job import Job


def main(job: Job) -> None:
    """Runs until it is stopped."""
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap_servers,
            "group.id": job.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([job.source])
    while True:
        messages = consumer.consume(num_messages=job.batch_records, timeout=0.1)
        for message in messages:
            message.value()
        if messages:
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main(Job.from_argument())
