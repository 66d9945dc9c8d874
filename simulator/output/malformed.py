"""Messages that no consumer should choke on: every kind of broken input, by seed, for tests and the demo.

Those of `malformed` are refused, each with a known reason; none is scored. Pairs of `halves` stand next to each other:
joined by a comma, as a careless batch decoder would, they are valid events. Those of `partly_invalid` are payments with
optional fields that are invalid: each is scored, without them.
"""

import json
import random
from collections.abc import Callable
from typing import Final, TypeAlias

from fraud.contracts.inbound import MAX_ATTRIBUTES, OPTIONAL_FIELDS, Reason

Fields: TypeAlias = dict[str, object]
Maker: TypeAlias = Callable[[random.Random], list[bytes]]

_EVENT: Final[Fields] = {
    "type": "transaction",
    "schema_version": "1.0",
    "event_time": "2026-01-05T10:00:00.000000Z",
    "amount": "25.00",
    "currency": "EUR",
    "card_id": "tok_91c2",
    "device_id": "dev_77",
    "ip": "203.0.113.9",
    "is_guest": False,
    "attributes": {"basket": "shoes", "weight": 1.5},
}
_WRONG: Final[list[tuple[str, object]]] = [
    ("transaction_id", 7), ("customer_id", ["c"]), ("customer_id", ""), ("event_time", 1767607200),
    ("event_time", "now"),
    ("event_time", "2026-01-05T10:00:00"), ("event_time", "2026-02-30T10:00:00Z"), ("amount", 25.0), ("amount", True),
    ("amount", {}), ("amount", "25,00"), ("amount", "1e3"), ("amount", "12345678901"), ("amount", "1.1234567"),
    ("currency", 978), ("schema_version", 1),
]  # fmt: skip
_IGNORED: Final[list[tuple[str, object]]] = [
    ("card_id", 4), ("card_id", ["a"]), ("ip", ""), ("device_id", "x" * 257), ("device_id", "a\0b"),
    ("wallet", "\ud800"), ("is_guest", "no"), ("is_guest", 0), ("attempt_no", 1.5), ("attempt_no", "1"),
    ("attempt_no", 10**30), ("attempt_no", 10**400),
    ("channel", "fax"), ("initiator", "ghost"), ("stage", "later"), ("tz_offset_min", 9999),
    ("items_count", -1), ("items_count", {"a": 1}), ("account_created_at", "yesterday"),
    ("card_added_at", "2026-02-30T10:00:00Z"), ("attributes", []), ("attributes", "none"), ("attributes", {"a": None}),
    ("attributes", {"a": [1]}), ("attributes", {"a": {"b": 1}}), ("attributes", {"a": [True]}), ("attributes", {"": 1}),
    ("attributes", {"k" * 257: 1}), ("attributes", {"a\udfff": 1}), ("attributes", {"agent": "y" * 257, "a": 1}),
    ("attributes", {"a": "\udfff", "b": "c"}), ("attributes", {"a": "b\0"}), ("attributes", {"a": 10**400, "b": 1}),
    ("attributes", {str(i): i for i in range(MAX_ATTRIBUTES + 1)}),
]  # fmt: skip
_REQUIRED: Final = ("type", "schema_version", "transaction_id", "customer_id", "event_time", "amount", "currency")


def malformed(seed: int, n: int) -> list[bytes]:
    """N broken messages, every kind in turn; equal seeds give equal bytes."""
    return [raw for raw, _ in malformed_with_reasons(seed, n)]


def malformed_with_reasons(seed: int, n: int) -> list[tuple[bytes, Reason]]:
    """As `malformed`, each with the reason of its dead letter."""
    rng = random.Random(seed)  # noqa: S311 - a seeded sample
    made: list[tuple[bytes, Reason]] = []
    while len(made) < n:
        for maker, reason in KINDS.values():
            made += [(raw, reason) for raw in maker(rng)]
    return made[:n]


def partly_invalid(seed: int, n: int) -> list[tuple[bytes, tuple[str, ...]]]:
    """N payments, each with the optional fields that are invalid in it, one to three; equal seeds give equal bytes."""
    rng = random.Random(seed)  # noqa: S311 - a seeded sample
    made: list[tuple[bytes, tuple[str, ...]]] = []
    for number in range(n):
        changes = dict([_IGNORED[number % len(_IGNORED)], *rng.choices(_IGNORED, k=rng.randrange(3))])
        made.append((_json(valid_event(rng, **changes)), tuple(name for name in OPTIONAL_FIELDS if name in changes)))
    return made


def valid_event(rng: random.Random, **changes: object) -> Fields:
    """A valid transaction with ids of its own, before the changes."""
    ids = {"transaction_id": f"tx-{rng.getrandbits(64):016x}", "customer_id": f"cu-{rng.getrandbits(32):08x}"}
    return {**_EVENT, **ids, **changes}


def _json(fields: Fields) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _spliced(name: str, *values: bytes) -> Maker:
    """A field with raw JSON text that `json.dumps` would not write."""
    return lambda rng: [_json(valid_event(rng, **{name: "@"})).replace(b'"@"', rng.choice(values))]


def _truncated(rng: random.Random) -> list[bytes]:
    raw = _json(valid_event(rng))
    return [raw[: rng.randrange(1, len(raw))]]


def _wrong_type(rng: random.Random) -> list[bytes]:
    name, value = rng.choice(_WRONG)
    return [_json(valid_event(rng, **{name: value}))]


def _absent(rng: random.Random) -> list[bytes]:
    gone = rng.choice(_REQUIRED)
    nulls = rng.random() < 0.5
    event = valid_event(rng)
    return [_json({**event, gone: None} if nulls else {name: value for name, value in event.items() if name != gone})]


def _too_deep(rng: random.Random) -> list[bytes]:
    depth = rng.choice([40, 500, 20_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return _spliced("x", opening * depth + b"1" + closing * depth)(rng)


def _not_utf8(rng: random.Random) -> list[bytes]:
    bad = rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"])
    name = rng.choice(["card_id", "customer_id", "unknown"])
    return _spliced(name, b'"a' + bad + b'"')(rng)


def _null_byte(rng: random.Random) -> list[bytes]:
    raw = _json(valid_event(rng))
    return [rng.choice([b"\0" + raw, raw + b"\0", raw[:9] + b"\0" + raw[9:], b"\0" * 20])]


def _halves(rng: random.Random) -> list[bytes]:
    """Two messages, each broken, that make one or two valid events when joined by a comma."""
    raw = _json(valid_event(rng))
    cuts = [place for place, byte in enumerate(raw) if byte == ord(",")]
    cut = rng.choice(cuts[:-2])  # not inside attributes
    before = _json(valid_event(rng)) + b"," if rng.random() < 0.5 else b""
    return [before + raw[:cut], raw[cut + 1 :]]


def _huge(rng: random.Random) -> list[bytes]:
    """Rarely, for it costs what hundreds of others do."""
    return [_json(valid_event(rng, x="z" * 300_000))] if rng.random() < 0.05 else []


def _not_object(rng: random.Random) -> list[bytes]:
    return [rng.choice([b"null", b"[]", b"42", b'"event"', b"true", b"[" + _json(valid_event(rng)) + b"]"])]


def _not_json(rng: random.Random) -> list[bytes]:
    raw = _json(valid_event(rng))
    texts = [
        b"hello",
        b"{'a':1}",
        b"<event/>",
        raw + raw,
        raw + b",",
        b"\xef\xbb\xbf" + raw,
        raw.replace(b":", b"=", 1),
        b" ",
        b"{",
    ]
    return [rng.choice(texts)]


KINDS: Final[dict[str, tuple[Maker, Reason]]] = {
    "empty": (lambda _: [b""], Reason.EMPTY),
    "truncated": (_truncated, Reason.NOT_JSON),
    "not JSON": (_not_json, Reason.NOT_JSON),
    "no object": (_not_object, Reason.NOT_OBJECT),
    "wrong type": (_wrong_type, Reason.INVALID_FIELD),
    "NaN": (_spliced("amount", b"NaN", b"-NaN", b"nan"), Reason.NOT_JSON),
    "infinity": (_spliced("amount", b"Infinity", b"-Infinity", b"inf"), Reason.NOT_JSON),
    "float out of range": (_spliced("amount", b"1e400", b"-1e999"), Reason.INVALID_FIELD),
    "NaN in a string": (_spliced("amount", b'"NaN"', b'"Infinity"', b'"-inf"'), Reason.INVALID_FIELD),
    "negative": (_spliced("amount", b"-1", b'"-25.00"', b"-99999999999999999999"), Reason.INVALID_FIELD),
    "huge string": (_spliced("customer_id", b'"' + b"x" * 257 + b'"', b'"' + b"y" * 999 + b'"'), Reason.INVALID_FIELD),
    "huge message": (_huge, Reason.TOO_LARGE),
    "too deep": (_too_deep, Reason.TOO_DEEP),
    "invalid UTF-8": (_not_utf8, Reason.NOT_UTF8),
    "lone surrogate": (_spliced("customer_id", rb'"\ud800"', rb'"a\udfffb"'), Reason.INVALID_FIELD),
    "unknown currency": (_spliced("currency", b'"XXX"', b'"eur"', b'"BTC"', b'"EURO"'), Reason.UNKNOWN_CURRENCY),
    "absent field": (_absent, Reason.MISSING_FIELD),
    "unknown type": (_spliced("type", b'"refund"', b'"Transaction"', b"1", b"{}"), Reason.UNKNOWN_TYPE),
    "unknown schema": (_spliced("schema_version", b'"2.0"', b'"0.9"', b'"v1"', b'"1"'), Reason.UNKNOWN_SCHEMA),
    "far future": (_spliced("event_time", b'"2199-01-01T00:00:00Z"', b'"2150-06-30T12:00:00Z"'), Reason.TOO_FAR_AHEAD),
    "null byte": (_null_byte, Reason.NOT_JSON),
    "null character": (_spliced("customer_id", rb'"a\u0000b"'), Reason.INVALID_FIELD),
    "halves": (_halves, Reason.NOT_JSON),
}  # fmt: skip
"""How each kind is made, and the reason that it is refused for."""
