"""The simulated shop on a real broker: stopped, gone on with, and asked for once more."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from local.broker.address import KafkaAddress
from simulator.__main__ import config_of
from simulator.output.publish import messages
from simulator.simulation import simulate
from tests.conftest import MakeTopic

pytestmark = pytest.mark.kafka

SHOP = ("--transactions", "1500", "--days", "60", "--base-rate", "0.02")


def values(broker: KafkaAddress, *topics: str) -> list[bytes]:
    """Everything in the topics."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap_servers, enable_auto_commit=False)
    places = [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends, found = consumer.end_offsets(places), []
    while any(consumer.position(place) < ends[place] for place in places):
        found += [record.value for records in consumer.poll(500).values() for record in records]
    consumer.close()
    return found


def test_a_shop_that_is_stopped_and_sent_again_stands_in_its_topics_once(
    broker: KafkaAddress, make_topic: MakeTopic, tmp_path: Path
) -> None:
    events, labels = make_topic("events", partitions=2), make_topic("labels")

    def start(name: str, *options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "simulator", *SHOP, "--to-kafka", "--resume", *options]
        where = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", events, "--labels-topic", labels)
        with (tmp_path / name).open("wb") as log:
            return subprocess.Popen([*command, *where], stderr=log, stdout=subprocess.DEVNULL)

    first = start("first", "--rate", "300")
    limit = time.monotonic() + 120
    while not values(broker, events) and time.monotonic() < limit:
        time.sleep(0.2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    assert "then told to stop" in (tmp_path / "first").read_text()
    assert len(values(broker, events, labels)) > 0
    assert start("second").wait(120) == 0
    config = config_of("positive", "source", {"transactions": 1500, "days": 60, "base_rate": 0.02})
    shop = [message.value for message in messages(simulate(config), labels=True)]
    assert sorted(values(broker, events, labels)) == sorted(shop)
    assert start("third").wait(120) == 0
    assert f"{len(shop):,} records of this shop are in" in (tmp_path / "third").read_text()
    assert len(values(broker, events, labels)) == len(shop)
