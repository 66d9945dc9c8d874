"""`forget`: erases a customer from what this service keeps.

Histories hold no ids, only 64-bit hashes of them; their snapshots are removed all the same, and built anew from the
log, where the customer's events stay until the topic's retention has passed. Dead letters are rewritten without theirs.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

import msgspec

from service.adapters.kafka.admin import delete_before
from service.adapters.kafka.group import Reader
from service.adapters.kafka.publisher import Outgoing, send_all
from service.bootstrap import cluster
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Erased:
    """How much named the customer: dead letters and snapshots."""

    dead_letters: int
    snapshots: int


def erase(settings: Settings, customer_id: str, *, really: bool) -> Erased:
    """Erases the customer, or only counts.

    The letters that stay are appended again before all older ones are deleted: when this stops in between, some stand
    there twice and nothing is lost; run it again.
    """
    where = cluster(settings)
    letters = 0
    with closing(Reader(where, settings.dlq_topic)) as reader:
        for partition in reader.partitions():
            first, end = reader.bounds(partition)
            kept: list[Outgoing] = []
            found = 0
            for records in reader.replay(partition, first, end):
                columns = zip(records.keys, records.values, records.headers, records.timestamps_us, strict=True)
                for key, value, headers, time_us in columns:
                    if names(customer_id, key, value):
                        found += 1
                    else:  # its own time, or each forgotten customer would prolong everybody's retention
                        kept.append(
                            Outgoing(settings.dlq_topic, partition, key, value or b"", list(headers), time_us // 1000)
                        )
            if found and really:
                send_all(where, kept)
                delete_before(where, settings.dlq_topic, {partition: end})
            letters += found
    snapshots = list(settings.snapshots_dir.rglob("*.npz"))
    if really:
        for path in snapshots:
            path.unlink(missing_ok=True)
    return Erased(letters, len(snapshots))


def names(customer_id: str, key: bytes | None, value: bytes | None) -> bool:
    """Whether a dead letter is about the customer: by its key, or by its text, which need not be valid JSON."""
    if key == customer_id.encode():
        return True
    return any(form in (value or b"") for form in _forms(customer_id))


def _forms(customer_id: str) -> Iterable[bytes]:
    """The id between quotes, plain and as JSON may escape it."""
    yield b'"' + customer_id.encode() + b'"'
    yield msgspec.json.encode(customer_id)
    yield ('"' + customer_id.encode("unicode_escape").decode() + '"').encode()
