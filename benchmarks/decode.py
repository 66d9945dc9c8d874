"""The cost of reading one event, beside the slow road with its steps and the contract's own models.

`python -m benchmarks.decode`. `total` is the decoder on plain messages, `careful` the slow road on the same ones, and
`parse`, `judge`, `mask` and `hash` its steps; `speedup` is their ratio within a repeat.

`ignored` are events with invalid optional fields, `wide` have as many attributes as may be, `hostile` as many that are
invalid.

CPU time of this process, so that a busy machine disturbs it little; medians and quartiles over interleaved repeats.
"""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np

from benchmarks.report import Figure, report
from fraud.contracts.inbound import MAX_ATTRIBUTES
from fraud.decoding import validation
from fraud.decoding.careful_reader import CarefulReader, parse
from fraud.decoding.decoder import MAX_AHEAD_US, Decoder
from fraud.decoding.event_columns import EventColumns
from fraud.decoding.masking import mask_events
from fraud.decoding.own_fields import NO_FIELDS, OwnFields, own_columns
from fraud.money import Rates
from fraud.privacy.card_numbers import tokeniser
from fraud.timestamps import parse_time
from simulator.output.malformed import malformed, partly_invalid

EVENTS = 1000
REPEATS = 31
NOW = parse_time("2026-01-05T10:00:00Z")
CATEGORIES = {
    "currency": ["EUR"],
    "card_country": ["FR", "DE", "US"],
    "card_funding": ["credit", "debit"],
    "payment_method": ["card"],
    "ip_country": ["FR", "DE"],
    "email_domain": ["gmail.com", "example.org"],
    "billing_country": ["FR", "DE"],
    "shipping_country": ["FR", "DE"],
    "channel": ["web", "app"],
    "merchant_category": ["5732", "5411", "5999"],
}


def transaction(rng: random.Random) -> dict[str, object]:
    """A transaction with 27 fields, about 700 bytes."""

    def token(digits: int) -> str:
        return f"{rng.getrandbits(4 * digits):0{digits}x}"

    return {
        "type": "transaction",
        "schema_version": "1.0",
        "transaction_id": f"tx-{token(16)}",
        "event_time": f"2026-01-05T09:{rng.randrange(60):02d}:{rng.randrange(60):02d}.{rng.randrange(10**6):06d}Z",
        "customer_id": f"cu-{rng.randrange(10**6):06d}",
        "amount": f"{rng.lognormvariate(3, 1):.2f}",
        "order_id": f"or-{token(8)}",
        "attempt_no": 1,
        "merchant_id": f"shop-{rng.randrange(1000)}",
        "card_id": f"tok_{token(12)}",
        "bin": f"{rng.randrange(400_000, 500_000)}",
        "device_id": f"dev-{token(12)}",
        "ip": ".".join(str(rng.randrange(256)) for _ in range(4)),
        "email_hash": token(16),
        "shipping_address_hash": token(16),
        "is_guest": False,
        "account_created_at": "2024-03-01T10:00:00Z",
        "tz_offset_min": 60,
        "items_count": rng.randrange(1, 6),
        **{name: rng.choice(values) for name, values in CATEGORIES.items()},
    }


def contract(values: list[bytes], rates: Rates) -> None:
    """The slow road: pydantic models, one message at a time."""
    for raw in values:
        event = validation.contract(validation.read(raw)).event
        validation.check(event, timestamp_us=NOW, rates=rates, max_ahead_us=0)


def microseconds(work: Callable[[], object], events: int) -> float:
    """CPU time per event."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e6 / events


VALUES: dict[str, tuple[str, Callable[[random.Random], object]]] = {
    "number": ("numbers", lambda rng: round(rng.random() * 100, 2)),
    "number_text": ("numbers", lambda rng: f"{rng.random() * 100:.2f}"),
    "flag": ("flags", lambda rng: rng.random() < 0.5),
    "category_few": ("categories", lambda rng: f"v{rng.randrange(20)}"),
    "category_many": ("categories", lambda rng: f"value-{rng.randrange(10**6)}"),
}
"""Kinds of own fields: the group of `OwnFields`, and a value."""


def own_fields(rng: random.Random, decoder: Decoder) -> dict[str, Callable[[], object]]:
    """Reading 100 events with as many own fields as there may be of each kind: declared, and sent but not declared."""
    names = tuple(f"field_{place}" for place in range(MAX_ATTRIBUTES))
    steps: dict[str, Callable[[], object]] = {}
    for kind, (group, value) in VALUES.items():
        events = [transaction(rng) | {"attributes": {name: value(rng) for name in names}} for _ in range(100)]
        raw = [msgspec.json.encode(event) for event in events]
        declared = replace(decoder, fields=OwnFields(**{group: names}))
        steps[f"own_{kind}"] = partial(declared.decode, raw, [NOW] * 100)
        steps[f"own_{kind}_undeclared"] = partial(decoder.decode, raw, [NOW] * 100)
    return steps


def main() -> None:
    """Measures and reports."""
    rng = random.Random(7)  # noqa: S311 - a seeded sample
    values = [msgspec.json.encode(transaction(rng)) for _ in range(EVENTS)]
    broken = malformed(7, EVENTS)
    spoilt = [raw for raw, _ in partly_invalid(7, EVENTS)]
    many = {f"field_{place}": place for place in range(MAX_ATTRIBUTES)}
    wide = [msgspec.json.encode(transaction(rng) | {"attributes": many}) for _ in range(100)]
    hostile = [msgspec.json.encode(transaction(rng) | {"attributes": {name: [] for name in many}}) for _ in range(100)]
    times = [NOW] * EVENTS
    latest = np.full(EVENTS, NOW)
    decoder = Decoder(Rates.default("EUR"), pan_token=tokeniser(b"secret"))
    careful = CarefulReader(decoder.rates, decoder.fields, MAX_AHEAD_US, decoder.pan_token)
    events = careful.read(values, latest).events
    table = EventColumns.of(events, decoder.rates, latest)
    steps: dict[str, Callable[[], object]] = {
        "total": lambda: decoder.decode(values, times),
        "careful": lambda: careful.read(values, latest),
        "parse": lambda: parse(values),
        "judge": lambda: EventColumns.of(events, decoder.rates, latest),
        "mask": lambda: mask_events(events, table.columns, tokeniser(b"secret")),
        "hash": lambda: table.batch(own_columns([None] * EVENTS, NO_FIELDS), np.empty(0, np.intp)),
        "single": lambda: [decoder.decode(values[i : i + 1], times[:1]) for i in range(100)],
        "contract": lambda: contract(values, decoder.rates),
        "malformed": lambda: decoder.decode(broken, times),
        "ignored": lambda: decoder.decode(spoilt, times),
        "wide": lambda: decoder.decode(wide, times[:100]),
        "hostile": lambda: decoder.decode(hostile, times[:100]),
    }
    steps |= own_fields(rng, decoder)
    few = {name for name in steps if name in {"single", "wide", "hostile"} or name.startswith("own_")}
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(REPEATS):
        for name, work in steps.items():
            taken[name].append(microseconds(work, 100 if name in few else EVENTS))
    size = sum(map(len, values)) / EVENTS
    figures = [
        Figure.of(f"decode_{name}_us", costs, "us/event")
        for name, costs in taken.items()
        if not name.startswith("own_")
    ]
    for name in VALUES:
        costs = [
            (declared - sent) / MAX_ATTRIBUTES
            for declared, sent in zip(taken[f"own_{name}"], taken[f"own_{name}_undeclared"], strict=True)
        ]
        figures.append(Figure.of(f"decode_own_{name}_us", costs, "us/field"))
    ratios = [slow / fast for slow, fast in zip(taken["careful"], taken["total"], strict=True)]
    figures.append(Figure.of("decode_speedup", ratios, "times"))
    report("bench-decode", [*figures, Figure("decode_bytes", size, "bytes/event")], title="Reading events")


if __name__ == "__main__":
    main()
