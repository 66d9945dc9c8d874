"""Whatever a record holds, on the real broker: it is scored or a dead letter, and the service goes on."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import LogTruncationError

from local.broker.address import KafkaAddress
from local.testbed.events import raw, transaction
from local.testbed.scorer_run import ScorerRun
from runtime.errors import Misconfigured, OffsetsLost, Refused
from runtime.kafka.client import Cluster
from runtime.kafka.topics import Topic, TopicAdmin
from service.adapters.kafka.group import Reader
from service.adapters.kafka.log import KafkaLog
from service.operations.checks import findings
from service.ports import Channel, Messages, Output
from service.settings import Settings
from service.topics import wanted_topics
from tests.conftest import MakeTopic

pytestmark = pytest.mark.kafka

NO_LIMIT = str(2**63 - 1)
SECONDS = 180.0
MakeScorer = Callable[..., ScorerRun]


class Name(str):
    """A header's name that is no UTF-8 on the wire."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"tr\xe4ce"


def letters(scorer: ScorerRun) -> list[dict[str, bytes]]:
    with closing(Reader(scorer.cluster, scorer.names["dlq_topic"])) as reader:
        return [dict(headers) for records in reader.replay(0, *reader.bounds(0)) for headers in records.headers]


@pytest.mark.timeout(600)
def test_headers_times_and_compression_of_any_sort_stop_nothing(make_scorer: MakeScorer) -> None:
    scorer = make_scorer(topic_config={"message.timestamp.before.max.ms": NO_LIMIT, "compression.type": "producer"})
    topic, now = scorer.names["transactions_topic"], int(time.time() * 1000)  # noqa: TID251 - the broker judges by it
    event = [raw(transaction(i)) for i in range(6)]
    with (
        closing(KafkaProducer(bootstrap_servers=scorer.servers)) as plain,
        closing(
            KafkaProducer(bootstrap_servers=scorer.servers, compression_type="gzip", max_request_size=100 << 20)
        ) as packed,
    ):
        plain.send(topic, event[0], timestamp_ms=now).get(30)
        plain.send(topic, event[1], headers=[(Name("x"), b"1")], timestamp_ms=now).get(30)
        plain.send(topic, event[2], timestamp_ms=-(2**62)).get(30)
        packed.send(topic, b" " * (17 << 20), timestamp_ms=now).get(60)
        packed.send(topic, event[3], timestamp_ms=now).get(30)
        plain.send(topic, event[4], key=b"k" * 900_000, timestamp_ms=now).get(30)
        plain.send(topic, b"broken", key=b"k" * 900_000, timestamp_ms=now).get(30)
        plain.send(topic, event[5], timestamp_ms=now).get(30)
    service = scorer.service()
    service.start()
    service.ready()
    scorer.until_moved(7, seconds=SECONDS)
    found = [(facts["reason"], int(facts["source_offset"])) for facts in letters(scorer)]
    assert found == [(b"too_far_ahead", 2), (b"too_large", 3), (b"not_json", 6)]
    assert service.metric("fraud_transactions_total") == 5
    assert service.metric("fraud_headers_unreadable_total") == 1
    assert service.stop() == 0


@pytest.fixture
def make_log(
    broker: KafkaAddress, make_topic: MakeTopic, unique_name: Callable[[str], str]
) -> Iterator[Callable[..., KafkaLog]]:
    """Return a function that makes a log on topics of its own."""
    made: list[KafkaLog] = []

    def make(configs: Mapping[str, str] | None = None) -> KafkaLog:
        log = KafkaLog(
            Cluster(broker.bootstrap_servers),
            input_topic=make_topic("input"),
            topics={channel: make_topic(channel.value, configs=configs) for channel in Channel},
            group_id=unique_name("group"),
            instance_id="one",
            session_timeout_ms=6_000,
        )
        made.append(log)
        return log

    yield make
    for log in made:
        log.close()


def owning(log: KafkaLog) -> None:
    """Polls until the log owns something."""
    log.open()
    began = time.monotonic()
    while not log.assignment().partitions:
        assert time.monotonic() - began < SECONDS
        log.poll(0.2)


def test_a_topic_that_grows_at_run_time_stops_the_service(
    make_log: Callable[..., KafkaLog], broker: KafkaAddress
) -> None:
    log = make_log()
    log._group._config["metadata_max_age_ms"] = 1_000  # five minutes otherwise
    owning(log)
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
        admin.create_partitions({log._input: 3})

    def turn() -> None:
        began = time.monotonic()
        while time.monotonic() - began < SECONDS:
            log.poll(0.2)
            log.assignment()

    with pytest.raises(Misconfigured, match=r"at least 3 partitions, the platform declares 1") as stopped:
        turn()
    assert stopped.value.code == 2


def test_positions_are_committed_with_the_leaders_epoch_and_taken_up_with_it(make_log: Callable[..., KafkaLog]) -> None:
    log = make_log()
    with closing(KafkaProducer(bootstrap_servers=log._cluster.servers)) as producer:
        producer.send(log._input, b"v").get(30)
    owning(log)
    log.resume(0, 0)
    began = time.monotonic()
    while not log.poll(0.2):
        assert time.monotonic() - began < SECONDS
    log.commit([Output(0, None, 1, (Messages(Channel.ALERTS, [b"k"], [b"v"]),))]).result()
    assert log.committed(0) == 1
    assert log._group._committed[0].leader_epoch == 0
    log.resume(0, 1)
    position = log._group._position(TopicPartition(log._input, 0))
    assert position is not None
    assert (position.offset, position.leader_epoch) == (1, 0)


def test_a_log_that_was_cut_back_stops_the_service() -> None:
    found = LogTruncationError({TopicPartition("input", 0): None})
    with pytest.raises(OffsetsLost, match="input-0 was cut back"), Cluster("a:1").translated("polling"):
        raise found


def test_messages_that_the_broker_will_never_take_are_refused_with_the_topic_and_their_size(
    make_log: Callable[..., KafkaLog],
) -> None:
    log = make_log({"max.message.bytes": "2000"})
    owning(log)
    assert log.committed(0) is None
    letter = Messages(Channel.DEAD_LETTERS, [b"key"], [bytes(5_000)], [[("reason", b"too_large")]])
    with pytest.raises(Refused, match=r"dead_letters-\w+ refuses messages .* largest of 5003 bytes"):
        log.commit([Output(0, None, 1, (letter,))]).result()
    log.recover()
    assert log.committed(0) is None


def test_check_wants_what_topics_sets(broker: KafkaAddress, unique_name: Callable[[str], str]) -> None:
    prefix = unique_name("check")
    names = {
        f"{name}_topic": f"{prefix}.{name}"
        for name in ("transactions", "alerts", "decisions", "dlq", "labels", "models")
    }
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers, group_id=prefix, **names)  # type: ignore[arg-type]
    admin = TopicAdmin(Cluster(broker.bootstrap_servers))

    def errors() -> list[str]:
        return [f.text for f in findings(settings) if f.level == "error" and f.subject in {"topic", "broker"}]

    admin.create([Topic(name, 1, 1) for name in names.values()])
    found = " ".join(errors())
    for key in (
        *(
            f"{names[f'{read}_topic']} has compression.type=producer"
            for read in ("transactions", "decisions", "labels")
        ),
        "message.timestamp.before.max.ms=9223372036854775807",
        "max.message.bytes must be 2097152",
        "message.timestamp.type=CreateTime",
    ):
        assert key in found
    assert "message.timestamp.after.max.ms" not in found, "an hour is this broker's default"
    admin.create(wanted_topics(settings))
    assert errors() == []
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as client:
        client.delete_topics(list(names.values()), raise_errors=False)
