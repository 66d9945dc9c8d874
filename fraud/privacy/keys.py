"""Keys for each purpose, derived from the one secret that a platform sets; both programs must derive the same."""

import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

CARD_NUMBERS: Final = b"card numbers"
PSEUDONYMS: Final = b"pseudonyms"
EXPLORATION: Final = b"exploration"
MANIFESTS: Final = b"manifests of models"
HISTORIES: Final = b"histories"
SNAPSHOTS: Final = b"snapshots"

KEY_FILE: Final = "card-numbers.key"
"""Holds the key of card numbers' tokens where no secret is set."""

_BYTES: Final = 32
_SHORTEST: Final = 16


def _long_enough(secret: SecretStr) -> SecretStr:
    stripped = secret.get_secret_value().strip()
    if len(stripped) < _SHORTEST:
        raise ValueError(f"must have at least {_SHORTEST} characters; `openssl rand -hex 32` makes one")
    return SecretStr(stripped)


Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A setting that nobody can guess; white space around it, as a file or a variable may have, does not count."""


def derived(secret: str, purpose: bytes) -> bytes:
    """32 bytes: HMAC-SHA-256 of the purpose, so that no key tells another one."""
    return hmac.digest(secret.encode(), purpose, "sha256")


def kept_key(path: Path) -> bytes:
    """The 32 random bytes of a file that only its owner can read, made when it is not there yet.

    Of several processes that make it at once, all get the first one's.

    Raises:
        OSError: it cannot be read, or made.
        ValueError: it holds something else.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by the owner only
        try:
            with os.fdopen(made, "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(name, path)  # unlike a rename it never replaces a key that is in use
        finally:
            Path(name).unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) != _BYTES:
        raise ValueError(f"{path} is no key of {_BYTES} bytes: remove it, or set FRAUD_SECRET")
    return key
