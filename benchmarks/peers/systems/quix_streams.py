"""Quix Streams as its documentation writes machine learning: a function applied to every message of a data frame.

It has no micro-batches: windows are per message key, and batching sinks are for external stores.
"""

from quixstreams import Application

from benchmarks.peers.job import Job
from benchmarks.peers.scoring import Scorer, saved_model


def main(job: Job) -> None:
    """Runs until it is stopped."""
    score = Scorer(saved_model(job.models_dir))
    app = Application(
        broker_address=job.bootstrap_servers,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        commit_interval=1.0,
        auto_create_topics=False,
        state_dir=job.scratch / "state",
    )
    source = app.topic(job.source, value_deserializer="bytes", key_deserializer="bytes")
    sink = app.topic(job.sink, value_serializer="bytes", key_serializer="bytes")
    frame = app.dataframe(source)
    frame = frame.apply(
        lambda value, _key, timestamp, _headers: score([value], [timestamp]), expand=True, metadata=True
    )
    frame.to_topic(sink)
    app.run()


if __name__ == "__main__":
    main(Job.from_argument())
