"""Records by seed and index: values, keys, headers, timestamps and compressions, of every kind that a topic can hold.

Entities of these records begin with `fuzz-`. What may be accepted is dated before the valid payments that are sent with
it, by less than the lead that a history gives events before its watermark: so its newest time, and what it counts, stay
as they would be without these records. Flipped bits lead beyond an event's Kafka timestamp by `MAX_AHEAD` at most.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal, TypeAlias

import msgspec

from benchmarks.fuzz.damage import NASTY, blank, flip, insert, noise, repeat, truncate
from benchmarks.fuzz.payments import Fields, event

Compression: TypeAlias = Literal["none", "gzip", "snappy", "lz4", "zstd"]
Headers: TypeAlias = Sequence[tuple[bytes, bytes | None]]
Maker: TypeAlias = Callable[[random.Random, int, int], "Record"]

MAX_AHEAD: Final = "0.001"
"""FRAUD_MAX_AHEAD, in seconds, of a service that gets these records; valid payments are not ahead at all."""

BEHIND_MS: Final = 120_000
"""Of Kafka timestamps, behind those of valid payments: longer than two rounds, where records overtake one another."""

PAST_MS: Final = 600_000
"""Of events, behind their Kafka timestamps."""

_HOUR_MS: Final = 3_600_000
_MOST_KEY: Final = 1_048_400
"""Bytes of a key that a topic of Kafka's default limit still takes."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it goes to the broker.

    Attributes:
        kind: names how it was made.
        value, key, headers: its content; names of headers are bytes, for Kafka does not look into them.
        timestamp: ms.
        compression: of its batch.
        alone: whether it needs a batch of its own, since the broker may refuse that.
    """

    kind: str
    value: bytes | None
    timestamp: int
    key: bytes | None = b"fuzz"
    headers: Headers = ()
    compression: Compression = "none"
    alone: bool = False


def record(seed: int, index: int, *, start_ms: int, without: frozenset[str] = frozenset()) -> Record | None:
    """The record of a seed and an index, whatever came before it; None where its kind is left out."""
    draw = random.Random(f"{seed}:{index}")  # noqa: S311 - seeded
    kind = draw.choices(_NAMES, cum_weights=_WEIGHTS)[0]
    return None if kind in without else KINDS[kind][1](draw, index, start_ms + index // 2 - BEHIND_MS)


def _fields(draw: random.Random, index: int, at: int) -> Fields:
    fields = event(draw, index, at=at - PAST_MS, prefix="fuzz-")
    if draw.random() < 0.1:
        fields |= {"type": "outcome", "outcome_id": f"fuzz-o{index}", "kind": "declined", "avs": "N", "cvv": "N"}
    return fields


def _base(draw: random.Random, index: int, at: int) -> bytes:
    return msgspec.json.encode(_fields(draw, index, at))


def _with_raw(fields: Fields, changes: dict[str, bytes]) -> bytes:
    """The event with raw JSON text as the values of some fields."""
    held = {name: msgspec.json.encode(value) for name, value in fields.items()} | changes
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in held.items()) + b"}"


def _of_bytes(kind: str, *damages: Callable[[bytes, random.Random], bytes]) -> Maker:
    return lambda draw, index, at: Record(kind, draw.choice(damages)(_base(draw, index, at), draw), at)


def _wrong_value(draw: random.Random, index: int, at: int) -> Record:
    fields = _fields(draw, index, at)
    changed = {draw.choice(list(fields)): draw.choice(NASTY) for _ in range(draw.choice((1, 1, 1, 3)))}
    return Record("wrong value", _with_raw(fields, changed), at)


def _optional(draw: random.Random, index: int, at: int) -> Record:
    """Only fields that the payer's browser fills."""
    name, value = draw.choice(_OPTIONAL)
    return Record("optional field", _with_raw(_fields(draw, index, at), {name: value}), at)


_OPTIONAL: Final[Sequence[tuple[str, bytes]]] = (
    ("ip", b'""'), ("ip", b"7"), ("device_id", rb'"a\u0000b"'), ("tz_offset_min", b"9999"), ("tz_offset_min", b"1.5"),
    ("items_count", b"-1"), ("is_guest", b'"no"'), ("channel", b'"fax"'), ("initiator", b'"ghost"'),
    ("account_created_at", b'"yesterday"'), ("card_added_at", b"5"), ("email_domain", b'"' + b"d" * 300 + b'"'),
    ("attributes", b'{"ua":"' + b"u" * 257 + b'"}'), ("attributes", b'{"a":true}'), ("attributes", b'{"a":null}'),
    ("attributes", b'{"":1}'), ("attributes", b'{"a":[1]}'), ("attributes", b'{"a":1e400}'), ("attributes", b"[]"),
    ("attributes", b'{"ratio":0.4111111111111111}'), ("attributes", b'{"ratio":-4111111111111111}'), ("bin", b"[]"),
    ("stage", b'"later"'), ("attempt_no", b"1e30"), ("card_id", b'"4111 1111 1111 1111"'), ("phone_hash", b"{}"),
)  # fmt: skip


def _attributes(draw: random.Random, index: int, at: int) -> Record:
    count = draw.choice((60, 64, 65, 513, 600))
    many = {f"a{i}": draw.choice((i, float(i), "x" * (i % 300))) for i in range(count)}
    return Record("many attributes", _with_raw(_fields(draw, index, at), {"attributes": msgspec.json.encode(many)}), at)


def _duplicate_keys(draw: random.Random, index: int, at: int) -> Record:
    raw = _base(draw, index, at)
    name = draw.choice(["transaction_id", "amount", "type", "customer_id", "attributes", "ip"])
    twin = b'"%s":%s,' % (name.encode(), draw.choice(NASTY)) * draw.choice((1, 2, 100))
    place = draw.choice((1, raw.index(b",") + 1))
    return Record("duplicate keys", raw[:place] + twin + raw[place:], at)


def _unicode(draw: random.Random, index: int, at: int) -> Record:
    text = "".join(map(chr, (draw.choice(_CODES) + draw.randrange(40) for _ in range(draw.randrange(1, 90)))))
    name = draw.choice(("customer_id", "card_id", "device_id", "merchant_category", "x" + text, "amount"))
    field = {name: f"fuzz-{text}"}
    encoded = msgspec.json.encode({**_fields(draw, index, at), **field})
    return Record("unicode", encoded.decode().encode(draw.choice(("utf-8", "utf-8", "utf-16", "utf-32"))), at)


_CODES: Final = (0x20, 0x80, 0x300, 0x200B, 0x2028, 0x202A, 0xFEFF - 20, 0xFF10, 0x1F600, 0xE000, 0x10FF00, 0x660)


def _odd_start(draw: random.Random, index: int, at: int) -> Record:
    raw = _base(draw, index, at)
    return Record(
        "odd start",
        draw.choice(
            (b"\xef\xbb\xbf" + raw, b"\0" + raw, raw + b"\0", b" " * 999 + raw, raw + raw, raw + b",", b"\x1e" + raw)
        ),
        at,
    )


def _deep(draw: random.Random, index: int, at: int) -> Record:
    depth = draw.choice((30, 31, 32, 33, 500, 20_000))
    opening, closing = draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    name = draw.choice(("x", "attributes", "ip"))
    return Record("deep", _with_raw(_fields(draw, index, at), {name: opening * depth + b"1" + closing * depth}), at)


def _card_numbers(draw: random.Random, index: int, at: int) -> Record:
    digits = draw.choice(
        ("4111111111111111", "5500005555555559", "340000000000009", "".join(draw.choices("0123456789", k=400)))
    )
    shown = draw.choice(("", " ", "-", ".", "\u00a0", "_", "/", "  ")).join(
        digits[i : i + 4] for i in range(0, len(digits), draw.choice((1, 4, 4, 4)))
    )[:700]
    name = draw.choice(("card_id", "bin", "payment_method", "note", "merchant_category"))
    value: object = draw.choice((shown, shown, f"{shown} {shown}", int(digits[:18]), float(digits[:18]) / 1e17))
    fields = {**_fields(draw, index, at), name: value}
    if draw.random() < 0.5:
        fields = {**fields, "attributes": {"a": value, "b": shown}, "currency": draw.choice(("EUR", "none"))}
    return Record("card numbers", msgspec.json.encode(fields), at)


def _digit_groups(draw: random.Random, _index: int, at: int) -> Record:
    """Cheap to send, and dear for whoever looks for card numbers group by group."""
    size = draw.choice((300, 3_000, 30_000, 260_000, 1_000_000, 4_000_000))
    group = draw.choice((b"4 ", b"4-", b"41 ", b"4111 ", b"4 1-", b"0 4 "))
    value = b'{"type":"transaction","x":"' + group * (size // len(group)) + b'"}'
    return Record("digit groups", value, at, compression="gzip", alone=True)


def _large(draw: random.Random, index: int, at: int) -> Record:
    size = draw.choice((255_000, 262_144, 262_145, 300_000, 700_000, 1_048_000))
    raw = _base(draw, index, at)
    filler = draw.choice((b"z", b"[", b"\\", '"é",'.encode(), b"1"))
    value = raw[:-1] + b',"x":"' + filler * ((size - len(raw) - 8) // len(filler)) + b'"}'
    return Record("large", value, at, alone=True)


def _bomb(draw: random.Random, _index: int, at: int) -> Record:
    """Small on the wire, within the limit of the topic."""
    filler = draw.choice((b"\0", b"a", b"[", b'{"a":', b"4 "))
    value = filler * (draw.choice((2, 8, 24)) * 1_000_000 // len(filler))
    return Record("bomb", value, at, compression="gzip", alone=True)


def _key(draw: random.Random, index: int, at: int) -> Record:
    key = draw.choice((None, b"", draw.randbytes(16), b"\xff\xfe", b"4111111111111111", b"k" * 300, b"k" * 20_000))
    return Record("key", draw.choice((_base(draw, index, at), b"{", None)), at, key=key)


def _long_key(draw: random.Random, _index: int, at: int) -> Record:
    size = draw.choice((300_000, 900_000, _MOST_KEY))
    return Record("long key", draw.choice((b"{", b"")), at, key=draw.randbytes(4) * (size // 4), alone=True)


def _headers(draw: random.Random, index: int, at: int) -> Record:
    some: Sequence[Headers] = (
        ((b"trace", b"1"), (b"trace", b"2"), (b"trace", None)),
        ((b"", b""),),
        ((b"n" * 5_000, draw.randbytes(9)),),
        ((b"huge", b"v" * draw.choice((15_999, 16_001, 200_000))),),
        tuple((b"h%d" % i, b"") for i in range(draw.choice((100, 3_000)))),
        ((b"reason", b"forged"), (b"source_offset", b"-1"), (b"source_partition", b"x"), (b"redrive_attempt", b"999")),
        ((b"redrive_attempt", b"\xff"), (b"masked", b"1"), (b"truncated", b"maybe")),
    )
    value = draw.choice((_base(draw, index, at), b"{"))
    return Record("headers", value, at, headers=draw.choice(some), alone=True)


def _header_names(draw: random.Random, index: int, at: int) -> Record:
    name = draw.choice((b"tr\xe4ce", b"\xff", b"a\0b", b"\xed\xa0\x80", "\u202ename".encode()))
    return Record("header names", draw.choice((_base(draw, index, at), b"{")), at, headers=((name, b"1"),))


def _timestamp(draw: random.Random, index: int, at: int) -> Record:
    stamps = (
        0, 1, -1, -2, 1 - 2**63, -(2**62), -(2**53), -(2**63) // 1000, 1 - (2**63) // 1000, 2**62, 2**63 - 1, 2**31,
        (2**63) // 1000, (2**63) // 1000 - 1, (2**63) // 1000 + 1, -62_135_596_800_001, 253_402_300_800_000,
        at + _HOUR_MS * 9 // 10, at + 2 * _HOUR_MS, at - 400 * 24 * _HOUR_MS,
    )  # fmt: skip
    value = draw.choice((_base(draw, index, at), _base(draw, index, at), b"{", None))
    return Record("timestamp", value, draw.choice(stamps), alone=True)


def _compressed(kind: Compression) -> Maker:
    return lambda draw, index, at: Record(kind, _base(draw, index, at), at, compression=kind)


def _again(draw: random.Random, index: int, at: int) -> Record:
    """One of few transactions, often with other content than before."""
    fields = event(random.Random(index % 50), index % 50, at=at // 600_000 * 600_000 - PAST_MS, prefix="fuzz-again-")  # noqa: S311 - seeded
    changes = {} if draw.random() < 0.5 else {"amount": str(draw.randrange(1, 99))}
    return Record("again", msgspec.json.encode({**fields, **changes}), at)


def _mixed(draw: random.Random, index: int, at: int) -> Record:
    """The value of one kind under the key, headers and time of others."""
    value = draw.choice((_wrong_value, _optional, _unicode, _again))(draw, index, at).value
    key, headers = _key(draw, index, at).key, draw.choice((_headers(draw, index, at).headers, ()))
    return Record("mixed", value, draw.choice((at, at - _HOUR_MS, 0)), key=key, headers=headers, alone=True)


KINDS: Final[dict[str, tuple[float, Maker]]] = {
    "plain": (150, lambda draw, index, at: Record("plain", _base(draw, index, at), at)),
    "again": (40, _again),
    "bits": (120, _of_bytes("bits", flip)),
    "bytes": (120, _of_bytes("bytes", truncate, insert, repeat, blank, noise)),
    "wrong value": (220, _wrong_value),
    "optional field": (80, _optional),
    "duplicate keys": (30, _duplicate_keys),
    "unicode": (40, _unicode),
    "odd start": (20, _odd_start),
    "card numbers": (40, _card_numbers),
    "deep": (6, _deep),
    "many attributes": (6, _attributes),
    "nothing": (10, lambda draw, _, at: Record("nothing", draw.choice((None, b"", b" ", b"null", b"[]", b"0")), at)),
    "gzip": (40, _compressed("gzip")),
    "snappy": (15, _compressed("snappy")),
    "lz4": (15, _compressed("lz4")),
    "zstd": (15, _compressed("zstd")),
    "key": (30, _key),
    "headers": (3, _headers),
    "header names": (2, _header_names),
    "timestamp": (5, _timestamp),
    "mixed": (5, _mixed),
    "digit groups": (0.3, _digit_groups),
    "large": (0.3, _large),
    "long key": (0.1, _long_key),
    "bomb": (0.05, _bomb),
}  # fmt: skip
"""How often each kind comes, and how it is made."""

_NAMES: Final = tuple(KINDS)
_WEIGHTS: Final = tuple(accumulate(weight for weight, _ in KINDS.values()))
