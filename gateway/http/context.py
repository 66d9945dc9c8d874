"""What every handler needs, in one value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from fraud.money import Rates
from gateway.checkout.checkout import Checkout
from gateway.checkout.fallback import Fallback
from gateway.disputes.secrets import Secret
from gateway.journal import Journal
from gateway.keys import KeyFile
from gateway.limits import RateLimits
from gateway.metrics import Metrics
from runtime.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds in which payments are answered: unless they say otherwise, and within which bounds they may."""

    usual: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Topics:
    """Where entries go."""

    transactions: str
    labels: str
    disputes: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of a gateway."""

    checkout: Checkout
    journal: Journal
    keys: KeyFile
    limits: RateLimits
    metrics: Metrics
    clock: SystemClock
    rates: Rates
    max_ahead_us: int
    deadlines: Deadlines
    fallback: Fallback
    topics: Topics
    secrets: Mapping[str, Sequence[Secret]]
    entities: Callable[[str, str], tuple[int, bytes]] | None
    documents: Mapping[str, bytes]

    def now(self) -> datetime:
        """Wall time."""
        return datetime.fromtimestamp(self.clock.now_us() / 1e6, UTC)

    def now_ms(self) -> int:
        """Wall time in ms, as Kafka's timestamps are."""
        return self.clock.now_us() // 1000


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    parts: Gateway = request.app.state.gateway
    return parts
