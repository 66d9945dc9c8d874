"""Erasure of a customer from what this service keeps.

Histories hold no ids, only 64-bit hashes of them; their snapshots are removed all the same, and built anew from the
log, where the customer's events stay until the topic's retention has passed. Dead letters are rewritten without theirs.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from fraud.privacy.forgetting import names
from runtime.errors import Misconfigured
from runtime.instance_lock import running
from runtime.kafka.admin import delete_before
from runtime.kafka.client import Cluster
from service.adapters.kafka.group import Reader
from service.adapters.kafka.publisher import Outgoing, send_all
from service.ports import Records
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Erased:
    """Counts of what named the customer: dead letters and snapshots."""

    dead_letters: int
    snapshots: int


def erase(settings: Settings, customer_id: str, *, really: bool) -> Erased:
    """Erases the customer, or only counts.

    The letters that stay are appended again before all older ones are deleted: when this stops in between, some stand
    there twice and nothing is lost; run it again.

    Raises:
        Misconfigured: a service that shares the snapshots runs: it would write the customer's history again.
    """
    if really and (held := running(settings.snapshots_dir)):
        raise Misconfigured(f"stop {', '.join(held)} first: {settings.snapshots_dir} is in use")
    where, letters = Cluster.of(settings), 0
    with closing(Reader(where, settings.dlq_topic)) as reader:
        for partition in reader.partitions():
            first, end = reader.bounds(partition)
            kept, found = _others(reader.replay(partition, first, end), settings.dlq_topic, customer_id)
            if found and really:
                send_all(where, kept)
                delete_before(where, settings.dlq_topic, {partition: end})
            letters += found
    snapshots = list(settings.snapshots_dir.rglob("*.npz*"))  # also under the names of unfinished ones
    for path in snapshots if really else ():
        path.unlink(missing_ok=True)
    return Erased(letters, len(snapshots))


def _others(letters: Iterable[Records], topic: str, customer_id: str) -> tuple[list[Outgoing], int]:
    """A partition's letters about others, as they are to be sent again, and how many are about the customer."""
    kept: list[Outgoing] = []
    found = 0
    for records in letters:
        columns = zip(records.keys, records.values, records.headers, records.timestamps_us, strict=True)
        for key, value, headers, time_us in columns:
            if names(customer_id, key, value):
                found += 1
            else:  # its own time, or each forgotten customer would prolong everybody's retention
                kept.append(Outgoing(topic, records.partition, key, value or b"", list(headers), time_us // 1000))
    return kept, found
