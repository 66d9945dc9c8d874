"""Which column is the amount, in which unit, and in which currency."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud.money import MINOR_DIGITS
from training.data.drafting.names import (
    AMOUNT_WORDS,
    ID_WORDS,
    MINOR_WORDS,
    MONEY_WORDS,
    NO_AMOUNT,
    PAYMENT_WORDS,
    says,
    words,
)
from training.data.drafting.profile import ColumnProfile

SIGNS: Final = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₺": "TRY", "₩": "KRW"}
SURE: Final = 4.0
GUESSED: Final = 1.5


@dataclass(frozen=True, slots=True)
class AmountGuess:
    """The amount.

    Attributes:
        column: its name.
        minor: it counts cents, not euros.
        currency: that its signs or its name tell, "" where they do not.
        sure: its name says so.
        notes: what its owner should check.
    """

    column: str
    minor: bool
    currency: str
    sure: bool
    notes: tuple[str, ...]


def guess_amount(profiles: list[ColumnProfile]) -> AmountGuess | None:
    """The likeliest amount; None where no column looks like one."""
    scored = sorted(((_score(column), -column.place, column) for column in profiles), key=lambda entry: entry[:2])
    if not scored or scored[-1][0] < GUESSED:
        return None
    score, _, column = scored[-1]
    notes = [] if score >= SURE else ["no column is named like an amount; this one looks like money: check it"]
    rivals = [other.name for points, _, other in scored[:-1] if points >= SURE]
    if score >= SURE and rivals:
        notes.append(f"others could be the amount, too: {', '.join(rivals)}")
    known = column.known_numbers
    if (known < 0).any():
        notes.append(f"{(known < 0).mean():.1%} of the amounts are negative: those rows will be rejected")
    minor = says(column.name, MINOR_WORDS)
    if column.whole and not minor and len(known) and np.median(known) > 500:
        notes.append('all amounts are whole: if 1250 means 12.50, set unit = "minor"')
    return AmountGuess(column.name, minor, _currency_told(column), score >= SURE, tuple(notes))


def _score(column: ColumnProfile) -> float:
    if not column.mostly_numbers or column.constant or column.is_time or says(column.name, ID_WORDS):
        return 0.0
    known = column.known_numbers
    if not len(known) or (known < 0).mean() > 0.5:
        return 0.0
    cents = np.abs(known * 100 - np.rint(known * 100)) < 1e-6
    fractional = bool(cents.mean() > 0.95) and not column.whole
    score = 1.0 * fractional + 0.5 * (column.distinct > 50) + 3.0 * bool(_sign(column))
    score += 4.0 * says(column.name, AMOUNT_WORDS) + 2.0 * says(column.name, MONEY_WORDS)
    score += 1.0 * (says(column.name, PAYMENT_WORDS) and score >= 2.0)
    return score - 3.0 * says(column.name, NO_AMOUNT)


def _sign(column: ColumnProfile) -> str:
    """The currency that the signs or codes beside the figures tell, "" without any."""
    written = column.sample.slice(0, 200)
    if not pa.types.is_string(written.type) or not pc.any(pc.match_substring_regex(written, r"[^\d\s.,+\-]")).as_py():
        return ""
    texts = column.texts.head(200)
    found = texts.str.extract(r"([€$£¥₹₽₺₩]|\b[A-Z]{3}\b)")[0].dropna()
    if len(found) < 0.8 * max(len(texts), 1) or found.nunique() != 1:
        return ""
    sign = str(found.iloc[0])
    return SIGNS.get(sign, sign if sign in MINOR_DIGITS else "")


def _currency_told(column: ColumnProfile) -> str:
    named = [word.upper() for word in words(column.name) if word.upper() in MINOR_DIGITS]
    return _sign(column) or (named[0] if named else "")


def guess_currency(profiles: list[ColumnProfile]) -> ColumnProfile | None:
    """The column of currency codes, if there is one."""
    return next((column for column in profiles if _holds_codes(column)), None)


def _holds_codes(column: ColumnProfile) -> bool:
    if column.mostly_numbers or not len(column.texts) or column.distinct > len(MINOR_DIGITS):
        return False
    return bool(column.texts.str.strip().isin(MINOR_DIGITS).mean() > 0.98)
