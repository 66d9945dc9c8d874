"""Pseudonyms of ids, by keyed HMAC: equal for equal ids, so that logs and alerts can be joined, but not traced back.

A hash without a key would not do: ids are few enough to try them all.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from fraud.contracts.fields import PERSONAL

PREFIX: Final = "ps_"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Replaces ids. The secret must stay the same for as long as pseudonyms are to be joined."""

    secret: bytes

    def of(self, value: str) -> str:
        """The pseudonym of one id; the same whatever field it stands in."""
        return PREFIX + hmac.digest(self.secret, value.encode(), "sha256")[:16].hex()

    def event_fields(self, fields: dict[str, str | None]) -> dict[str, str]:
        """Pseudonyms of those fields that hold an id."""
        return {name: self.of(value) for name in PERSONAL if (value := fields.get(name)) is not None}

    def event(self, event: object) -> dict[str, str]:
        """What to replace in an event (`msgspec.structs.replace(event, **changes)`)."""
        return self.event_fields({name: getattr(event, name, None) for name in PERSONAL})
