"""Topics: created by command with the right configuration, and looked at by `check`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from runtime.kafka.client import Cluster, connect

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it shall be."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is."""

    partitions: int
    config: Mapping[str, str]

    @property
    def retention_ms(self) -> int:
        """How long records are kept, in ms; -1 for ever."""
        return int(self.config.get("retention.ms", "-1"))


class TopicAdmin:
    """Looks at topics and creates them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def create(self, topics: Sequence[Topic]) -> dict[str, str]:
        """Creates what is missing and sets the configuration of what is not; what was done, by topic.

        Partitions are never added: which customer stands in which partition would change, and with it every history.
        """
        done: dict[str, str] = {}
        with self._admin("creating topics") as admin:
            for topic in topics:
                wanted = {
                    "num_partitions": topic.partitions,
                    "replication_factor": topic.replication,
                    "configs": dict(topic.config),
                }
                try:
                    admin.create_topics({topic.name: wanted}, wait_for_metadata=True)
                    done[topic.name] = "created"
                except TopicAlreadyExistsError:
                    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(topic.config))
                    admin.alter_configs([resource], incremental=True)
                    done[topic.name] = "kept"
        return done

    def describe(self, names: Sequence[str]) -> dict[str, TopicState]:
        """The topics among these that exist."""
        with self._admin("describing topics") as admin:
            found = {
                topic["name"]: len(topic["partitions"])
                for topic in admin.describe_topics(list(names))
                if topic["error_code"] == 0
            }
            configs = admin.describe_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name) for name in found], config_filter="all"
            )
        values = _values(configs)
        return {name: TopicState(count, values.get(name, {})) for name, count in found.items()}

    def version(self) -> str:
        """The brokers' version, as far as the protocol tells."""
        with self._admin("asking for the version") as admin:
            return ".".join(map(str, admin._manager.broker_version))  # noqa: SLF001 - under no public name

    @contextmanager
    def _admin(self, doing: str) -> Iterator[Any]:
        with self._cluster.translated(doing):
            admin = connect(KafkaAdminClient, {**self._cluster.config(), "request_timeout_ms": 10_000})
            try:
                yield admin
            finally:
                admin.close()


def _values(described: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401 - kafka-python has no types
    return {
        name: {key: str(entry["value"]) for key, entry in config.items()}
        for name, config in described.get("topic", {}).items()
    }
