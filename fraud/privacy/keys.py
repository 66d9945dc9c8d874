"""Keys for each purpose, derived from the one secret that a platform sets; both programs must derive the same."""

import hmac
from typing import Final

CARD_NUMBERS: Final = b"card numbers"
PSEUDONYMS: Final = b"pseudonyms"
EXPLORATION: Final = b"exploration"
MANIFESTS: Final = b"manifests of models"
HISTORIES: Final = b"histories"
SNAPSHOTS: Final = b"snapshots"


def derived(secret: str, purpose: bytes) -> bytes:
    """32 bytes: HMAC-SHA-256 of the purpose, so that no key tells another one."""
    return hmac.digest(secret.encode(), purpose, "sha256")
