"""Chosen dead letters, sent to where they came from with their own key, to be scored after all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from fraud.contracts.inbound import Reason
from fraud.contracts.outbound import DeadLetter
from runtime.errors import Misconfigured, ServiceError
from runtime.kafka.client import Cluster
from service.adapters.kafka.group import Reader
from service.adapters.kafka.publisher import Outgoing, send_all
from service.operations.redrive_record import REMEMBERED, Entry, Origin, Recorded, append, opened, recorded
from service.outputs.dead_letters import ATTEMPT_HEADER

__all__ = ["Letter", "Selection", "recorded", "redrive", "select"]

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

    @property
    def origin(self) -> Origin:
        """Where it came from."""
        return self.facts.source_topic, self.facts.source_partition, self.facts.source_offset

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


def select(reader: Reader, selection: Selection, done: Recorded) -> Iterator[Letter]:
    """The chosen letters that were not redriven before, in log order."""
    for partition in reader.partitions():
        for records in reader.replay(partition, *reader.bounds(partition)):
            columns = zip(records.offsets, records.keys, records.values, records.headers, strict=True)
            for offset, key, value, headers in columns:
                facts = _facts(headers)
                if facts is None or not selection.takes(facts):
                    continue
                letter = Letter(partition, offset, key, value or b"", headers, facts)
                if letter.origin not in done.sent:
                    yield letter


def redrive(cluster: Cluster, letters: Sequence[Letter], record: Path, *, topic: str, now: datetime) -> int:
    """Sends the letters and keeps a record of them; how many were sent.

    Args:
        cluster: where to.
        letters: from `select`.
        record: see `service.operations.redrive_record`.
        topic: the service's input. Letters from elsewhere are refused: their header is the word of whoever wrote it,
            and would have this command write to any topic.
        now: wall time, for the record.

    Raises:
        Misconfigured: nothing was sent, because of a letter or the record.
        Unavailable: an unknown part of a share was; a repetition sends it again.
        ServiceError: the record could not be written any more, which may have hit after a share was sent.
    """
    foreign = [letter for letter in letters if letter.facts.source_topic != topic]
    if foreign:
        raise Misconfigured(f"{_place(foreign[0])} says that it came from {foreign[0].facts.source_topic}, not {topic}")
    sent = 0
    with opened(record) as file:
        before = recorded(record)
        _check_doubtful(letters, before, record, now)
        left = [letter for letter in letters if letter.origin not in before.sent]
        for first in range(0, len(left), SHARE):
            share = left[first : first + SHARE]
            entries = [letter.entry(now) for letter in share]
            try:
                append(file, entries, "sending")
                send_all(cluster, [letter.outgoing() for letter in share])
                sent += len(share)
                append(file, entries, "sent")
            except OSError as error:
                raise ServiceError(
                    f"{sent} letters were sent, then {record} could not be written: {error.strerror}; make room and "
                    "repeat within a day, what is sent twice is dropped"
                ) from None
    return sent


def _check_doubtful(letters: Sequence[Letter], before: Recorded, record: Path, now: datetime) -> None:
    for letter in letters:
        at = before.doubtful.get(letter.origin)
        if at is not None and now - at > REMEMBERED:
            raise Misconfigured(
                f"{_place(letter)} was being sent when a run stopped at {at.isoformat()}, too long ago for the service "
                f"to drop it if it was: look for it in {letter.facts.source_topic}, then remove its line from {record} "
                'or change "sending" to "sent"'
            )


def _place(letter: Letter) -> str:
    return f"the dead letter at partition {letter.partition}, offset {letter.offset}"


def _facts(headers: Sequence[tuple[str, bytes]]) -> DeadLetter | None:
    try:
        return DeadLetter.from_headers(list(headers))
    except (ValidationError, UnicodeDecodeError):
        return None
