"""Card numbers (PANs) where none belong: found by issuer range and check digit, replaced by a keyed token.

A number in `card_id` or in free text is a producer's mistake; the payment is scored all the same, with the token in the
number's place, so that one card stays one card. Id fields are exempt: they may be numeric, and one random number in
twenty-five passes both tests.
"""

import hmac
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

Token: TypeAlias = Callable[[str], str]
"""Digits of a card number -> what stands in its place."""

ID_FIELDS: Final = frozenset(
    {
        "transaction_id", "outcome_id", "customer_id", "order_id", "merchant_id", "card_fingerprint", "device_id",
        "session_id", "ip", "email_hash", "phone_hash", "billing_address_hash", "shipping_address_hash",
    }
)  # fmt: skip
"""Exempt fields of events."""

PREFIX: Final = "pan_"
"""Of every token."""

SHORTEST: Final = 13
_LONGEST: Final = 19

_RUN: Final = re.compile(r"[0-9]+(?:[ -]{1,3}[0-9]+)*")
_GROUP: Final = re.compile(r"[0-9]+")
_ISSUER: Final = re.compile(
    r"""4[0-9]{12}(?:[0-9]{3}){0,2}                                                          # Visa
      | 5[1-5][0-9]{14} | 2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}     # Mastercard
      | 3[47][0-9]{13}                                                                       # American Express
      | 3(?:0[0-5]|[689][0-9])[0-9]{11,16} | 35(?:2[89]|[3-8][0-9])[0-9]{12,15}              # Diners Club, JCB
      | (?:5[06-9]|6[0-9])[0-9]{11,17}                                      # Maestro, Discover, UnionPay, RuPay
      | 220[0-4][0-9]{12,15} | 9792[0-9]{12}                                                 # Mir, Troy
    """,
    re.VERBOSE,
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_EXEMPT: Final = re.compile(rf'"(?:{"|".join(sorted(ID_FIELDS))})"\s*:\s*(?:"(?:[^"\\]|\\.)*+"|[0-9]++)', re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_DIGITS_TO_ZERO: Final = bytes(ord("0") if chr(i) in "0123456789" else ord("x") for i in range(256))


def tokeniser(secret: bytes) -> Token:
    """Tokens by HMAC-SHA-256: equal for equal numbers, useless without the secret."""
    return lambda digits: PREFIX + hmac.digest(secret, digits.encode(), "sha256")[:16].hex()


def is_pan(digits: str) -> bool:
    """Whether 13 to 19 digits begin like an issuer's numbers and end in the right check digit (Luhn, ISO/IEC 7812)."""
    if _ISSUER.fullmatch(digits) is None:
        return False
    figures = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(figures[::2]) + sum(_DOUBLED[figure] for figure in figures[1::2])) % 10 == 0


def may_hold_pan(text: str) -> bool:
    """A cheap test that is never wrongly False: enough digits in a row, separators aside."""
    return b"0000000000000" in text.encode().translate(_DIGITS_TO_ZERO, b" -")


def mask_text(text: str, token: Token) -> tuple[str, int]:
    """The text with each card number replaced, and how many there were."""
    pieces, copied, count = [], 0, 0
    for start, end, digits in _pans(text):
        pieces += [text[copied:start], token(digits)]
        copied, count = end, count + 1
    return ("".join([*pieces, text[copied:]]), count) if count else (text, 0)


def mask_bytes(raw: bytes, token: Token) -> tuple[bytes, int]:
    """A message, valid or not, with each card number outside the id fields replaced, and how many there were.

    A bare JSON number becomes a string, so that a valid message stays valid.
    """
    text = raw.decode("latin-1")
    exempt, quoted = _covers(_EXEMPT, text), _covers(_STRING, text)
    pieces, copied, count = [], 0, 0
    for start, end, digits in _pans(text):
        if exempt(start, end):
            continue
        quote = "" if quoted(start, end) or start == 0 else '"'
        pieces += [text[copied:start], quote, token(digits), quote]
        copied, count = end, count + 1
    return ("".join([*pieces, text[copied:]]).encode("latin-1"), count) if count else (raw, 0)


def _covers(pattern: re.Pattern[str], text: str) -> Callable[[int, int], bool]:
    """Whether a match of the pattern overlaps [start, end); to be asked from left to right only."""
    spans = (match.span() for match in pattern.finditer(text))
    span = next(spans, None)

    def ask(start: int, end: int) -> bool:
        nonlocal span
        while span is not None and span[1] <= start:
            span = next(spans, None)
        return span is not None and span[0] < end

    return ask


def _pans(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and digits of each card number: neighbouring groups of digits that together are one."""
    for run in _RUN.finditer(text):
        if run.end() - run.start() < SHORTEST:
            continue
        groups = list(_GROUP.finditer(text, run.start(), run.end()))
        first = 0
        while first < len(groups):
            last = _last_group(groups[first : first + _LONGEST])
            if last is not None:
                last += first
                yield (
                    groups[first].start(),
                    groups[last].end(),
                    "".join(group[0] for group in groups[first : last + 1]),
                )
                first = last
            first += 1


def _last_group(groups: list[re.Match[str]]) -> int | None:
    """Index of the group that completes a card number begun by the first; None when there is none."""
    digits = ""
    for index, group in enumerate(groups):
        digits += group[0]
        if len(digits) > _LONGEST:
            return None
        if len(digits) >= SHORTEST and is_pan(digits):
            return index
    return None
