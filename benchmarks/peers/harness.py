"""The place where systems run: one broker, one loaded topic, one model, and fresh names for every run."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from benchmarks.peers.commits import CommitLog
from benchmarks.peers.job import Job
from benchmarks.peers.payments import Message, create, first_append_ms, load
from benchmarks.peers.registry import System
from benchmarks.peers.run import START_SECONDS, Failed, Run, committed, rate, run, running, wait
from local.broker.local_broker import LocalBroker
from local.service_process import ServiceProcess

LOADING = 0.4
"""Share of a stream that is left out because the topic is still being loaded then."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run, and how long after its start the first decision stood in its topic (s; None where it writes none)."""

    run: Run
    first_decision_s: float | None


@dataclass
class Harness:
    """A running broker with what systems share.

    Attributes:
        bootstrap_servers: the broker.
        broker_version: Kafka's.
        log: the broker's commit log.
        models_dir: model directory of the service and of the peers.
        scratch: folder for logs and state.
    """

    bootstrap_servers: str
    broker_version: str
    log: CommitLog
    models_dir: Path
    scratch: Path
    _loaded: dict[str, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def load(self, topic: str, messages: Iterable[Message], *, partitions: int = 1) -> None:
        """Creates a topic and fills it."""
        create(self.bootstrap_servers, [topic], partitions=partitions)
        self._loaded[topic] = load(self.bootstrap_servers, topic, messages, partitions=partitions)

    def job(self, system: System, topic: str, *, partitions: int = 1, settings: Mapping[str, Any] | None = None) -> Job:
        """A job with a fresh group and fresh, existing output topics."""
        name = f"{system.name}-{next(self._numbers)}"
        job = Job(
            bootstrap_servers=self.bootstrap_servers,
            source=topic,
            sink=f"{name}-decisions",
            group=name,
            models_dir=self.models_dir,
            scratch=self.scratch / name,
            partitions=partitions,
            **(settings or {}),
        )
        create(self.bootstrap_servers, system.topics(job), partitions=partitions)
        for alone in system.single_topics(job):
            create(self.bootstrap_servers, [alone])
        return job

    def run_once(
        self,
        system: System,
        topic: str,
        *,
        seconds: float,
        processes: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> Result:
        """One run over a loaded topic; with several processes, the topic has as many partitions."""
        job = self.job(system, topic, partitions=processes, settings=settings)
        programs = system.programs(job, processes=processes)
        done = run(programs, self.log, job.group, records=self._loaded[topic], seconds=seconds)
        first = first_append_ms(self.bootstrap_servers, job.sink)
        return Result(done, None if first is None else (first - done.started_ms) / 1000)

    def run_when_ready(
        self, system: System, topic: str, messages: Sequence[Message], *, processes: int, seconds: float
    ) -> float:
        """Events a second of several processes, each with a partition of its own before the topic is loaded."""
        create(self.bootstrap_servers, [topic], partitions=processes)
        job = self.job(system, topic, partitions=processes)
        with ExitStack() as stack:
            started = [stack.enter_context(running(program)) for program in system.programs(job, processes=processes)]
            self._await_members(job.group, started)
            load(self.bootstrap_servers, topic, messages, partitions=processes)
            wait(started, lambda: committed(self.log, job.group) >= len(messages), seconds=seconds)
        return rate(self.log.of(job.group), len(messages), warm=LOADING)

    def _await_members(self, group: str, started: Sequence[ServiceProcess]) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})

        def ready() -> bool:
            members = admin.describe_consumer_groups([group])[group].result(timeout=10).members
            owned = [len(member.assignment.topic_partitions) for member in members]
            return owned == [1] * len(started)

        if not wait(started, ready, seconds=START_SECONDS):
            raise Failed(f"{group}: not every process got a partition within {START_SECONDS:.0f} s")


@contextmanager
def open_harness(models_dir: Path, scratch: Path) -> Iterator[Harness]:
    """Starts a broker of its own and ends it."""
    with LocalBroker() as broker:
        _make_offsets_topic(broker.bootstrap_servers)
        with CommitLog(broker.bootstrap_servers) as log:
            yield Harness(broker.bootstrap_servers, broker.version, log, models_dir, scratch)


def _make_offsets_topic(bootstrap_servers: str) -> None:
    """The broker creates it when the first group asks for its coordinator."""
    create(bootstrap_servers, ["nothing"])
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "nobody"})
    consumer.subscribe(["nothing"])
    consumer.poll(5.0)
    consumer.close()
