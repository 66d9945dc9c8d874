"""The tutorial's loop with its worst habit mended: the loaded SavedModel is called instead of `model.predict`."""

from kafka import KafkaConsumer, KafkaProducer

from benchmarks.peers.job import Job
from benchmarks.peers.scoring import Scorer, saved_model


def main(job: Job) -> None:
    """Runs until it is stopped."""
    score = Scorer(saved_model(job.models_dir))
    producer = KafkaProducer(bootstrap_servers=job.bootstrap_servers)
    consumer = KafkaConsumer(
        job.source,
        bootstrap_servers=job.bootstrap_servers,
        group_id=job.group,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=500,
    )
    for message in consumer:
        for decision in score([message.value], [message.timestamp]):
            producer.send(job.sink, key=message.key, value=decision)


if __name__ == "__main__":
    main(Job.from_argument())
