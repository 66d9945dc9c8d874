"""The key of card numbers' tokens: derived from the secret, or made once and kept in a file."""

import secrets
from pathlib import Path
from typing import Final

from fraud.privacy.keys import CARD_NUMBERS, derived
from runtime.errors import Misconfigured
from runtime.files import create_once
from runtime.settings import Secret, revealed

KEY_FILE: Final = "card-numbers.key"
"""Holds the key where no secret is set."""

_BYTES: Final = 32


def card_number_key(secret: Secret | None, folder: Path, *, variable: str) -> bytes:
    """The key of card numbers' tokens: of the secret, or else the one that is kept in a folder.

    Histories are keyed by tokens: every start, and every instance that shares the folder, must make the same.

    Args:
        secret: of the platform, None without one.
        folder: where the key is kept without a secret.
        variable: that names the folder, for the error's text.

    Raises:
        Misconfigured: the folder cannot be written, or the file is no key.
    """
    text = revealed(secret)
    if text is not None:
        return derived(text, CARD_NUMBERS)
    path = folder / KEY_FILE
    try:
        return kept_key(path)
    except OSError as error:
        raise Misconfigured(f"cannot write {path}: {error.strerror}: set {variable} or FRAUD_SECRET") from None


def kept_key(path: Path) -> bytes:
    """The 32 random bytes of a file that only its owner can read, made when it is not there yet.

    Of several processes that make it at once, all get the first one's.

    Raises:
        OSError: it cannot be read, or made.
        Misconfigured: it holds something else.
    """
    if not path.exists():
        create_once(path, secrets.token_bytes(_BYTES))
    key = path.read_bytes()
    if len(key) != _BYTES:
        raise Misconfigured(f"{path} is no key of {_BYTES} bytes: remove it, or set FRAUD_SECRET")
    return key
