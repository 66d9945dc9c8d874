"""Liveness and readiness of the service."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Health:
    """Alive while the loop turns; ready while it could score.

    Waiting for the broker fails readiness, never liveness: a restart would not bring the broker back.

    Attributes:
        monotonic: seconds that never go back.
        limit: seconds without a turn after which the loop counts as stuck.
        unready: why the service is not ready, None when it is.
        longest: seconds of the longest turn so far.
    """

    monotonic: Callable[[], float]
    limit: float
    unready: str | None = "starting"
    longest: float = 0.0
    _turned: float | None = None

    def beat(self) -> None:
        """Notes that the loop turns."""
        now = self.monotonic()
        if self._turned is not None:
            self.longest = max(self.longest, now - self._turned)
        self._turned = now

    def stuck(self) -> str | None:
        """Why the service is not alive, None when it is."""
        if self._turned is None:
            return None  # still starting; the orchestrator's own start-up limit counts
        since = self.monotonic() - self._turned
        return f"the loop has not turned for {since:.0f} s" if since > self.limit else None
