"""The loop of most tutorials: kafka-python, one message at a time, `model.predict`, one `send`."""

from kafka import KafkaConsumer, KafkaProducer

from benchmarks.peers.job import Job
from benchmarks.peers.scoring import Scorer, keras_predict


def main(job: Job) -> None:
    """Runs until it is stopped."""
    score = Scorer(keras_predict(job.models_dir))
    producer = KafkaProducer(bootstrap_servers=job.bootstrap_servers)
    consumer = KafkaConsumer(
        job.source,
        bootstrap_servers=job.bootstrap_servers,
        group_id=job.group,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=500,
        max_poll_records=10,  # so that the automatic commit, made between polls, shows progress in time
    )
    for message in consumer:
        for decision in score([message.value], [message.timestamp]):
            producer.send(job.sink, key=message.key, value=decision)


if __name__ == "__main__":
    main(Job.from_argument())
