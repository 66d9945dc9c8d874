"""How many payments are at the scorer at once, and who is let in: the bound follows how long decisions take.

The bound grows while decisions come in time and shrinks by a tenth when one takes too long (additive increase,
multiplicative decrease: Chiu and Jain 1989, https://doi.org/10.1016/0169-7552(89)90019-6). A shop may have
twice as many there as it leaves free (Choudhury and Hahne 1998, https://doi.org/10.1109/90.664262): one alone gets two
thirds of the bound, and however much it sends, the others find room.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

LEAST: Final = 16.0
"""The scorer takes as many in one commit for nearly the price of one."""

START: Final = 64.0
SHARE: Final = 2.0
SHRINK: Final = 0.9
PATIENCE: Final = 0.1
"""Seconds between two steps down: what was let in before the first one still comes."""

QUICK: Final = 0.3
"""Share of its deadline below which a decision lets the bound grow by a whole payment: after a bad moment it shall not
take minutes to believe in a good one."""

SLOW: Final = 0.6
"""Share of its deadline that a decision may take before the bound shrinks."""


class Admission:
    """Counts what is at the scorer.

    Args:
        most: upper bound of the bound.
        monotonic: seconds that never go back.
    """

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = float(most)
        self._monotonic = monotonic
        self._shops: Counter[str] = Counter()
        self._shrunk = float("-inf")
        self.limit = min(START, self._most)
        self.outstanding = 0

    def admits(self, shop: str) -> bool:
        """Whether one more payment of this shop may go now."""
        free = self.limit - self.outstanding
        return free >= 1 and self._shops[shop] < SHARE * free

    @property
    def spare(self) -> int:
        """How many payments nobody waits for may go now: they leave half of the bound to those somebody waits for."""
        return max(0, int(self.limit / 2) - self.outstanding)

    def enter(self, shop: str) -> None:
        """One more is at the scorer."""
        self.outstanding += 1
        self._shops[shop] += 1

    def leave(self, shop: str) -> None:
        """One is there no more."""
        self.outstanding -= 1
        self._shops[shop] -= 1
        if not self._shops[shop]:
            del self._shops[shop]

    def decided(self, took: float, deadline: float) -> None:
        """Notes how long somebody waited for a decision, and how long he would have."""
        if took > SLOW * deadline:
            self.late()
        elif self.outstanding * 2 > self.limit:
            step = 1.0 if took < QUICK * deadline else 1.0 / self.limit
            self.limit = min(self._most, self.limit + step)

    def late(self) -> None:
        """Notes that a decision did not come in time."""
        now = self._monotonic()
        if now - self._shrunk >= PATIENCE:
            self._shrunk = now
            self.limit = max(min(LEAST, self._most), self.limit * SHRINK)
