"""How often somebody may try to log in: by name and by address, so that neither one password nor one list gets far."""

import threading
from collections import deque
from typing import Final

TRIES: Final = 5
"""Wrong passwords of one name, or from one address times `SHARED`, within the window."""

SHARED: Final = 4
"""An office has one address."""

WINDOW: Final = 300.0
"""Seconds."""

MOST: Final = 10_000
"""Keys that are remembered; past that nobody new may try until some have run out."""


class Tries:
    """Counts wrong passwords, in memory: a restart forgives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def allowed(self, name: str, address: str, now: float) -> bool:
        """Whether a try may be made; `now` in seconds that never go back."""
        with self._lock:
            self._forget(now)
            return (
                self._count(f"name {name}") < TRIES
                and self._count(f"address {address}") < TRIES * SHARED
                and len(self._failed) < MOST
            )

    def failed(self, name: str, address: str, now: float) -> None:
        """Notes a wrong password."""
        with self._lock:
            for key in (f"name {name}", f"address {address}"):
                self._failed.setdefault(key, deque(maxlen=TRIES * SHARED)).append(now)

    def _count(self, key: str) -> int:
        return len(self._failed.get(key, ()))

    def _forget(self, now: float) -> None:
        for key, times in list(self._failed.items()):
            while times and times[0] <= now - WINDOW:
                times.popleft()
            if not times:
                del self._failed[key]
