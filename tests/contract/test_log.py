"""What `service.ports.Log` promises, asked of the in-memory log and of Kafka alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

import pytest

from service.ports import Channel, Headers, Log, Messages, Output, Records
from tests.conftest import MakeTopic
from tests.support.memory_log import MemoryBroker, MemoryLog

START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


class World(Protocol):
    """A broker with one input topic and the outputs, and logs on it."""

    def produce(self, value: bytes, *, key: bytes | None = None, headers: Headers = (), partition: int = 0) -> None:
        """Appends to the input, each record one second after the one before."""

    def log(self, instance: str) -> Log:
        """A new client."""

    def published(self, channel: Channel) -> list[tuple[bytes | None, bytes, list[tuple[str, bytes]]]]:
        """What a read-committed reader of the channel sees."""


class MemoryWorld:
    def __init__(self, partitions: int) -> None:
        self._broker = MemoryBroker(partitions)

    def produce(self, value: bytes, *, key: bytes | None = None, headers: Headers = (), partition: int = 0) -> None:
        at = START_US + self._broker.end(partition) * SECOND_US
        self._broker.produce(value, key=key, headers=headers, partition=partition, timestamp_us=at)

    def log(self, instance: str) -> Log:
        return MemoryLog(self._broker, instance_id=instance, batch_records=100)

    def published(self, channel: Channel) -> list[tuple[bytes | None, bytes, list[tuple[str, bytes]]]]:
        return [(m.key, m.value, list(m.headers)) for m in self._broker.published[channel]]


class KafkaWorld:
    def __init__(self, servers: str, make_topic: MakeTopic, group: str, partitions: int, exactly_once: bool) -> None:
        from kafka import KafkaProducer

        from runtime.kafka.client import Cluster

        self._cluster = Cluster(servers)
        self._group = group
        self._exactly_once = exactly_once
        self._input = make_topic("input", partitions=partitions)
        self._topics = {channel: make_topic(channel.value) for channel in Channel}
        self._producer = KafkaProducer(bootstrap_servers=servers)
        self._produced = [0] * partitions
        self.logs: list[Log] = []

    def produce(self, value: bytes, *, key: bytes | None = None, headers: Headers = (), partition: int = 0) -> None:
        at = START_US // 1000 + self._produced[partition] * 1000
        self._produced[partition] += 1
        self._producer.send(self._input, value, key, list(headers), partition, at).get(10)

    def log(self, instance: str) -> Log:
        from service.adapters.kafka.log import KafkaLog

        log = KafkaLog(
            self._cluster,
            input_topic=self._input,
            partitions=len(self._produced),
            topics=self._topics,
            group_id=self._group,
            instance_id=instance,
            exactly_once=self._exactly_once,
            batch_records=100,
            session_timeout_ms=6_000,
        )
        self.logs.append(log)
        return log

    def published(self, channel: Channel) -> list[tuple[bytes | None, bytes, list[tuple[str, bytes]]]]:
        from service.adapters.kafka.group import Reader

        with closing(Reader(self._cluster, self._topics[channel])) as reader:
            return [
                (key, value or b"", list(headers))
                for records in reader.replay(0, *reader.bounds(0))
                for key, value, headers in zip(records.keys, records.values, records.headers, strict=True)
            ]

    def close(self) -> None:
        for log in self.logs:
            log.close()
        self._producer.close()


MakeWorld = Callable[..., World]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def make_world(request: pytest.FixtureRequest, unique_name: Callable[[str], str]) -> Iterator[MakeWorld]:
    made: list[KafkaWorld] = []

    def make(*, partitions: int = 1, exactly_once: bool = True) -> World:
        if request.param == "memory":
            return MemoryWorld(partitions)
        broker = request.getfixturevalue("broker")
        make_topic = request.getfixturevalue("make_topic")
        made.append(KafkaWorld(broker.bootstrap_servers, make_topic, unique_name("group"), partitions, exactly_once))
        return made[-1]

    yield make
    for world in made:
        world.close()


class Member:
    """Drives a log as the runner does: whatever was decided anew is resumed from the committed position."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.epoch = -1
        log.open()

    def turn(self) -> list[Records]:
        records = list(self.log.poll(0.1))
        assignment = self.log.assignment()
        if assignment.epoch != self.epoch:
            assert not records, "a partition that was just gained is paused"
            self.epoch = assignment.epoch
            for partition in assignment.partitions:
                self.log.resume(partition, self.log.committed(partition) or 0)
        return records

    def take(self, count: int) -> list[Records]:
        """Turns until that many records have come."""
        found: list[Records] = []
        for _ in range(100):
            found += self.turn()
            if sum(map(len, found)) >= count:
                return found
        raise AssertionError(f"only {sum(map(len, found))} of {count} records came")

    @property
    def owned(self) -> frozenset[int]:
        return self.log.assignment().partitions if self.log.joined() else frozenset()


def joined(world: World, instance: str = "one", *, partitions: int = 1) -> Member:
    """A member that owns as many partitions."""
    member = Member(world.log(instance))
    for _ in range(100):
        member.turn()
        if len(member.owned) == partitions:
            return member
    raise AssertionError("never joined")


def until_shared(one: Member, two: Member) -> None:
    """Turns both until each owns one of two partitions."""
    for _ in range(100):
        two.turn()
        one.turn()
        if len(one.owned) == len(two.owned) == 1 and one.owned != two.owned:
            return
    raise AssertionError("the partitions were never shared")


def output(end: int, *, alerts: Sequence[bytes] = (), start: int | None = None, partition: int = 0) -> Output:
    """An output of some alerts, each with a key and a header."""
    messages = Messages(Channel.ALERTS, [b"k"] * len(alerts), list(alerts), [[("trace", b"t")]] * len(alerts))
    return Output(partition, start, end, (messages,))


def test_records_come_in_order_with_everything_that_they_carry(make_world: MakeWorld) -> None:
    world = make_world()
    world.produce(b"first", key=b"key", headers=[("trace", b"1")])
    world.produce(b"second")
    polled = joined(world).take(2)
    assert [value for records in polled for value in records.values] == [b"first", b"second"]
    assert [offset for records in polled for offset in records.offsets] == [0, 1]
    assert polled[0].keys[0] == b"key"
    assert list(polled[0].headers[0]) == [("trace", b"1")]
    assert polled[0].timestamps_us[0] == START_US
    assert polled[-1].end == 2


def test_nothing_was_ever_committed_at_first(make_world: MakeWorld) -> None:
    assert joined(make_world()).log.committed(0) is None


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_commit_publishes_and_moves_the_position(make_world: MakeWorld, exactly_once: bool) -> None:
    world = make_world(exactly_once=exactly_once)
    for i in range(3):
        world.produce(b"%d" % i)
    member = joined(world)
    member.take(3)
    member.log.commit([output(3, alerts=[b"a", b"b"])]).result()
    assert member.log.committed(0) == 3
    assert world.published(Channel.ALERTS) == [(b"k", b"a", [("trace", b"t")]), (b"k", b"b", [("trace", b"t")])]


def test_commits_follow_one_another(make_world: MakeWorld) -> None:
    world = make_world()
    member = joined(world)
    for i in range(5):
        world.produce(b"%d" % i)
        member.take(1)
        member.log.commit([output(i + 1, alerts=[b"%d" % i], start=i)]).result()
    assert [value for _, value, _ in world.published(Channel.ALERTS)] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_commit_without_messages_moves_the_position(make_world: MakeWorld) -> None:
    world = make_world()
    world.produce(b"x")
    member = joined(world)
    member.take(1)
    member.log.commit([output(1)]).result()
    assert member.log.committed(0) == 1


def test_what_was_not_committed_comes_again_to_the_successor(make_world: MakeWorld) -> None:
    world = make_world()
    world.produce(b"done")
    world.produce(b"open")
    member = joined(world)
    member.take(2)
    member.log.commit([output(1)]).result()
    member.log.close()
    records = joined(world).take(1)
    assert records[0].values[0] == b"open"
    assert records[0].offsets[0] == 1


def test_a_replay_gives_its_range_and_moves_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    for i in range(250):
        world.produce(b"%d" % i)
    member = joined(world)
    replayed = [value for records in member.log.replay(0, 120, 230) for value in records.values]
    assert replayed == [b"%d" % i for i in range(120, 230)]
    assert member.log.committed(0) is None
    assert member.take(1)[0].offsets[0] == 0


def test_offsets_and_times_find_each_other(make_world: MakeWorld) -> None:
    world = make_world()
    for i in range(10):
        world.produce(b"%d" % i)
    log = joined(world).log
    assert log.bounds(0) == (0, 10)
    assert log.offset_at(0, START_US + 4 * SECOND_US) == 4
    assert log.offset_at(0, START_US + 4 * SECOND_US + 1) == 5
    assert log.offset_at(0, START_US + 99 * SECOND_US) == 10
    assert log.timestamp_at(0, 7) == START_US + 7 * SECOND_US
    assert log.timestamp_at(0, 10) is None


def test_the_lag_is_what_waits_behind_the_position(make_world: MakeWorld) -> None:
    world = make_world()
    for i in range(150):
        world.produce(b"%d" % i)
    member = joined(world)
    taken = sum(map(len, member.take(1)))
    assert member.log.lag() == {0: 150 - taken}


def test_recovery_pauses_and_the_committed_position_tells_what_happened(make_world: MakeWorld) -> None:
    world = make_world()
    world.produce(b"0")
    world.produce(b"1")
    member = joined(world)
    member.take(2)
    member.log.commit([output(1, alerts=[b"once"])]).result()
    member.log.recover()
    member.epoch = member.log.assignment().epoch
    assert member.log.committed(0) == 1
    world.produce(b"2")
    assert not member.log.poll(0.3)
    member.log.resume(0, 1)
    assert [o for records in member.take(2) for o in records.offsets] == [1, 2]
    member.log.commit([output(3, alerts=[b"twice"], start=1)]).result()
    assert [value for _, value, _ in world.published(Channel.ALERTS)] == [b"once", b"twice"]


def test_two_instances_share_the_partitions(make_world: MakeWorld) -> None:
    world = make_world(partitions=2)
    one = joined(world, "one", partitions=2)
    two = Member(world.log("two"))
    until_shared(one, two)
    assert sorted([*one.owned, *two.owned]) == [0, 1]
