"""Passwords, kept as scrypt hashes (RFC 7914)."""

import hashlib
import hmac
import secrets
from typing import Final

SHORTEST: Final = 12
COST: Final = 1 << 15
"""CPU and memory: 32 MiB and about 0.1 s for each try."""

_BLOCK: Final = 8
_LANES: Final = 1
_MEMORY: Final = 64 << 20


def hashed(password: str, *, cost: int = COST) -> str:
    """What is kept of a password: cost, salt and hash."""
    salt = secrets.token_bytes(16)
    return f"{cost}${salt.hex()}${_scrypt(password, salt, cost).hex()}"


def matches(password: str, kept: str) -> bool:
    """Whether it is the password, in time that does not depend on how far it is right."""
    cost, salt, expected = kept.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt), int(cost)), bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=32)
