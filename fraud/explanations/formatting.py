"""Numbers as people read them in a sentence: `f"{Quantity(8.0):n card}"` is "8 cards"."""

import math
from dataclasses import dataclass
from typing import Final

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY: Final = 24.0
_MONTH: Final = 30.44 * _DAY


@dataclass(frozen=True, slots=True)
class Quantity:
    """A feature's value for a format string.

    Attributes:
        value: the number.
        currency: for `money`.
        angle: sine and cosine, for `clock` and `weekday`.
    """

    value: float
    currency: str = ""
    angle: tuple[float, float] | None = None

    def __format__(self, spec: str) -> str:
        """In words for the formats of this module, else as a float.

        `n NOUN` counts, `money` has the currency, `span` is a length of time given in hours, `times` and `sigmas` say
        how far above the usual (given in doublings and in standard deviations), `clock` and `weekday` read an angle.
        """
        kind, _, noun = spec.partition(" ")
        told = {"n": lambda: self._count(noun), "money": self._money, "span": self._span, "times": self._times,
                "sigmas": self._sigmas, "clock": self._clock, "weekday": self._weekday}  # fmt: skip
        return told[kind]() if kind in told else format(self.value, spec)

    def _count(self, noun: str) -> str:
        return f"1 {noun}" if self.value == 1 else f"{self.value:,.0f} {noun}s" if self.value else f"no {noun}s"

    def _money(self) -> str:
        return f"{self.currency} {self.value:,.2f}".lstrip()

    def _span(self) -> str:
        hours = self.value
        if hours < 1 / 60:
            return "less than a minute"
        if hours < 1:
            return f"{hours * 60:.0f} min"
        if hours < 2 * _DAY:
            return f"{hours:.0f} h"
        if hours < 2 * _MONTH:
            return f"{hours / _DAY:.0f} days"
        return f"{hours / _MONTH:.0f} months" if hours < 24 * _MONTH else f"{hours / 12 / _MONTH:.0f} years"

    def _times(self) -> str:
        factor = 2.0 ** min(self.value, 60.0)
        return f"{factor:.1f} times" if factor < 10 else f"{factor:,.0f} times"

    def _sigmas(self) -> str:
        return f"{abs(self.value):.1f} standard deviations {'above' if self.value >= 0 else 'below'}"

    def _turn(self) -> float:
        """The angle as a share of the full circle, 0 to 1."""
        sine, cosine = self.angle or (0.0, 1.0)
        return math.atan2(sine, cosine) / (2 * math.pi) % 1.0

    def _clock(self) -> str:
        minutes = round(self._turn() * 1440) % 1440
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    def _weekday(self) -> str:
        return _WEEKDAYS[round(self._turn() * 7) % 7]
