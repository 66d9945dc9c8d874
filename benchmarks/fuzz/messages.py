"""The loop's messages beside payments, by part and number: labels and decisions, valid and broken."""

import random
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from benchmarks.fuzz.damage import NASTY, blank, flip, insert, noise, repeat, truncate
from benchmarks.fuzz.payments import Fields, moment
from benchmarks.fuzz.records import KINDS, Record, record

Part: TypeAlias = Literal["event", "label", "decision"]
PARTS: Final[Sequence[Part]] = ("event", "label", "decision")

_BYTES: Final = (flip, truncate, insert, repeat, blank, noise)
_DRESSED: Final = ("key", "headers", "header names", "timestamp", "snappy", "lz4", "zstd", "gzip", "nothing", "large")
"""Kinds of `benchmarks.fuzz.records` that have nothing to do with what the value means."""


def broken(part: Part, seed: int, index: int, *, start_ms: int, without: frozenset[str]) -> Record | None:
    """A message that may be anything; None where its kind is left out."""
    if part == "event":
        return record(seed, index, start_ms=start_ms, without=without)
    draw = random.Random(f"{seed}:{part}:{index}")  # noqa: S311 - seeded
    fields = _label(index, "fuzz-") if part == "label" else _decision(index, "fuzz-", draw)
    kind = draw.choice(("bytes", "wrong value", "wrong value", "wrong value", *_DRESSED))
    if kind in without:
        return None
    at = start_ms + index // 2
    if kind in _DRESSED:
        return KINDS[kind][1](draw, index, at)
    raw = msgspec.json.encode(fields)
    if kind == "bytes":
        return Record(kind, draw.choice(_BYTES)(raw, draw), at)
    name = draw.choice(list(fields))
    held = {**{name: msgspec.json.encode(value) for name, value in fields.items()}, name: draw.choice(NASTY)}
    value = b"{" + b",".join(b'"' + name.encode() + b'":' + text for name, text in held.items()) + b"}"
    return Record(kind, value, at)


def valid(part: Part, seed: int, number: int, *, start_ms: int) -> Record:
    """A label or a decision that must be in the ledger as it was sent."""
    at = start_ms + number
    draw = random.Random(f"{seed}:valid-{part}:{number}")  # noqa: S311 - seeded
    fields = _label(number, "valid-") if part == "label" else _decision(number, "valid-", draw)
    return Record("valid", msgspec.json.encode(fields), at, key=f"valid-t{number}".encode())


def valid_score(seed: int, number: int) -> float:
    """Of the valid decision with that number."""
    return _score(random.Random(f"{seed}:valid-decision:{number}"))  # noqa: S311 - seeded


def _label(number: int, prefix: str) -> Fields:
    return {
        "schema_version": "1.0",
        "label_id": f"{prefix}l{number}",
        "transaction_id": f"{prefix}t{number}",
        "verdict": ("unauthorised", "genuine", "service", "first_party")[number % 4],
        "source": ("chargeback", "analyst")[number % 2],
        "occurred_at": moment(1_767_225_600_000 + number),
        "received_at": moment(1_767_312_000_000 + number),
    }


def _score(draw: random.Random) -> float:
    """Where digits of cards come most often behind the point."""
    return draw.uniform(0.3, 0.6)


def _decision(number: int, prefix: str, draw: random.Random) -> Fields:
    score = _score(draw)
    return {
        "transaction_id": f"{prefix}t{number}",
        "customer_id": f"{prefix}c{number % 90}",
        "event_time": moment(1_767_225_600_000 + number),
        "scored_at": moment(1_767_225_600_000 + number),
        "stage": "pre_auth",
        "raw_score": draw.random(),
        "score": score,
        "threshold": draw.random(),
        "model_action": "block",
        "action": ("allow", "block")[number % 2],
        "propensity": 1.0,
        "alert_id": None,
        "model_version": 1,
        "policy_version": "p",
        "features_fingerprint": "f",
        "features_crc": draw.getrandbits(32),
        "late": False,
        "history_from": None,
        "shadow": {"model_version": 2, "score": draw.random(), "action": "allow"},
        "source": {"topic": "in", "partition": 0, "offset": number},
        "schema_version": "1.0",
    }
