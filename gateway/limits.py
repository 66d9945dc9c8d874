"""How many requests a key may make: a token bucket each."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """Buckets by key; each holds two seconds' worth.

    Args:
        rate: requests a second of a key that names none.
        monotonic: seconds that never go back.
    """

    def __init__(self, rate: float, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, rate: float | None, cost: float = 1.0) -> float:
        """Takes a request's tokens; 0, or after how many seconds there would be enough. Only a request let in costs.

        Args:
            key: whose bucket; bounded by the number of keys, which is the operator's.
            rate: its own rate, where it has one.
            cost: tokens; what is more than the bucket can hold counts as full.
        """
        rate = self._rate if rate is None else rate
        most = max(1.0, 2 * rate)
        now = self._monotonic()
        bucket = self._buckets.setdefault(key, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        cost = min(cost, most)
        if bucket.tokens >= cost:
            bucket.tokens -= cost
            return 0.0
        return (cost - bucket.tokens) / rate
