"""The accounts' SQLite file: users, sessions, saved views, and what was done.

It is of this console alone, and no log rebuilds it: back it up.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from console.accounts.passwords import COST, SHORTEST, hashed, matches
from console.accounts.roles import Role
from runtime.errors import Misconfigured

NAME_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_@")
IDLE_US: Final = 1_800_000_000
"""µs without a request after which a session ends: half an hour."""

TOUCH_US: Final = 60_000_000
"""How often a session in use is written: once a minute, not at each request."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS user (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, active INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS session (
    token TEXT PRIMARY KEY, name TEXT NOT NULL, csrf TEXT NOT NULL, until_us INTEGER NOT NULL, used_us INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS saved_view (name TEXT, title TEXT, query TEXT NOT NULL, PRIMARY KEY (name, title));
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, name TEXT NOT NULL, act TEXT NOT NULL, subject TEXT NOT NULL,
    result TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class User:
    """Who is there."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in: who, and the token that each of its forms must carry."""

    user: User
    csrf: str


class Accounts:
    """Users, sessions, views and the audit; safe to use from any thread.

    Args:
        path: of the file.
        cost: of scrypt, for new passwords.
    """

    def __init__(self, path: Path, *, cost: int = COST) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._cost = cost
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        # What was done is written down before it is answered: a power cut must not take it back.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_TABLES)
        self._nobody = hashed(secrets.token_hex(16), cost=cost)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def put_user(self, name: str, role: Role, password: str) -> None:
        """Adds a user, or changes role and password; sessions that are open end.

        Raises:
            Misconfigured: name or password will not do.
        """
        if not 1 <= len(name) <= 64 or not NAME_CHARACTERS.issuperset(name):
            raise Misconfigured("a user's name has 1 to 64 of a-z, 0-9, '.', '-', '_' and '@'")
        if len(password) < SHORTEST:
            raise Misconfigured(f"a password has at least {SHORTEST} characters")
        kept = hashed(password, cost=self._cost)
        with self._run() as run:
            run(
                "INSERT INTO user VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET role = excluded.role,"
                " password = excluded.password, active = 1",
                (name, role.name, kept),
            )
            run("DELETE FROM session WHERE name = ?", (name,))

    def remove_user(self, name: str) -> bool:
        """Shuts a user out, sessions included; what the user did stays. False: there is none of that name."""
        with self._run() as run:
            run("DELETE FROM session WHERE name = ?", (name,))
            return run("UPDATE user SET active = 0 WHERE name = ? AND active", (name,)).rowcount == 1

    def users(self) -> list[User]:
        """Who may log in, by name."""
        with self._run() as run:
            return [
                User(row["name"], Role[row["role"]]) for row in run("SELECT * FROM user WHERE active ORDER BY name")
            ]

    def user(self, name: str) -> User | None:
        """One of them."""
        return next((user for user in self.users() if user.name == name), None)

    def check(self, name: str, password: str) -> User | None:
        """The user whose password that is; takes as long for a name that does not exist."""
        with self._run() as run:
            row = run("SELECT * FROM user WHERE name = ? AND active", (name,)).fetchone()
        right = matches(password, self._nobody if row is None else row["password"])
        return User(row["name"], Role[row["role"]]) if right and row is not None else None

    def open_session(self, user: User, *, now_us: int, seconds: float) -> str:
        """The token of a new session; only its hash is kept."""
        token = secrets.token_urlsafe(32)
        with self._run() as run:
            run("DELETE FROM session WHERE until_us <= ? OR used_us <= ?", (now_us, now_us - IDLE_US))
            run("INSERT INTO session VALUES (?, ?, ?, ?, ?)",
                (_of(token), user.name, secrets.token_urlsafe(32), now_us + int(seconds * 1e6), now_us))  # fmt: skip
        return token

    def session(self, token: str, *, now_us: int) -> Session | None:
        """The session of a token, with the user's role of this moment."""
        with self._run() as run:
            row = run(
                "SELECT s.*, u.role FROM session s JOIN user u USING (name)"
                " WHERE token = ? AND active AND until_us > ? AND used_us > ?",
                (_of(token), now_us, now_us - IDLE_US),
            ).fetchone()
            if row is not None and now_us - row["used_us"] > TOUCH_US:
                run("UPDATE session SET used_us = ? WHERE token = ?", (now_us, _of(token)))
        return None if row is None else Session(User(row["name"], Role[row["role"]]), row["csrf"])

    def close_session(self, token: str) -> None:
        """Ends a session."""
        with self._run() as run:
            run("DELETE FROM session WHERE token = ?", (_of(token),))

    def views(self, name: str) -> list[tuple[str, str]]:
        """A user's saved views of the queue: title and query."""
        with self._run() as run:
            return [
                tuple(row) for row in run("SELECT title, query FROM saved_view WHERE name = ? ORDER BY title", (name,))
            ]

    def save_view(self, name: str, title: str, query: str) -> None:
        """Saves a view under its title; a user has at most fifty."""
        with self._run() as run:
            if run("SELECT count(*) FROM saved_view WHERE name = ?", (name,)).fetchone()[0] < 50:
                run("INSERT OR REPLACE INTO saved_view VALUES (?, ?, ?)", (name, title, query))

    def remove_view(self, name: str, title: str) -> None:
        """Forgets a view."""
        with self._run() as run:
            run("DELETE FROM saved_view WHERE name = ? AND title = ?", (name, title))

    def note(self, name: str, act: str, subject: str, result: str, *, now_us: int) -> None:
        """Writes down that somebody did something, or tried to."""
        with self._run() as run:
            run("INSERT INTO audit (at_us, name, act, subject, result) VALUES (?, ?, ?, ?, ?)",
                (now_us, name, act, subject[:300], result))  # fmt: skip

    def audit(self, *, limit: int, before: int | None = None) -> list[sqlite3.Row]:
        """What was done, newest first."""
        with self._run() as run:
            rows = run("SELECT * FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?", (before or 1 << 62, limit))
            return list(rows)

    @contextmanager
    def _run(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._lock:
            yield self._connection.execute


def _of(token: str) -> str:
    return sha256(token.encode()).hexdigest()
