"""Countries and goods: the fixed tables from which platforms are weighed."""

from typing import Final, NamedTuple

import numpy as np

from simulator.draws import Float64s


class Country(NamedTuple):
    """A country as the simulator sees it; `units` of its currency cost as much as one euro, roughly."""

    code: str
    currency: str
    digits: int
    units: float
    tz_minutes: int
    home: float
    away: float


class Goods(NamedTuple):
    """A merchant category: typical price in euros, and its share on the reference and on the most distant platform."""

    name: str
    price: float
    digital: bool
    home: float
    away: float


COUNTRIES: Final = (
    Country("DE", "EUR", 2, 1.0, 60, 30, 2),
    Country("FR", "EUR", 2, 1.0, 60, 20, 2),
    Country("NL", "EUR", 2, 1.0, 60, 12, 1),
    Country("ES", "EUR", 2, 1.0, 60, 8, 3),
    Country("IT", "EUR", 2, 1.0, 60, 8, 1),
    Country("GB", "GBP", 2, 0.85, 0, 8, 6),
    Country("PL", "PLN", 2, 4.3, 60, 5, 0.5),
    Country("SE", "SEK", 2, 11.3, 60, 3, 0.5),
    Country("US", "USD", 2, 1.08, -300, 3, 30),
    Country("BR", "BRL", 2, 5.9, -180, 0.5, 18),
    Country("MX", "MXN", 2, 19.5, -360, 0.5, 14),
    Country("CA", "CAD", 2, 1.48, -300, 0.5, 8),
    Country("JP", "JPY", 0, 163.0, 540, 0.5, 5),
    Country("AU", "AUD", 2, 1.65, 600, 0.5, 4),
    Country("IN", "INR", 2, 91.0, 330, 0.3, 3),
    Country("TR", "TRY", 2, 37.0, 180, 0.2, 2),
)

GOODS: Final = (
    Goods("fashion", 55, False, 26, 14),
    Goods("electronics", 160, False, 14, 16),
    Goods("home", 70, False, 12, 8),
    Goods("beauty", 32, False, 10, 8),
    Goods("groceries", 45, False, 12, 4),
    Goods("toys", 28, False, 7, 6),
    Goods("games", 24, True, 6, 16),
    Goods("streaming", 11, True, 5, 8),
    Goods("travel", 210, True, 4, 10),
    Goods("gift_cards", 50, True, 4, 6),
)

DOMAINS: Final = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "web.de", "orange.fr", "proton.me", "gmx.net",
                  "uol.com.br", "hotmail.com", "mailbox.org", "fastmail.com")  # fmt: skip
FUNDINGS: Final = ("debit", "credit", "prepaid")
WALLETS: Final = ("apple_pay", "google_pay")
METHODS: Final = ("card", "wallet")
CHANNELS: Final = ("web", "app")
SHIPPING: Final = ("standard", "express", "pickup")
RECURRING_GOODS: Final = tuple(i for i, goods in enumerate(GOODS) if goods.name == "streaming")
RESALABLE: Final = frozenset({"electronics", "fashion", "travel", "games", "beauty"})
"""Goods that a thief turns into money."""
GIFT_CARDS: Final = next(i for i, goods in enumerate(GOODS) if goods.name == "gift_cards")


def column(rows: tuple[Country, ...] | tuple[Goods, ...], name: str) -> Float64s:
    """One numeric column of a table; float64 [rows]."""
    return np.array([getattr(row, name) for row in rows], np.float64)
