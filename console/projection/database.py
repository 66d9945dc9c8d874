"""The SQLite file: one writer, the follower; any number of readers, each thread with a connection of its own."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from console.projection.schema import SHOWN, TABLES, VERSION
from runtime.errors import Unavailable

Positions = Mapping[tuple[str, int], int]


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The file with its tables; one of another version, or one that is damaged, is begun anew: the log has it all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not _usable(path):
        remove(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # After a power cut the last transactions may be missing, offsets and rows alike: they are read again.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Links are inserted all over their tree: with SQLite's own 2 MB each insert would fetch a page anew.
    connection.execute("PRAGMA cache_size = -131072")
    if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    return connection


def remove(path: Path) -> None:
    """Deletes the file and what SQLite keeps beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _usable(path: Path) -> bool:
    try:
        with sqlite3.connect(path) as connection:
            return bool(connection.execute("PRAGMA user_version").fetchone()[0] == VERSION)
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()


class Readers:
    """Connections that only read, one a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    @contextmanager
    def view(self) -> Iterator[sqlite3.Connection]:
        """One state of all tables for as long as the block lasts.

        Raises:
            Unavailable: there is no projection yet.
        """
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise Unavailable(f"cannot read {self._path}: {error}") from None
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA mmap_size = 1073741824")
        return connection


def digest(connection: sqlite3.Connection) -> str:
    """SHA-256 of every row that pages show, in the order of their keys: equal for equal content."""
    content = sha256()
    for table in SHOWN:
        columns = len(connection.execute(f"PRAGMA table_info({table})").fetchall())
        order = ", ".join(map(str, range(1, columns + 1)))
        content.update(f"{table}\n".encode())
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608 - as above
            content.update(repr(tuple(row)).encode())
    return content.hexdigest()


def positions(connection: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """The next offset of each (topic, partition)."""
    return {(row["topic"], row["partition"]): row["next"] for row in connection.execute("SELECT * FROM position")}
