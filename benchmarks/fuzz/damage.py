"""Ways to damage bytes and JSON values, for records and files alike; each takes its draws from the given generator."""

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

Damage: TypeAlias = Callable[[bytes, random.Random], bytes]

NASTY: Final[Sequence[bytes]] = (
    b"null", b"true", b"false", b"0", b"-0", b"-1", b"1.5", b"1e400", b"-1e400", b"1e-400", b"NaN", b"Infinity",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"9" * 400, b"0." + b"4" * 400,
    b"0.4111111111111111", b"-4111111111111111", b"4111111111111111", b'"4111 1111 1111 1111"', b"4.111111111111111e15",
    b'""', b'" "', b'"0"', b'"-1"', b'"1e3"', b'"12,5"', b'"99999999999.99"', b'"' + b"x" * 257 + b'"',
    b'"' + b"y" * 5_000 + b'"', b"[]", b"{}", b"[[[[1]]]]", b'{"a":{"b":{"c":1}}}', b'["a",1,null]',
    rb'"\u0000"', rb'"\ud800"', rb'"\udfff\ud800"', rb'"\u202eabc"', b'"\xef\xbb\xbfa"', '"é́ﷺ"'.encode(),
    '"\N{FULLWIDTH DIGIT FOUR}1111"'.encode(), '"\N{ZERO WIDTH JOINER}"'.encode(), b'"\xff"', b'"\xc0\xaf"',
    b'"a\x00b"',
    b'"2199-01-01T00:00:00Z"', b'"1970-01-01T00:00:00Z"', b'"0001-01-01T00:00:00+23:59"',
    b'"9999-12-31T23:59:59.999999-23:59"', b'"2026-02-30T00:00:00Z"', b'"2024-12-31T23:59:60Z"', b'"now"',
    b'"__proto__"', b"\"'; DROP TABLE x; --\"", b'"../../etc/passwd"', b'"%s%n{0}"',
)  # fmt: skip
"""JSON texts, valid or not, that stand where something else is expected."""


def flip(raw: bytes, draw: random.Random) -> bytes:
    """One to three bits."""
    held = bytearray(raw)
    for _ in range(draw.randrange(1, 4) if held else 0):
        held[draw.randrange(len(held))] ^= 1 << draw.randrange(8)
    return bytes(held)


def truncate(raw: bytes, draw: random.Random) -> bytes:
    """The beginning."""
    return raw[: draw.randrange(len(raw) + 1)]


def behead(raw: bytes, draw: random.Random) -> bytes:
    """The end."""
    return raw[draw.randrange(len(raw) + 1) :]


def insert(raw: bytes, draw: random.Random) -> bytes:
    """Random bytes somewhere."""
    at = draw.randrange(len(raw) + 1)
    return raw[:at] + draw.randbytes(draw.randrange(1, 20)) + raw[at:]


def repeat(raw: bytes, draw: random.Random) -> bytes:
    """A stretch twice."""
    first, last = sorted((draw.randrange(len(raw) + 1), draw.randrange(len(raw) + 1)))
    return raw[:last] + raw[first:]


def blank(raw: bytes, draw: random.Random) -> bytes:
    """Zeros over a stretch, as a lost disk block leaves them."""
    first = draw.randrange(len(raw) + 1)
    last = min(len(raw), first + draw.choice((1, 16, 512, 4096)))
    return raw[:first] + bytes(last - first) + raw[last:]


def noise(raw: bytes, draw: random.Random) -> bytes:
    """Nothing of it left."""
    return draw.randbytes(draw.randrange(max(1, min(len(raw), 2_000)) + 1))


BYTES: Final[Sequence[Damage]] = (flip, truncate, behead, insert, repeat, blank, noise)
