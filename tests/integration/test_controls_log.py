"""The controls topic on a real broker: whole, in order, and nobody overwritten."""

from collections.abc import Callable
from contextlib import closing

import pytest

from fraud.contracts.controls import Control
from local.broker.address import KafkaAddress
from runtime.errors import Misconfigured, VersionConflict
from runtime.kafka.client import Cluster
from runtime.kafka.controls_log import ControlsReader, ControlsWriter, controls_topic, read_controls
from runtime.kafka.topics import TopicAdmin

pytestmark = pytest.mark.kafka


@pytest.fixture
def place(broker: KafkaAddress, unique_name: Callable[[str], str]) -> tuple[Cluster, str]:
    cluster, topic = Cluster(broker.bootstrap_servers), unique_name("controls")
    TopicAdmin(cluster).create([controls_topic(topic, 1)])
    return cluster, topic


def rule(version: int, author: str = "mira", control_id: str = "small") -> Control:
    return Control.model_validate(
        {
            "control_id": control_id,
            "version": version,
            "kind": "rule",
            "status": "live",
            "author": author,
            "reason": "card testing",
            "written_at": "2026-01-05T10:00:00Z",
            "rule": {"when": "amount < 5", "effect": "block"},
        }
    )


def test_two_writers_of_one_version_do_not_overwrite_each_other(place: tuple[Cluster, str]) -> None:
    with closing(ControlsWriter(*place)) as first, closing(ControlsWriter(*place)) as second:
        assert first.put(rule(1)) == 0
        assert second.refresh().next_version("small") == 2
        assert first.put(rule(2)) == 1
        with pytest.raises(VersionConflict, match="is at version 2"):
            second.put(rule(2, author="noor"))
        assert second.put(rule(3, author="noor")) == 2
    state = read_controls(*place)
    assert (state.offset, state.current()["small"].author) == (3, "noor")


def test_a_writer_who_looked_before_the_other_wrote_is_told_after_writing(
    place: tuple[Cluster, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(ControlsWriter(*place)) as first, closing(ControlsWriter(*place)) as second:
        second.refresh()
        first.put(rule(1))
        monkeypatch.setattr(second, "refresh", lambda: second.state)  # between its look and its write, the other's
        with pytest.raises(VersionConflict, match="is at version 1"):
            second.put(rule(1, author="noor"))
    state = read_controls(*place)
    assert (state.offset, state.current()["small"].author) == (2, "mira")


def test_a_reader_follows_from_where_it_stands(place: tuple[Cluster, str]) -> None:
    with closing(ControlsWriter(*place)) as writer, closing(ControlsReader(*place)) as reader:
        for number in range(3):
            writer.put(rule(1, control_id=f"r{number}"))
        assert [record.offset for record in reader.to_end()] == [0, 1, 2]
        assert list(reader.to_end()) == []
        writer.put(rule(2, control_id="r0"))
        assert [record.offset for record in reader.to_end()] == [3]


def test_a_topic_that_is_absent_or_split_is_named(broker: KafkaAddress, unique_name: Callable[[str], str]) -> None:
    cluster, topic = Cluster(broker.bootstrap_servers), unique_name("split")
    with pytest.raises(Misconfigured, match=r"python -m service topics"):
        read_controls(cluster, topic)
    split = controls_topic(topic, 1)
    TopicAdmin(cluster).create([type(split)(topic, 2, 1, split.config)])
    with pytest.raises(Misconfigured, match="2 partitions and needs 1"):
        read_controls(cluster, topic)
