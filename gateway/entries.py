"""What the journal keeps, and what can be done to it: its tables, its rows, and each operation on them."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias, TypeVar, cast

import msgspec

from runtime.kafka.delivery import Outgoing, Placed
from runtime.kafka.follower import Place

T = TypeVar("T")
Operation: TypeAlias = Callable[[sqlite3.Connection], T]
"""What is done within a transaction."""

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
