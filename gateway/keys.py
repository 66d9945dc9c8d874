"""API keys: a shop's own, kept as hashes in a file that the running gateway looks at.

A key is `fgw_<id>_<secret>`; the secret has 256 random bits, so that a plain SHA-256 of it cannot be searched, and to
look a key up costs microseconds instead of a password hash's tenth of a second.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from runtime.errors import Misconfigured
from runtime.files import write_json

_KEY: Final = re.compile(r"fgw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SHOP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Scope(StrEnum):
    """What a key may be used for."""

    PAYMENTS = "payments"
    OUTCOMES = "outcomes"
    LABELS = "labels"
    DECISIONS = "decisions"
    ENTITIES = "entities"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret.

    Attributes:
        id: its public part.
        shop: whose it is.
        scopes: what it may be used for.
        sha256: of the whole key, hex.
        created_at: ISO 8601.
        expires_at: from when on it is refused; None: never.
        rate: requests a second; None: the gateway's setting.
    """

    id: str
    shop: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: str
    expires_at: str | None = None
    rate: float | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it may be used now."""
        return self.expires_at is None or now < datetime.fromisoformat(self.expires_at)


def new_key(shop: str, scopes: Iterable[Scope], *, now: datetime, rate: float | None = None) -> tuple[str, ApiKey]:
    """A key's text, which nobody can show again, and what is kept of it.

    Raises:
        Misconfigured: the shop's name will not do.
    """
    if not _SHOP.fullmatch(shop):
        raise Misconfigured("a shop is named by up to 64 letters, digits, '.', '_' and '-'")
    public = secrets.token_hex(6)
    text = f"fgw_{public}_{secrets.token_urlsafe(32)}"
    return text, ApiKey(public, shop, tuple(scopes), _hash(text), now.isoformat(), rate=rate)


class KeyFile:
    """The file of keys.

    Args:
        path: of it; where there is none there are no keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def refresh(self) -> bool:
        """Reads the file again where it has changed; whether it had.

        Raises:
            Misconfigured: it cannot be read; the keys stay what they were.
        """
        try:
            state = self._path.stat()
        except FileNotFoundError:
            changed, self._read, self._keys = self._read is not None, None, {}
            return changed
        stamp = state.st_mtime_ns, state.st_ino
        if stamp == self._read:
            return False
        self._keys = {key.id: key for key in self.load()}
        self._read = stamp
        return True

    def load(self) -> list[ApiKey]:
        """The keys as the file has them now.

        Raises:
            Misconfigured: it cannot be read.
        """
        try:
            found = json.loads(self._path.read_bytes())["keys"]
            return [ApiKey(**{**one, "scopes": tuple(map(Scope, one["scopes"]))}) for one in found]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Misconfigured(f"cannot read the keys in {self._path}: {error}") from None

    def save(self, keys: Sequence[ApiKey]) -> None:
        """Replaces the file; only its owner can read it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, {"keys": [asdict(key) for key in keys]})

    def find(self, text: str, now: datetime) -> ApiKey | None:
        """The key of this text, where it is known and valid; its hash is compared in constant time."""
        match = _KEY.fullmatch(text)
        key = self._keys.get(match[1]) if match else None
        given = _hash(text)
        if key is None or not hmac.compare_digest(given, key.sha256) or not key.valid(now):
            return None
        return key


def expired(key: ApiKey, at: datetime) -> ApiKey:
    """It, refused from then on, or earlier where it was so already."""
    until = at.isoformat()
    if key.expires_at is not None and datetime.fromisoformat(key.expires_at) < at:
        until = key.expires_at
    return replace(key, expires_at=until)


def rotated(key: ApiKey, *, now: datetime, grace: timedelta) -> tuple[str, ApiKey, ApiKey]:
    """A new key's text, what is kept of it, and the old one, refused after the grace."""
    text, made = new_key(key.shop, key.scopes, now=now, rate=key.rate)
    return text, made, expired(key, now + grace)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
