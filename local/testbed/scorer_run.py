"""One run of the scorer on a shared broker: topics and folders of its own, a load, any number of instances."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.load import Load
from local.ports import free_port
from local.service_process import ServiceProcess
from runtime.errors import Unavailable
from runtime.kafka.admin import committed_positions
from runtime.kafka.client import Cluster
from runtime.kafka.topics import TopicAdmin
from service.adapters.kafka.group import Reader
from service.settings import Settings
from service.topics import wanted_topics

SECRET = "a secret of the tests"  # noqa: S105 - nothing is kept under it


@dataclass(frozen=True, slots=True)
class Names:
    """The topics and the group of one run."""

    prefix: str

    def settings(self) -> dict[str, str]:
        """As settings of the service."""
        return {
            "transactions_topic": f"{self.prefix}.in",
            "alerts_topic": f"{self.prefix}.alerts",
            "decisions_topic": f"{self.prefix}.decisions",
            "dlq_topic": f"{self.prefix}.dlq",
            "labels_topic": f"{self.prefix}.labels",
            "models_topic": f"{self.prefix}.models",
            "controls_topic": f"{self.prefix}.controls",
            "group_id": self.prefix,
        }


@dataclass
class ScorerRun:
    """A run's own topics and folders on a shared broker.

    Attributes:
        servers: of the broker.
        name: prefix of topics and group.
        folder: for logs and snapshots.
        models: the model directory.
        partitions: of the input.
        seed: of the events.
        topic_config: what the topics have beside the usual.
        fields: of the platform's own, as its declaration writes them.
    """

    servers: str
    name: str
    folder: Path
    models: Path
    partitions: int = 1
    seed: int = 0
    topic_config: Mapping[str, str] = field(default_factory=dict)
    fields: str = ""
    platform_file: Path = field(init=False)
    _instances: list[ServiceProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = Names(self.name).settings()
        self.cluster = Cluster(self.servers)
        self.platform_file = self.folder / "platform.toml"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.platform_file.write_text(f"partitions = {self.partitions}\n{self.fields}")
        wanted = Settings(**self.names, platform_file=self.platform_file, retention_days=20_000)  # type: ignore[arg-type]
        topics = [replace(topic, config={**topic.config, **self.topic_config}) for topic in wanted_topics(wanted)]
        TopicAdmin(self.cluster).create(topics)

    def service(
        self,
        instance: str = "one",
        *,
        snapshots: str = "snapshots",
        largest_file: int | None = None,
        program: Sequence[str] = ("service", "run"),
        **settings: str,
    ) -> ServiceProcess:
        """A new instance, not yet started; `settings` are lower-case names without prefix."""
        values = {
            **self.names,
            "kafka_bootstrap_servers": self.servers,
            "models_dir": str(self.models),
            "snapshots_dir": str(self.folder / snapshots),
            "platform_file": str(self.platform_file),
            "instance_id": instance,
            "deadletter_cap": "off",
            "secret": SECRET,
            "snapshot_interval": "5",
            **settings,
        }
        log = self.folder / f"{instance}-{len(self._instances)}.log"
        environment = {f"FRAUD_{name.upper()}": value for name, value in values.items()}
        made = ServiceProcess(environment, port=free_port(), log=log, largest_file=largest_file, program=program)
        self._instances.append(made)
        return made

    @contextmanager
    def load(self, *, rate: float) -> Iterator[Load]:
        """A stream of events, so many a second, for as long as the block lasts."""
        load = Load(self.servers, self.names["transactions_topic"], self.partitions, rate=rate, seed=self.seed)
        load.start()
        try:
            yield load
        finally:
            load.stop()

    def positions(self) -> dict[int, int]:
        """The group's committed position by partition; empty while the broker does not tell."""
        try:
            return committed_positions(self.cluster, self.name, self.names["transactions_topic"])
        except (Unavailable, KeyError):
            return {}

    def committed(self) -> int:
        """Sum of the committed positions; -1 while the broker does not tell."""
        positions = self.positions()
        return sum(positions.values()) if positions else -1

    def until_moved(self, since: int, *, seconds: float = 300.0) -> float:
        """Blocks until more than `since` is committed; how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.committed() > since:
                return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"{self.name}: nothing was committed for {seconds:.0f} s")

    @contextmanager
    def silences(self) -> Iterator[list[float]]:
        """Collects for how long, in seconds, a partition saw no commit, each time that it saw one again."""
        found: list[float] = []
        done = threading.Event()

        def watch() -> None:
            last: dict[int, tuple[int, float]] = {}
            while not done.wait(0.05):
                now = time.monotonic()
                for partition, position in self.positions().items():
                    before, moved = last.get(partition, (position, now))
                    if position > before:
                        found.append(now - moved)
                    if position > before or partition not in last:
                        last[partition] = position, now

        watcher = threading.Thread(target=watch, name="silences", daemon=True)
        watcher.start()
        try:
            yield found
        finally:
            done.set()
            watcher.join()

    def until_caught_up(self, *, seconds: float = 300.0) -> None:
        """Blocks until every input record is behind the group's position."""
        reader = Reader(self.cluster, self.names["transactions_topic"])
        try:
            end = sum(reader.bounds(partition)[1] for partition in range(self.partitions))
        finally:
            reader.close()
        began = time.monotonic()
        while self.committed() < end:
            if time.monotonic() - began > seconds:
                raise AssertionError(
                    f"{self.name}: {end - self.committed()} of {end} records left after {seconds:.0f} s"
                )
            time.sleep(0.2)

    def close(self) -> None:
        """Makes sure that nothing is left running."""
        for instance in self._instances:
            instance.close()
