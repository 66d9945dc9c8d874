"""A release of kafka-python that has moved a part stops the program before anything is consumed, with its name."""

import ast
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import kafka
import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.net.manager import KafkaConnectionManager
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.default_records import DefaultRecordBatch

import runtime
import service
from runtime.errors import Misconfigured
from runtime.kafka import batch_writer, private_parts
from runtime.kafka.client import Cluster
from runtime.kafka.private_parts import ATTRIBUTES, CALLS, OVERRIDDEN, REPLACED, check_private_parts
from service.adapters.kafka.log import KafkaLog

USERS = (
    *sorted((Path(runtime.__file__).parent / "kafka").glob("*.py")),
    *sorted((Path(service.__file__).parent / "adapters" / "kafka").glob("*.py")),
)
PYTHONS_OWN = {"_make", "_asdict", "_replace"}


def test_the_installed_release_has_every_part() -> None:
    assert check_private_parts() == version("kafka-python")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (RecordAccumulator, "_tp_lock"),
        (Fetcher.PartitionRecords, "_is_batch_aborted"),
        (KafkaConnectionManager, "update_backoff"),
        (Fetcher, "PartitionRecords"),
        (kafka, "KafkaConsumer"),
    ],
)
def test_a_part_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    monkeypatch.delattr(owner, name)

    with pytest.raises(Misconfigured, match=rf"kafka-python \d.*{name}.*install") as stopped:
        check_private_parts()
    assert stopped.value.code == 2
    assert "\n" not in str(stopped.value)


def test_an_attribute_that_objects_are_no_longer_given_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_batches(self: RecordAccumulator) -> None:
        self._incomplete = None

    monkeypatch.setattr(RecordAccumulator, "__init__", without_batches)

    with pytest.raises(Misconfigured, match=r"RecordAccumulator\._batches"):
        check_private_parts()


def test_a_call_that_takes_other_arguments_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_more(self: ProducerBatch, tp: object, records: object, needed: object) -> None:
        self.produce_future, self._record_futures = needed, [tp, records]

    monkeypatch.setattr(ProducerBatch, "__init__", one_more)

    with pytest.raises(Misconfigured, match="ProducerBatch"):
        check_private_parts()


def test_a_method_of_ours_that_the_library_would_call_otherwise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_deserializers(self: object, tp: object, records: object) -> object:
        return self, tp, records

    monkeypatch.setattr(Fetcher.PartitionRecords, "_unpack_records", without_deserializers)

    with pytest.raises(Misconfigured, match="_unpack_records"):
        check_private_parts()


def test_a_class_that_would_no_longer_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(private_parts.REPLACED, "kafka.consumer.fetcher:Fetcher", ("ParsedRecords",))

    with pytest.raises(Misconfigured, match=r"use of ParsedRecords in .*Fetcher"):
        check_private_parts()


@pytest.mark.parametrize("start", [b"\0\2", b"\0\0\0"], ids=["another time", "a byte too many"])
def test_a_format_other_than_the_one_we_write_is_noticed(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(batch_writer, "_START", start)

    with pytest.raises(Misconfigured, match="layout of record batches that are written"):
        check_private_parts()


def test_a_format_other_than_the_one_we_read_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DefaultRecordBatch, "first_timestamp", property(lambda _: 5))

    with pytest.raises(Misconfigured, match="layout of record batches that are read"):
        check_private_parts()


def test_the_log_is_not_opened_on_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RecordAccumulator, "_tp_lock")
    log = KafkaLog(
        Cluster("127.0.0.1:1"),  # where nothing answers
        input_topic="transactions", topics={}, group_id="g", instance_id="i",
    )  # fmt: skip

    with pytest.raises(Misconfigured, match="_tp_lock"):
        log.open()


def test_every_private_part_that_the_code_names_is_compared() -> None:
    compared = {name for names in (*ATTRIBUTES.values(), *REPLACED.values()) for name in names}
    compared |= {place.rpartition(".")[2] for place in (*(place for place, *_ in CALLS), *OVERRIDDEN)}

    used = {name for path in USERS for name in private_names(ast.parse(path.read_text()))}

    assert used
    assert not used - compared


def private_names(module: ast.Module) -> Iterator[str]:
    """Private attributes of anything but `self`."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr in PYTHONS_OWN:
            continue
        is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
        if not is_own and not node.attr.startswith("__"):
            yield node.attr
