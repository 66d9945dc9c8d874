"""The order of the queue: what a minute of an analyst saves."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

UNREVIEWED: Final = ("allow", "challenge", "block")


def worth(costs: Mapping[str, float], minutes: float) -> float:
    """Money saved per analyst's minute, in units of the base currency.

    What the payment is expected to cost without a review (the cheapest of the other actions, which the policy takes
    when nobody has time), less what it is expected to cost with one, over the minutes that the review takes.
    """
    return (min(float(costs[action]) for action in UNREVIEWED) - float(costs["review"])) / minutes


def draw(transaction_id: str) -> float:
    """Uniform in [0, 1), fixed for a payment and unrelated to its score: who is below the share is drawn."""
    return int.from_bytes(blake2b(transaction_id.encode(), digest_size=6, person=b"blind").digest(), "big") / 2**48
