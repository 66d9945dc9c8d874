"""The secrets that processors sign with, by shop, and which field of a notice names the payment."""

import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from runtime.errors import Misconfigured

PROCESSORS: Final = ("stripe", "adyen")
DEFAULT_FIELD: Final = {"stripe": "payment_intent", "adyen": "merchantReference"}


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret.

    Attributes:
        shop: whose it is.
        key: Stripe's endpoint secret (`whsec_…`), or Adyen's HMAC key in hex.
        transaction_id: field of a notice that names the payment, with dots into objects.
    """

    shop: str
    key: str
    transaction_id: str

    def reference(self, thing: Any) -> str | None:  # noqa: ANN401 - JSON
        """The payment that a notice is about; None where it does not say."""
        for name in self.transaction_id.split("."):
            thing = thing.get(name) if isinstance(thing, dict) else None
        return thing if isinstance(thing, str) and 0 < len(thing) <= 256 else None


def read_secrets(path: Path | None) -> dict[str, list[Secret]]:
    """The secrets by processor; none without a file.

    Raises:
        Misconfigured: it cannot be read.
    """
    if path is None:
        return {processor: [] for processor in PROCESSORS}
    try:
        given = json.loads(path.read_bytes())
        found = {
            processor: [
                Secret(one["shop"], one["secret"], one.get("transaction_id", DEFAULT_FIELD[processor]))
                for one in given.get(processor, [])
            ]
            for processor in PROCESSORS
        }
        for secret in found["adyen"]:
            binascii.unhexlify(secret.key)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"cannot read the webhook secrets in {path}: {type(error).__name__}: {error}") from None
    unknown = set(given) - set(PROCESSORS)
    if unknown:
        raise Misconfigured(f"{path} has {', '.join(sorted(unknown))}: known are {', '.join(PROCESSORS)}")
    return found
