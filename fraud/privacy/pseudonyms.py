"""Pseudonyms of ids, by keyed HMAC: equal for equal ids, so that logs and alerts can be joined, but not traced back.

A hash without a key would not do: ids are few enough to try them all.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from fraud.contracts.fields import PERSONAL
from fraud.contracts.outbound import Alert, alert_id

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

    def alert(self, alert: Alert) -> Alert:
        """The alert with pseudonyms in its body and in the embedded transaction alike; its key is then `customer_id`.

        The alert's id is made anew from the pseudonym, since the old one could be found by trying transaction ids.
        """
        changes = self.event_fields(alert.transaction.model_dump(include=set(PERSONAL)))
        pseudonym = self.of(alert.transaction_id)
        return alert.model_copy(
            update={
                "alert_id": alert_id(pseudonym, alert.stage),
                "transaction_id": pseudonym,
                "customer_id": self.of(alert.customer_id),
                "transaction": alert.transaction.model_copy(update=changes),
            }
        )
