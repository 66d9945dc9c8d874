"""What was accepted, kept in a file until Kafka has it, and known again for a day: SQLite, in a thread of its own.

Everything that waits is written in one transaction, synced to the disk once: the more comes, the less each costs.
docs/adr/0022-a-journal-before-the-log.md says why it is here and not in Kafka.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, Self, TypeAlias, TypeVar, cast

import msgspec

from gateway.inbox import Inbox
from runtime.errors import Misconfigured, Unavailable
from runtime.kafka.delivery import Outgoing, Placed
from runtime.kafka.follower import Place

T = TypeVar("T")
Operation: TypeAlias = Callable[[sqlite3.Connection], T]
_Done: TypeAlias = Callable[[object, BaseException | None], None]

MOST_AT_ONCE: Final = 500
NOTE_SECONDS: Final = 0.05
PURGED_AT_ONCE: Final = 2_000
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL, id TEXT NOT NULL, shop TEXT NOT NULL, digest BLOB NOT NULL, accepted_ms INTEGER NOT NULL,
    topic TEXT NOT NULL, key BLOB, value BLOB, headers BLOB,
    partition INTEGER, "offset" INTEGER,
    answer BLOB, decision BLOB,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS unsent ON entries (seq) WHERE partition IS NULL;
CREATE INDEX IF NOT EXISTS undecided ON entries (seq) WHERE decision IS NULL AND kind = 0;
CREATE INDEX IF NOT EXISTS accepted ON entries (accepted_ms);
CREATE TABLE IF NOT EXISTS journal (name TEXT NOT NULL);
INSERT INTO journal SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT * FROM journal);
CREATE TABLE IF NOT EXISTS positions (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signatures (signature TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL) WITHOUT ROWID;
"""


class Kind(IntEnum):
    """What an entry is; ids are unique within a kind."""

    PAYMENT = 0
    OUTCOME = 1
    LABEL = 2
    NOTICE = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be kept and delivered.

    Attributes:
        kind: what it is.
        id: of what it is, by the contract.
        shop: whose key sent it.
        digest: of the content: the same id with another is a conflict.
        topic: where it goes.
        key: of the record.
        value: of the record.
        headers: of the record.
        accepted_ms: wall time; also the record's timestamp.
    """

    kind: Kind
    id: str
    shop: str
    digest: bytes
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    accepted_ms: int

    def outgoing(self, seq: int) -> Outgoing:
        """It as a message, once it has a number."""
        return Outgoing(seq, self.topic, self.key, self.value, self.headers, self.accepted_ms)


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as the journal knows it.

    Attributes:
        seq: its number here.
        shop: whose it is.
        digest: of its content.
        partition: where it stands in its topic; None: it is not known to be there.
        offset: the same.
        answer: what was answered without a decision, JSON.
        decision: what was decided, JSON.
    """

    seq: int
    shop: str
    digest: bytes
    partition: int | None
    offset: int | None
    answer: bytes | None
    decision: bytes | None


@dataclass(frozen=True, slots=True)
class Undecided:
    """A payment whose decision is not known; the rest as `Kept` has it."""

    seq: int
    id: str
    shop: str
    digest: bytes
    partition: int | None
    offset: int | None
    answer: bytes | None


class Journal:
    """The file, and the thread that writes it.

    Args:
        path: of the file; made when it is not there.
        loop: where those who `submit` wait.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._results: Inbox[Callable[[], None]] = Inbox(loop, _call_all)
        self._loop = loop
        self._queue: queue.SimpleQueue[tuple[Operation[object], _Done] | None] = queue.SimpleQueue()
        self._notes: deque[Operation[object]] = deque()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._connection: sqlite3.Connection | None = None
        self.name = ""
        """Names this file in headers of what it sends; known once it is open."""

    def open(self) -> Self:
        """Opens the file and starts the thread.

        Raises:
            Misconfigured: the file cannot be had, or is another process's.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=2.0)
            # One process: nobody else can write, or even open it, until this one ends.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(SCHEMA)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
            (self.name,) = connection.execute("SELECT name FROM journal").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise Misconfigured(
                f"cannot use the journal {self._path}: {error}; set FRAUD_GATEWAY_JOURNAL to a file that no other "
                "process uses"
            ) from None
        self._connection = connection
        self._thread.start()
        return self

    def close(self) -> None:
        """Writes what waits and closes the file."""
        self._queue.put(None)
        self._thread.join()
        if self._connection is not None:
            self._connection.close()

    def submit(self, operation: Operation[T]) -> "asyncio.Future[T]":
        """Does something in the next transaction; done once that is on the disk. From the loop's thread."""
        future: asyncio.Future[T] = self._loop.create_future()

        def settle(result: object, error: BaseException | None) -> None:
            if future.done():  # whoever waited has gone
                return
            if error is None:
                future.set_result(cast("T", result))
            else:
                future.set_exception(error)

        self._queue.put((operation, lambda result, error: self._results.put([lambda: settle(result, error)])))
        return future

    def note(self, operation: Operation[object]) -> None:
        """Does something before whatever is asked next, within NOTE_SECONDS, for nobody who waits. From any thread.

        What is noted can be found out again from Kafka: it is worth no write of its own.
        """
        self._notes.append(operation)

    def wait(self, operation: Operation[T]) -> T:
        """Does something in the next transaction and blocks until it is on the disk. Not from the loop's thread."""
        future: Future[T] = Future()

        def settle(result: object, error: BaseException | None) -> None:
            if error is None:
                future.set_result(cast("T", result))
            else:
                future.set_exception(error)

        self._queue.put((operation, settle))
        return future.result()

    def _run(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=NOTE_SECONDS)
            except queue.Empty:
                self._write(())
                continue
            if first is None:
                break
            waiting = [first]
            while len(waiting) < MOST_AT_ONCE and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                waiting.append(following)
            self._write(waiting)
        self._write(())

    def _write(self, waiting: Sequence[tuple[Operation[object], _Done]]) -> None:
        connection = cast("sqlite3.Connection", self._connection)
        notes = [(self._notes.popleft(), _nobody) for _ in range(len(self._notes))]
        if not notes and not waiting:
            return
        outcomes: list[tuple[_Done, object, BaseException | None]] = []
        try:
            connection.execute("BEGIN")
            for operation, done in (*notes, *waiting):
                try:
                    outcomes.append((done, operation(connection), None))
                except sqlite3.IntegrityError as error:
                    outcomes.append((done, None, error))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = Unavailable(f"cannot write the journal {self._path}: {error}")
            outcomes = [(done, None, failure) for _, done in waiting]
            self._notes.extendleft(note for note, _ in reversed(notes))
        for done, result, failed in outcomes:
            done(result, failed)


def _nobody(_result: object, _error: BaseException | None) -> None:
    """Whom a note is done for."""


_COLUMNS: Final = 'seq, shop, digest, partition, "offset", answer, decision'


def accept(entry: Entry) -> Operation[tuple[Kept, bool]]:
    """Keeps an entry and says that it is new, unless its id is known: then what is known of that."""

    def operation(connection: sqlite3.Connection) -> tuple[Kept, bool]:
        row = connection.execute(
            "INSERT INTO entries (kind, id, shop, digest, accepted_ms, topic, key, value, headers) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq",
            (
                entry.kind, entry.id, entry.shop, entry.digest, entry.accepted_ms, entry.topic, entry.key, entry.value,
                msgspec.msgpack.encode(entry.headers),
            ),
        ).fetchall()  # fmt: skip
        if row:
            return Kept(row[0][0], entry.shop, entry.digest, None, None, None, None), True
        return cast("Kept", find(entry.kind, entry.id)(connection)), False

    return operation


def find(kind: Kind, of: str) -> Operation[Kept | None]:
    """The entry of an id."""

    def operation(connection: sqlite3.Connection) -> Kept | None:
        row = connection.execute(f"SELECT {_COLUMNS} FROM entries WHERE kind = ? AND id = ?", (kind, of)).fetchone()  # noqa: S608 - a constant
        return None if row is None else Kept(*row)

    return operation


def place(placed: Iterable[Placed]) -> Operation[None]:
    """Notes where messages stand; the bytes are Kafka's to keep from now on."""
    rows = [(p.partition, p.offset, p.number) for p in placed]

    def operation(connection: sqlite3.Connection) -> None:
        connection.executemany(
            'UPDATE entries SET partition = ?, "offset" = ?, key = NULL, value = NULL, headers = NULL WHERE seq = ?',
            rows,
        )

    return operation


def decide(decided: Sequence[tuple[str, bytes]], positions: Mapping[Place, int]) -> Operation[None]:
    """Notes what was decided on payments, and up to where the topics that say so are read."""

    def operation(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", [(*place, at) for place, at in positions.items()]
        )
        connection.executemany(
            "UPDATE entries SET decision = ? WHERE kind = 0 AND id = ?", [(answer, of) for of, answer in decided]
        )

    return operation


def positions(connection: sqlite3.Connection) -> dict[Place, int]:
    """Up to where the topics of decisions are read."""
    return {(topic, partition): at for topic, partition, at in connection.execute("SELECT * FROM positions")}


def answered(of: str, answer: bytes) -> Operation[None]:
    """Notes what a payment was answered without a decision; the first such answer stays."""

    def operation(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE entries SET answer = coalesce(answer, ?) WHERE kind = 0 AND id = ?", (answer, of))

    return operation


def load(numbers: Sequence[int]) -> Operation[list[Outgoing]]:
    """The messages of those entries that are not known to be in Kafka, in order."""

    def operation(connection: sqlite3.Connection) -> list[Outgoing]:
        marks = ",".join("?" * len(numbers))
        rows = connection.execute(
            "SELECT seq, topic, key, value, headers, accepted_ms FROM entries "  # noqa: S608 - question marks
            f"WHERE partition IS NULL AND seq IN ({marks}) ORDER BY seq",
            numbers,
        ).fetchall()
        return [
            Outgoing(seq, topic, key, value, msgspec.msgpack.decode(headers, type=list[tuple[str, bytes]]), at)
            for seq, topic, key, value, headers, at in rows
        ]

    return operation


def unsent(connection: sqlite3.Connection) -> list[tuple[int, str, int]]:
    """Number, topic and time of every entry that is not known to be in Kafka, in order."""
    return connection.execute(
        "SELECT seq, topic, accepted_ms FROM entries WHERE partition IS NULL ORDER BY seq"
    ).fetchall()


def undecided(since_ms: int) -> Operation[list[Undecided]]:
    """Payments accepted since then whose decision is not known."""

    def operation(connection: sqlite3.Connection) -> list[Undecided]:
        rows = connection.execute(
            'SELECT seq, id, shop, digest, partition, "offset", answer FROM entries '
            "WHERE decision IS NULL AND kind = 0 AND accepted_ms >= ? ORDER BY seq",
            (since_ms,),
        )
        return [Undecided(*row) for row in rows]

    return operation


def first_sight(signature: str, now_ms: int) -> Operation[bool]:
    """Whether a webhook's signature comes for the first time; it is known from now on."""

    def operation(connection: sqlite3.Connection) -> bool:
        return bool(
            connection.execute(
                "INSERT INTO signatures VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1", (signature, now_ms)
            ).fetchall()
        )

    return operation


def purge(before_ms: int) -> Operation[int]:
    """Forgets some of what is older and in Kafka; how many entries that were."""

    def operation(connection: sqlite3.Connection) -> int:
        connection.execute("DELETE FROM signatures WHERE seen_ms < ?", (before_ms,))
        done = connection.execute(
            "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE accepted_ms < ? "
            "AND partition IS NOT NULL LIMIT ?)",
            (before_ms, PURGED_AT_ONCE),
        )
        return done.rowcount

    return operation


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()
