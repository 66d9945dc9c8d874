"""Card numbers (PANs) where none belong: found by issuer range and check digit, replaced by a keyed token.

A number in `card_id` or in free text is a producer's mistake; the payment is scored all the same, with the token in the
number's place, so that one card stays one card. Id fields are exempt: they may be numeric, and one random number in
twenty-five passes both tests.

Digits count in whatever script, with up to three characters between them that are neither letter nor digit. What is
not found: numbers cut up by letters or by more than that, and those glued to other digits.
"""

import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, TypeAlias

from fraud.contracts.fields import IDS, TIMES
from fraud.contracts.inbound import MAX_TEXT

Token: TypeAlias = Callable[[str], str]
"""Digits of a card number -> what stands in its place."""

Span: TypeAlias = tuple[int, int, str]
"""Start, end, and the digits found there or what is to stand there."""

EXEMPT: Final = frozenset({*IDS, *TIMES, "amount"}) | {
    "occurred_at", "received_at", "scored_at", "history_from", "label_id", "supersedes", "alert_id",
    "features_fingerprint",
}  # fmt: skip
"""Fields of raw messages that are left: ids, times and amounts, which the decoder does not mask either."""

PREFIX: Final = "pan_"
"""Of every token."""

SHORTEST: Final = 13
_SMALLEST: Final = 10.0 ** (SHORTEST - 1)

_ISSUERS: Final = (
    (4000, 4999, (13, 16, 19)),  # Visa
    (5100, 5599, (16,)), (2221, 2720, (16,)),  # Mastercard
    (3400, 3499, (15,)), (3700, 3799, (15,)),  # American Express
    (3000, 3059, range(14, 20)), (3600, 3699, range(14, 20)), (3800, 3999, range(14, 20)),  # Diners Club
    (3528, 3589, range(16, 20)),  # JCB
    (5000, 5099, range(13, 20)), (5600, 5999, range(13, 20)),  # Maestro
    (6000, 6999, range(13, 20)),  # Maestro, Discover, UnionPay, RuPay
    (2200, 2204, range(16, 20)),  # Mir
    (9792, 9792, (16,)),  # Troy
)  # fmt: skip
_LENGTHS: Final = {str(first4): tuple(lengths) for low, high, lengths in _ISSUERS for first4 in range(low, high + 1)}
"""First four digits -> lengths of their issuer's numbers; absent where there is none."""

_RUN: Final = re.compile(r"[0-9]++(?:[\W_]{1,3}+[0-9]++)*+")
_GROUP: Final = re.compile(r"[0-9]+")
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]")
_NO_CARD: Final = re.compile(
    rf"{PREFIX}[0-9a-f]{{32}}"
    r"|(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}"
    r"(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[+-][01][0-9]:?[0-9]{2})?"
)
"""Tokens, and ISO 8601 times: a minute and what follows it would be a card's number too often."""

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_DIGITS_TO_ZERO: Final = bytes(ord("0") if chr(i) in "0123456789" else ord("x") for i in range(256))
_SEPARATORS: Final = bytes(i for i in range(256) if i > 127 or not chr(i).isalnum())

# A string, with the colon that makes it a name; or what stands between the marks of JSON's structure.
_PIECE: Final = re.compile(
    r'"(?P<string>(?:[^"\\]|\\.)*+)(?:"|\\?\Z)(?P<name>\s*+:\s*+)?|(?P<bare>[^",:\[\]{}\s][^",:\[\]{}]*+)', re.DOTALL
)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def tokeniser(secret: bytes) -> Token:
    """Tokens by HMAC-SHA-256: equal for equal numbers, useless without the secret."""
    return lambda digits: PREFIX + hmac.digest(secret, digits.encode(), "sha256")[:16].hex()


def is_pan(digits: str) -> bool:
    """Whether 13 to 19 digits begin like an issuer's numbers and end in the right check digit (Luhn, ISO/IEC 7812)."""
    if len(digits) not in _LENGTHS.get(digits[:4], ()):
        return False
    figures = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(figures[::2]) + sum(_DOUBLED[figure] for figure in figures[1::2])) % 10 == 0


def may_hold_pan(text: str) -> bool:
    """A cheap test that is never wrongly False: enough digits without a letter between them."""
    return _may_hold((text if text.isascii() else _in_ascii_digits(text)).encode("utf-8", "replace"))


def mask_text(text: str, token: Token) -> tuple[str, int]:
    """The text with each card number replaced, and how many there were."""
    spans = [(start, end, token(digits)) for start, end, digits in _pans(text)]
    return (_replaced(text, spans), len(spans)) if spans else (text, 0)


def mask_plain(raw: bytes, token: Token) -> tuple[bytes, int]:
    """Bytes that are text and no JSON, such as keys and headers, with each card number replaced, and how many."""
    text, count = mask_text(raw.decode("utf-8", "surrogateescape"), token)
    return (text.encode("utf-8", "surrogateescape"), count) if count else (raw, 0)


def whole_digits(number: float) -> str:
    """The digits of a whole number that is at least as long as a card's, whatever its sign; "" of any other."""
    return "" if not abs(number) >= _SMALLEST or number % 1 else str(abs(int(number)))


def mask_bytes(raw: bytes, token: Token) -> tuple[bytes, int]:
    """A message, valid or not, with each card number outside `EXEMPT` fields replaced, and how many there were.

    It goes by JSON's own pieces. Strings and names are searched with their escapes undone. A number is replaced as a
    whole, by a string, when its value is a card number; digits behind a decimal point are none. So a valid message
    stays valid, and what is no card number stays as it is. What is neither string nor number is searched as text.
    """
    escaped = b"\\" in raw
    if raw.isascii() and not escaped and not _may_hold(raw):
        return raw, 0
    text = raw.decode("utf-8", "surrogateescape")
    if not escaped and not _pans(text):  # whatever the pieces are, none holds a number then
        return raw, 0
    spans = _in_pieces(text, token)
    masked = sum(bool(new) for _, _, new in spans)
    return (_replaced(text, spans).encode("utf-8", "surrogateescape"), masked) if spans else (raw, 0)


def unescaped(text: str) -> tuple[str, list[int]]:
    """Text without JSON's escapes, and where each of its characters began, with the end of all behind them."""
    plain: list[str] = []
    places: list[int] = []
    at = 0
    for escape in _ESCAPE.finditer(text):
        plain += [text[at : escape.start()], _character(escape[0])]
        places += range(at, escape.start() + 1)
        at = escape.end()
    return "".join([*plain, text[at:]]), [*places, *range(at, len(text) + 1)]


def _may_hold(raw: bytes) -> bool:
    return b"0" * SHORTEST in raw.translate(_DIGITS_TO_ZERO, _SEPARATORS)


def _in_ascii_digits(text: str) -> str:
    """Text of the same length, digits of other scripts and forms (full-width, superscript …) as ASCII's."""
    return _FOREIGN.sub(lambda found: _ascii_digit(found[0]), text)


@lru_cache(4096)
def _ascii_digit(character: str) -> str:
    digit = unicodedata.digit(character, None)
    return character if digit is None else str(digit)


def _character(escape: str) -> str:
    return str(json.loads(f'"{escape}"')) if len(escape) > 2 else _CONTROLS.get(escape[1:], escape[1:])


def _replaced(text: str, spans: Sequence[Span]) -> str:
    pieces, copied = [], 0
    for start, end, new in spans:
        pieces += [text[copied:start], new]
        copied = end
    return "".join([*pieces, text[copied:]])


def _in_pieces(text: str, token: Token) -> list[Span]:
    """Replacements in the strings, names and numbers of a message."""
    spans: list[Span] = []
    exempt_at = -1
    for piece in _PIECE.finditer(text):
        start, end = piece.span()
        if end - start >= SHORTEST and start != exempt_at:
            if piece["bare"] is not None:
                spans += [(start + first, start + last, new) for first, last, new in _in_bare(piece["bare"], token)]
            else:
                found = _in_string(piece["string"], token)
                spans += [(start + 1 + first, start + 1 + last, new) for first, last, new in found]
        if piece["name"] is not None and piece["string"] in EXEMPT:
            exempt_at = end
    return spans


def _in_bare(bare: str, token: Token) -> list[Span]:
    """Replacements in what stands outside strings."""
    number = bare.rstrip()
    if len(number) < SHORTEST:
        return []
    if _NUMBER.fullmatch(number) is None:  # not JSON, so that nothing is to be kept valid
        return [(start, end, token(digits)) for start, end, digits in _pans(bare)]
    if len(number) > MAX_TEXT:
        return []
    digits = whole_digits(int(number) if number.lstrip("-").isdigit() else float(number))
    return [(0, len(number), f'"{token(digits)}"')] if is_pan(digits) else []


def _in_string(string: str, token: Token) -> list[Span]:
    """Replacements in a string as it stands in JSON."""
    if len(string) < SHORTEST:
        return []
    plain, places = unescaped(string) if "\\" in string else (string, None)
    spans = [(start, end, token(digits)) for start, end, digits in _pans(plain)]
    if not spans:
        return []
    spans = _within_limit(spans, len(plain))
    return spans if places is None else [(places[start], places[end], new) for start, end, new in spans]


def _within_limit(spans: list[Span], length: int) -> list[Span]:
    """Keeps a string of at most `MAX_TEXT` characters that short, as `mask_value` does, or it would become invalid."""
    if length > MAX_TEXT:
        return spans
    grown = 0
    for place, (start, end, new) in enumerate(spans):
        room = MAX_TEXT - grown - start
        if room <= 0:
            return [*spans[:place], (MAX_TEXT - grown, length, "")]
        if room < len(new):
            return [*spans[:place], (start, length, new[:room])]
        grown += len(new) - (end - start)
    return [*spans, (MAX_TEXT - grown, length, "")] if length + grown > MAX_TEXT else spans


def _pans(text: str) -> list[Span]:
    """Each card number: neighbouring groups of digits that together are one."""
    if not text.isascii():
        text = _in_ascii_digits(text)
    found = _in_runs(text)
    if found and (":" in text or PREFIX in text):
        found = _in_runs(_NO_CARD.sub(lambda known: "x" * len(known[0]), text))
    return found


def _in_runs(text: str) -> list[Span]:
    runs = [run for run in _RUN.finditer(text) if run.end() - run.start() >= SHORTEST]
    return [span for run in runs for span in _in_run(run[0], run.start())]


def _in_run(run: str, at: int) -> Iterator[Span]:
    """The card numbers in a run of groups: each group may begin one, the first end that fits is taken.

    Check digits are compared by running sums, so that the cost does not grow with the number of groups tried together.
    """
    if run.isdigit():
        if is_pan(run):
            yield at, at + len(run), run
        return
    groups = [group.span() for group in _GROUP.finditer(run)]
    digits = "".join([run[first:last] for first, last in groups])
    ends = [0, *accumulate([last - first for first, last in groups])]
    closing = dict(zip(ends[1:], groups, strict=True))
    sums: tuple[list[int], list[int]] | None = None
    free = 0
    for place, begin in enumerate(ends[:-1]):
        lengths = _LENGTHS.get(digits[begin : begin + 4])
        if lengths is None or begin < free:
            continue
        for length in lengths:
            stop = begin + length
            if stop in closing:
                sums = sums or _luhn_sums(digits)
                running = sums[stop % 2]
                if (running[stop] - running[begin]) % 10 == 0:
                    yield at + groups[place][0], at + closing[stop][1], digits[begin:stop]
                    free = stop
                    break


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Running sums of Luhn's figures before each place, for numbers that end at an even place and at an odd one."""
    plain = [ord(digit) - 48 for digit in digits]
    doubled = [_DOUBLED[figure] for figure in plain]
    even, odd = doubled[:], plain[:]
    even[1::2], odd[1::2] = plain[1::2], doubled[1::2]
    return [0, *accumulate(even)], [0, *accumulate(odd)]
