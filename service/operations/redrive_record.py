"""The record of redriven dead letters: what is in it is not sent again, whatever happens in between.

Each share of letters stands in it twice: as being sent, on the disk before the first of them leaves, and as sent, once
the broker has all of them. Only the second counts. A run that dies in between leaves letters of which nobody knows; the
next run sends them again, and says so, as long as the service still drops what it has scored before.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias

import msgspec

from runtime.errors import Misconfigured

Origin: TypeAlias = tuple[str, int, int]
"""Topic, partition and offset of the record that became a dead letter: its own offset changes when a customer is
forgotten."""

REMEMBERED: Final = timedelta(hours=20)
"""How long sending again does no harm: the service knows transactions for 24 hours, and there is a queue before it."""


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
    state: Literal["sending", "sent"] = "sent"

    @property
    def origin(self) -> Origin:
        """Where the letter came from."""
        return self.source_topic, self.source_partition, self.source_offset


@dataclass(frozen=True, slots=True)
class Recorded:
    """The content of a record.

    Attributes:
        sent: letters that the broker has.
        doubtful: letters that a run was sending when it stopped -> when.
    """

    sent: frozenset[Origin] = frozenset()
    doubtful: dict[Origin, datetime] = field(default_factory=dict)


def recorded(record: Path) -> Recorded:
    """Reads a record; an absent one says nothing.

    Raises:
        Misconfigured: it is no such record.
    """
    try:
        lines = record.read_bytes().splitlines(keepends=True)
        # A line without its end was being written when the machine stopped: nothing had been sent yet.
        entries = [msgspec.json.decode(line, type=Entry) for line in lines if line.endswith(b"\n")]
        doubtful = {entry.origin: datetime.fromisoformat(entry.at) for entry in entries if entry.state == "sending"}
    except FileNotFoundError:
        return Recorded()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{record} is no record of redriven letters: {error}") from None
    sent = frozenset(entry.origin for entry in entries if entry.state == "sent")
    return Recorded(sent, {origin: at for origin, at in doubtful.items() if origin not in sent})


@contextmanager
def opened(record: Path) -> Iterator[BinaryIO]:
    """The record to append to, held against other runs; proven to be writable.

    Raises:
        Misconfigured: it cannot be written, or another run holds it.
    """
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        file = record.open("a+b")
    except OSError as error:
        raise Misconfigured(f"cannot write {record}: {error.strerror}; choose another file with --record") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(f"another redrive holds {record}: wait for it") from None
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        yield file


def append(file: BinaryIO, entries: Sequence[Entry], state: Literal["sending", "sent"]) -> None:
    """Writes lines; when this returns, they are on the disk.

    Raises:
        OSError: they may not be.
    """
    lines = (msgspec.json.encode(msgspec.structs.replace(entry, state=state)) + b"\n" for entry in entries)
    file.write(b"".join(lines))
    file.flush()
    os.fsync(file.fileno())
