"""Short names for configurations: equal content gives equal names, in every process and version."""

import hashlib
import json
from collections.abc import Mapping


def fingerprint(content: Mapping[str, object]) -> str:
    """The first 16 hex digits of SHA-256 over canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
