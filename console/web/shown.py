"""How values look on a page: texts that cannot deceive, ids by role, times and money."""

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.accounts.roles import Role
from fraud.contracts.fields import PERSONAL
from fraud.timestamps import to_datetime

LONGEST: Final = 400
"""Characters of one value that a page shows."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that show nothing, or turn what stands beside them around."""

_KEPT: Final = frozenset("\n\t")


def plain(value: object) -> str:
    """A text with its invisible characters named and its length bounded; Jinja escapes what HTML would read."""
    text = str(value)
    cut = f"{text[:LONGEST]}… ({len(text):,} characters)" if len(text) > LONGEST else text
    if cut.isprintable():
        return cut
    return "".join(_visible(character) for character in cut)


def _visible(character: str) -> str:
    hidden = character not in _KEPT and unicodedata.category(character) in _UNSEEN
    return f"⟨U+{ord(character):04X}⟩" if hidden else character


@dataclass(frozen=True, slots=True)
class Personal:
    """Ids of people, cards and devices: analysts see them, viewers a stand-in that is equal for equal ids.

    Attributes:
        key: of the stand-ins, this console's own.
        role: whose page it is.
    """

    key: bytes
    role: Role

    def id(self, value: str) -> str:
        """One id."""
        if self.role >= Role.analyst:
            return plain(value)
        return f"•{hmac.digest(self.key, value.encode(), 'sha256')[:5].hex()}"

    def event(self, event: Mapping[str, Any]) -> dict[str, str]:
        """Fields of a payment, in the contract's order; a viewer is not shown the shop's own fields."""
        return {name: self._field(name, value) for name, value in event.items()}

    def _field(self, name: str, value: object) -> str:
        if isinstance(value, Mapping):
            shown = ", ".join(f"{key}: {item}" for key, item in value.items())
            return plain(shown) if self.role >= Role.analyst else "•"
        return self.id(str(value)) if name in PERSONAL else plain(value)


def when(time_us: int | None) -> str:
    """A time to the second, UTC."""
    return "" if not time_us else to_datetime(time_us).strftime("%Y-%m-%d %H:%M:%S")


def age(duration_us: int) -> str:
    """A duration by its two largest units."""
    minutes = max(0, duration_us) // 60_000_000
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def money(value: float | None) -> str:
    """An amount to two decimals."""
    return "" if value is None else f"{value:,.2f}"


def score(value: float | None) -> str:
    """A probability to three decimals."""
    return "" if value is None else f"{value:.3f}"
