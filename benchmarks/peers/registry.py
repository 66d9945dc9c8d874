"""The systems that are compared, and how each is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks.peers.job import Job
from local.service_process import ServiceProcess


@dataclass(frozen=True, slots=True)
class System:
    """One program to measure.

    Attributes:
        name: in figures.
        module: of `benchmarks.peers.systems`; empty for the service.
        title: for readers.
        libraries: whose versions belong beside its figures.
        settings: what its `Job` has changed.
        environment: further settings of the service.
    """

    name: str
    module: str
    title: str
    libraries: tuple[str, ...]
    settings: Mapping[str, object]
    environment: Mapping[str, str]

    def versions(self) -> str:
        """Names and versions of its libraries."""
        return ", ".join(f"{library} {version(library)}" for library in self.libraries)

    def topics(self, job: Job) -> list[str]:
        """The topics that it writes to, which must exist."""
        return [job.sink] if self.module else [job.sink, f"{job.sink}.alerts", f"{job.sink}.dlq"]

    def single_topics(self, job: Job) -> list[str]:
        """The topics that it needs with one partition, however many its source has."""
        return [] if self.module else [_controls_topic(job)]

    def programs(self, job: Job, *, processes: int = 1) -> list[ServiceProcess]:
        """Its processes, not started yet."""
        job = msgspec.structs.replace(job, **self.settings)
        logs = [job.scratch / f"{self.name}-{number}.log" for number in range(processes)]
        if self.module:
            program = (f"benchmarks.peers.systems.{self.module}", job.to_argument())
            return [ServiceProcess({}, log=log, program=program) for log in logs]
        return [
            ServiceProcess({**service_environment(job, number), **self.environment}, log=log)
            for number, log in enumerate(logs)
        ]


def service_environment(job: Job, number: int = 0) -> dict[str, str]:
    """The service's settings for a job."""
    return {
        "FRAUD_KAFKA_BOOTSTRAP_SERVERS": job.bootstrap_servers,
        "FRAUD_TRANSACTIONS_TOPIC": job.source,
        "FRAUD_DECISIONS_TOPIC": job.sink,
        "FRAUD_ALERTS_TOPIC": f"{job.sink}.alerts",
        "FRAUD_DLQ_TOPIC": f"{job.sink}.dlq",
        "FRAUD_CONTROLS_TOPIC": _controls_topic(job),
        "FRAUD_PLATFORM_FILE": str(_platform_file(job)),
        "FRAUD_GROUP_ID": job.group,
        "FRAUD_INSTANCE_ID": f"{job.group}-{number}",
        "FRAUD_MODELS_DIR": str(job.models_dir),
        "FRAUD_SNAPSHOTS_DIR": str(job.scratch / "snapshots"),
        "FRAUD_DELIVERY": job.delivery,
        "FRAUD_BATCH_RECORDS": str(job.batch_records),
        "FRAUD_LOG_LEVEL": "INFO",
    }


def _controls_topic(job: Job) -> str:
    return f"{job.sink}.controls"


def _platform_file(job: Job) -> Path:
    """The standard platform with the job's number of partitions."""
    job.scratch.mkdir(parents=True, exist_ok=True)
    path = job.scratch / "platform.toml"
    path.write_text(f"partitions = {job.partitions}\n")
    return path


OURS = ("kafka-python", "tensorflow-cpu", "numpy", "msgspec")
AT_LEAST_ONCE = {"delivery": "at_least_once"}
EXACTLY_ONCE = {"delivery": "exactly_once"}

PASS_THROUGH = System("pass_through", "pass_through", "kafka-python, no work", ("kafka-python", "crc32c"), {}, {})
SERVICE = System("service", "", "fraudstream, at least once", OURS, AT_LEAST_ONCE, {})
SERVICE_EXACTLY_ONCE = System("service_exactly_once", "", "fraudstream, exactly once", OURS, EXACTLY_ONCE, {})
SERVICE_QUIET = System(
    "service_alerts_only",
    "",
    "fraudstream, at least once, alerts only",
    OURS,
    AT_LEAST_ONCE,
    {"FRAUD_DECISIONS": "off"},
)
CONFLUENT = System("confluent", "confluent", "confluent-kafka, no work", ("confluent-kafka",), {}, {})
TUTORIAL = System(
    "tutorial", "tutorial", "loop with model.predict per message", ("kafka-python", "keras", "tensorflow-cpu"), {}, {}
)
PER_MESSAGE = System(
    "saved_model_loop",
    "per_message",
    "loop with the SavedModel per message",
    ("kafka-python", "tensorflow-cpu"),
    {},
    {},
)
QUIX = System("quixstreams", "quix_streams", "Quix Streams", ("quixstreams", "confluent-kafka"), {}, {})
ARROYO = System("arroyo", "sentry_arroyo", "Arroyo", ("sentry-arroyo", "confluent-kafka"), {}, {})
FASTSTREAM = System("faststream", "fast_stream", "FastStream", ("faststream", "aiokafka"), {}, {})

SYSTEMS: Sequence[System] = (
    PASS_THROUGH, SERVICE, SERVICE_EXACTLY_ONCE, SERVICE_QUIET, CONFLUENT,
    TUTORIAL, PER_MESSAGE, QUIX, ARROYO, FASTSTREAM,
)  # fmt: skip
"""Limits and the service first, so that the runs whose ratio matters are neighbours in time."""
