"""The machine's clocks."""

import time


class SystemClock:
    """See `service.ports.Clock`."""

    def now_us(self) -> int:
        """µs since 1970 UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
