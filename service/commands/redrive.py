"""`redrive`: sends chosen dead letters to where they came from, with their own key, to be scored after all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from pydantic import ValidationError

from fraud.events import Reason
from fraud.outputs import DeadLetter
from service.adapters.kafka.client import Cluster
from service.adapters.kafka.group import Reader
from service.adapters.kafka.publisher import Outgoing, send_all
from service.deadletters import ATTEMPT_HEADER
from service.errors import Misconfigured

Origin: TypeAlias = tuple[str, int, int]
"""Topic, partition and offset of the record that became a dead letter."""

SHARE: Final = 500
"""Letters sent, confirmed and recorded together."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters; what is None does not restrict.

    Attributes:
        reasons: any of these.
        since: set aside at or after this time.
        until: set aside before this time.
        offsets: first and last offset of the source, inclusive.
        attempts: redriven fewer times than this before.
    """

    reasons: frozenset[Reason] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    offsets: tuple[int, int] | None = None
    attempts: int = 3

    def takes(self, letter: DeadLetter) -> bool:
        """Whether it is one of them. A cut letter never is: what is left of it is not what was sent."""
        return (
            not letter.truncated
            and (not self.reasons or letter.reason in self.reasons)
            and (self.since is None or letter.time >= self.since)
            and (self.until is None or letter.time < self.until)
            and (self.offsets is None or self.offsets[0] <= letter.source_offset <= self.offsets[1])
            and letter.attempt < self.attempts
        )


class Entry(msgspec.Struct, frozen=True):
    """One line of the record: which dead letter was sent where, and when."""

    partition: int
    offset: int
    reason: str
    source_topic: str
    source_partition: int
    source_offset: int
    attempt: int
    at: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it stands in its topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    facts: DeadLetter

    def outgoing(self) -> Outgoing:
        """What is sent: the value and key as they came, the source's own headers, and the count of attempts."""
        own = set(DeadLetter.model_fields)
        kept = [(name, value) for name, value in self.headers if name not in own]
        attempt = (ATTEMPT_HEADER, str(self.facts.attempt + 1).encode())
        return Outgoing(self.facts.source_topic, self.facts.source_partition, self.key, self.value, [*kept, attempt])

    def entry(self, now: datetime) -> Entry:
        """Its line of the record."""
        facts = self.facts
        return Entry(
            self.partition,
            self.offset,
            facts.reason,
            facts.source_topic,
            facts.source_partition,
            facts.source_offset,
            facts.attempt + 1,
            now.isoformat(),
        )


def select(reader: Reader, selection: Selection, done: frozenset[Origin]) -> Iterator[Letter]:
    """The chosen letters that were not redriven before, in log order."""
    for partition in reader.partitions():
        for records in reader.replay(partition, *reader.bounds(partition)):
            columns = zip(records.offsets, records.keys, records.values, records.headers, strict=True)
            for offset, key, value, headers in columns:
                facts = _facts(headers)
                if facts is not None and _origin(facts) not in done and selection.takes(facts):
                    yield Letter(partition, offset, key, value or b"", headers, facts)


def redrive(cluster: Cluster, letters: Sequence[Letter], record: Path) -> int:
    """Sends the letters and appends a line for each to the record; how many were sent.

    A share is recorded after it was sent: when this stops in between, a repetition sends that share again, and the
    service drops what it has scored before.
    """
    sent = 0
    for first in range(0, len(letters), SHARE):
        share = letters[first : first + SHARE]
        send_all(cluster, [letter.outgoing() for letter in share])
        now = datetime.now(UTC)
        with record.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(letter.entry(now)) + b"\n" for letter in share))
        sent += len(share)
    return sent


def recorded(record: Path) -> frozenset[Origin]:
    """Where the dead letters in the record came from: their own offsets change when a customer is forgotten.

    Raises:
        Misconfigured: it is no such record.
    """
    if not record.exists():
        return frozenset()
    try:
        entries = [msgspec.json.decode(line, type=Entry) for line in record.read_bytes().splitlines()]
    except (OSError, msgspec.MsgspecError) as error:
        raise Misconfigured(f"{record} is no record of redriven letters: {error}") from None
    return frozenset(_origin(entry) for entry in entries)


def _origin(letter: DeadLetter | Entry) -> Origin:
    return letter.source_topic, letter.source_partition, letter.source_offset


def _facts(headers: Sequence[tuple[str, bytes]]) -> DeadLetter | None:
    try:
        return DeadLetter.from_headers(list(headers))
    except (ValidationError, UnicodeDecodeError):
        return None
