"""The private parts of kafka-python that this program uses, compared with the installed release at the start.

What the library keeps to itself may move in any release (docs/adr/0001-kafka-python.md). A part that has moved would
show in the middle of the stream, as an error that no one understands or as records read wrongly; so it is looked for
before anything is consumed. Parts are named by their place and looked up here, not imported: a module that is gone is
named like an attribute that is gone.
"""

import dis
import inspect
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from operator import attrgetter
from types import CodeType
from typing import Any, Final

from runtime.errors import Misconfigured

_RECORDS: Final = "kafka.consumer.fetcher:Fetcher.PartitionRecords"
_BATCH: Final = "kafka.record.default_records:DefaultRecordBatch"
_MEMORY: Final = "kafka.record.memory_records:MemoryRecords"
_BUILDER: Final = "kafka.record.memory_records:MemoryRecordsBuilder"
_PRODUCER_BATCH: Final = "kafka.producer.producer_batch:ProducerBatch"
_ACCUMULATOR: Final = "kafka.producer.record_accumulator:RecordAccumulator"
_TRANSACTIONS: Final = "kafka.producer.transaction_manager:TransactionManager"
_MANAGER: Final = "kafka.net.manager:KafkaConnectionManager"
_TCP: Final = "kafka.net.transport:KafkaTCPTransport"
_SSL: Final = "kafka.net.transport:KafkaSSLTransport"

ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "kafka:KafkaConsumer": ("_fetcher", "_coordinator", "_subscription", "_cluster"),
    "kafka:KafkaProducer": ("config", "_accumulator", "_sender", "_transaction_manager", "_closed"),
    "kafka:KafkaAdminClient": ("_manager",),
    "kafka.net.compat:KafkaNetClient": ("_manager", "close"),
    _MANAGER: ("update_backoff", "broker_version"),
    "kafka.net.manager": ("KafkaTCPTransport", "KafkaSSLTransport"),
    "kafka.cluster:ClusterMetadata": ("topic_id", "cluster_id"),
    "kafka.coordinator.consumer:ConsumerCoordinator": ("coordinator_unknown", "need_rejoin"),
    "kafka.consumer.subscription_state:SubscriptionState": ("assignment",),
    "kafka.consumer.subscription_state:TopicPartitionState": ("position",),
    "kafka.structs:OffsetAndMetadata": ("offset", "leader_epoch"),
    "kafka.structs:MemberState": ("STABLE",),
    _RECORDS: (
        "fetch_offset", "next_fetch_offset", "topic_partition", "leader_epoch", "isolation_level", "check_crcs",
        "bytes_read", "records_read", "record_iterator", "aborted_producer_ids", "drain", "_maybe_skip_record",
        "_unpack_records", "_consume_aborted_transactions_up_to", "_contains_abort_marker", "_is_batch_aborted",
    ),
    _BATCH: (
        "magic", "base_offset", "last_offset", "next_offset", "leader_epoch", "records_count", "size_in_bytes",
        "timestamp_type", "first_timestamp", "max_timestamp", "LOG_APPEND_TIME", "compression_type", "CODEC_GZIP",
        "producer_id", "has_producer_id", "is_control_batch", "validate_crc", "_buffer", "_pos",
    ),
    _MEMORY: ("next_batch",),
    _BUILDER: ("append", "close", "buffer", "_builder", "_next_offset"),
    "kafka.record.default_records:DefaultRecordBatchBuilder": ("_buffer", "_num_records", "_last_offset"),
    _PRODUCER_BATCH: ("produce_future", "_record_futures"),
    _ACCUMULATOR: ("_tp_lock", "_batches", "_incomplete"),
    _TRANSACTIONS: (
        "is_transactional", "maybe_add_partition_to_transaction", "send_offsets_to_transaction", "begin_commit",
    ),
    "kafka.producer.sender:Sender": ("wakeup", "force_close"),
    _TCP: ("_sock_recv",),
    _SSL: ("_sock_recv",),
}  # fmt: skip
"""Class or module -> what is read or set on it."""

CALLS: Final[tuple[tuple[str, int, tuple[str, ...]], ...]] = (
    (_BUILDER, 3, ()),
    (f"{_BUILDER}.append", 5, ()),
    (_RECORDS, 3, ()),
    (_MEMORY, 1, ()),
    (_PRODUCER_BATCH, 2, ()),
    ("kafka.producer.future:FutureRecordMetadata", 7, ()),
    (f"{_ACCUMULATOR}._tp_lock", 2, ()),
    ("kafka.producer.record_accumulator:IncompleteProducerBatches.add", 2, ()),
    (f"{_TRANSACTIONS}.is_transactional", 1, ()),
    (f"{_TRANSACTIONS}.maybe_add_partition_to_transaction", 2, ()),
    (f"{_TRANSACTIONS}.send_offsets_to_transaction", 3, ()),
    (f"{_TRANSACTIONS}.begin_commit", 1, ()),
    ("kafka.producer.transaction_manager:TransactionalRequestResult.wait", 1, ("timeout_ms",)),
    ("kafka.producer.sender:Sender.wakeup", 1, ()),
    ("kafka.producer.sender:Sender.force_close", 1, ()),
    ("kafka.coordinator.consumer:ConsumerCoordinator.coordinator_unknown", 1, ()),
    ("kafka.cluster:ClusterMetadata.topic_id", 2, ()),
    ("kafka.record.util:decode_varint", 2, ()),
    (f"{_RECORDS}._consume_aborted_transactions_up_to", 2, ()),
    (f"{_RECORDS}._contains_abort_marker", 2, ()),
    (f"{_RECORDS}._is_batch_aborted", 2, ()),
)
"""What is called -> positional arguments, with `self`, and keyword arguments."""

OVERRIDDEN: Final[Mapping[str, int]] = {
    f"{_RECORDS}.take": 2,
    f"{_RECORDS}._maybe_skip_record": 2,
    f"{_RECORDS}._unpack_records": 5,
    f"{_TCP}._sock_recv": 1,
    f"{_SSL}._sock_recv": 1,
    f"{_MANAGER}.update_backoff": 2,
}
"""What the library calls and is ours -> how many parameters it has, with `self`."""

REPLACED: Final[Mapping[str, tuple[str, ...]]] = {
    "kafka.consumer.fetcher:Fetcher": ("PartitionRecords",),
    _MANAGER: ("KafkaTCPTransport", "KafkaSSLTransport", "update_backoff"),
    "kafka:KafkaConsumer": ("kafka_client",),
    "kafka:KafkaProducer": ("kafka_client",),
    "kafka:KafkaAdminClient": ("kafka_client",),
}
"""Class -> names by which it reaches what is put in the place of its own: renamed there, ours would never be used."""


def check_private_parts() -> str:
    """Compares all of them with the installed release, in milliseconds and without a broker.

    Returns:
        The release.

    Raises:
        Misconfigured: one has moved; names it.
    """
    release = version("kafka-python")
    moved = next(_moved(), None)
    if moved is not None:
        raise Misconfigured(
            f"kafka-python {release} has another {moved} than this program was written for: install a release that "
            "the locks in requirements/ name"
        )
    return release


def _moved() -> Iterator[str]:
    """The parts that are not as they shall be; layouts, which use the others, are looked at where those are right."""
    found = False
    for place in (*_absent(), *_other_signatures(), *_never_reached()):
        found = True
        yield place
    if not found:
        yield from _other_layouts()


def _absent() -> Iterator[str]:
    for place, names in ATTRIBUTES.items():
        owner = _find(place)
        if owner is None:
            yield place
        else:
            yield from (f"{place}.{name}" for name in names if not _has(owner, name))


def _other_signatures() -> Iterator[str]:
    for place, positional, keywords in CALLS:
        called = _find(place)
        try:
            inspect.signature(called).bind(*[None] * positional, **dict.fromkeys(keywords))
        except TypeError:
            yield f"{place}(…)"
    for place, count in OVERRIDDEN.items():
        method = _find(place)
        if method is None or len(inspect.signature(method).parameters) != count:
            yield f"{place}(…)"


def _never_reached() -> Iterator[str]:
    for place, names in REPLACED.items():
        named = {name for function in _functions(_find(place)) for name in _names(function.__code__)}
        yield from (f"use of {name} in {place}" for name in names if name not in named)


def _other_layouts() -> Iterator[str]:
    for place, holds in (
        ("layout of record batches that are written", _written_as_read),
        ("layout of record batches that are read", _read_as_written),
        ("result of an acknowledged batch", _acknowledged),
    ):
        try:
            same = holds()
        except Exception:  # noqa: BLE001 - whatever the library or our code on it makes of another layout
            same = False
        if not same:
            yield place


def _written_as_read() -> bool:
    """Whether the library reads what we write into its builder."""
    from kafka.record.memory_records import MemoryRecords

    from runtime.kafka.batch_writer import encode

    keys, values = [b"key", None, b"third"], [b"one", b"two", b""]
    builder = encode(keys, values, batch_size=4_096)
    builder.close()
    batch = MemoryRecords(bytes(builder.buffer())).next_batch()
    whole = bool(batch.validate_crc())  # before it is read, or the library refuses
    read = [(record.offset, record.timestamp - batch.first_timestamp, record.key, record.value) for record in batch]
    return whole and read == list(zip(range(3), [0] * 3, keys, values, strict=True))


def _read_as_written() -> bool:
    """Whether we read what the library writes."""
    from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
    from kafka.structs import TopicPartition

    from runtime.kafka.batch_reader import MAGIC, PartitionRecords

    builder = MemoryRecordsBuilder(MAGIC, 0, 4_096)
    builder.append(7, b"key", b"value", [("trace", b"1")])
    builder.append(9, None, None)
    builder.close()
    records = PartitionRecords(0, TopicPartition("check", 0), MemoryRecords(bytes(builder.buffer()))).take()
    return [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records] == [
        (0, 7, b"key", b"value", (("trace", b"1"),)),
        (1, 9, None, None, ()),
    ]


def _acknowledged() -> bool:
    """Whether a batch tells its offset, its time and, by a function, what was refused of it."""
    from kafka.producer.producer_batch import ProducerBatch
    from kafka.structs import TopicPartition

    from runtime.kafka.batch_writer import encode

    batch = ProducerBatch(TopicPartition("check", 0), encode([None], [b"value"], batch_size=4_096))
    batch.complete(3, -1)
    offset, _, refused = batch.produce_future.value
    return bool(offset == 3 and refused is None)


def _find(place: str) -> Any:  # noqa: ANN401 - kafka-python has no types
    """What stands at `module` or `module:name.name`; None where nothing does."""
    module, _, name = place.partition(":")
    try:
        found = import_module(module)
        return attrgetter(name)(found) if name else found
    except (ImportError, AttributeError):
        return None


def _has(owner: object, name: str) -> bool:
    """Whether it has the attribute, or its objects are given it when they are made."""
    if hasattr(owner, name):
        return True
    kinds = owner.__mro__ if isinstance(owner, type) else ()
    makers = [vars(kind).get("__init__") for kind in kinds]
    return any(name in _stored(maker) for maker in makers if inspect.isfunction(maker))


def _stored(function: Callable[..., object]) -> set[object]:
    return {step.argval for step in dis.get_instructions(function) if step.opname == "STORE_ATTR"}


def _functions(owner: object) -> Iterator[Any]:
    """The functions of a class and of its bases."""
    for kind in owner.__mro__ if isinstance(owner, type) else ():
        yield from filter(inspect.isfunction, vars(kind).values())


def _names(code: CodeType) -> Iterator[object]:
    """Every name and string that a function, or one inside it, uses."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
        elif isinstance(constant, str):
            yield constant
