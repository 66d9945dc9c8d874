"""What was accepted, kept in a file until Kafka has it, and known again for a day: SQLite, in a thread of its own.

Everything that waits is written in one transaction, synced to the disk once: the more comes, the less each costs.
docs/adr/0022-a-journal-before-the-log.md says why it is here and not in Kafka.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Self, TypeAlias, TypeVar, cast

from gateway.entries import SCHEMA, Operation
from gateway.inbox import Inbox
from runtime.errors import Misconfigured, Unavailable

T = TypeVar("T")
_Done: TypeAlias = Callable[[object, BaseException | None], None]

MOST_AT_ONCE: Final = 500
NOTE_SECONDS: Final = 0.05


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


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()
