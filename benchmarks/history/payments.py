"""A shop's payments as columns: customers of very different activity, each with things of their own."""

from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import CATEGORIES, CATEGORY_BUCKETS, ENTITIES, INTEGERS, Batch, UInt64s

START: Final = 1_700_000_000_000_000
DAY: Final = 86_400_000_000
MERCHANTS: Final = 50_000
BINS: Final = 2_000
COUNTRIES: Final = 50
OWN: Final = ("customer", "card", "device", "email", "phone", "shipping_address")
"""Entities of which every customer has one."""

HOUSEHOLD: Final = 3
"""Customers behind one network address."""

BUSY: Final = 3.0
"""How uneven customers are: a hundredth of them make 100 ** (1 / BUSY - 1), a fifth, of the payments."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)


def busy(customers: int, count: int, *, seed: int) -> UInt64s:
    """`count` customers out of 1 … `customers`, few of them very often. Shape [count]."""
    return (np.random.default_rng(seed).random(count) ** BUSY * customers).astype(np.uint64) + np.uint64(1)


def payments(customers: UInt64s, *, start: int, step: int, seed: int, complete: bool = True) -> Batch:
    """One payment of each given customer, `step` µs apart.

    Args:
        customers: uint64 [n], numbers from 1.
        start: event time of the first, in µs.
        step: µs between two.
        seed: of merchants, amounts and transaction ids.
        complete: with every id that an event can have; else with customer, card, device, bin and merchant.
    """
    rng, n = np.random.default_rng(seed), len(customers)
    return Batch(
        kind=np.zeros(n, np.uint8),
        time=start + np.arange(n, dtype=np.int64) * step,
        amount=(np.exp(rng.normal(3.0, 1.2, n)) * 1e6).astype(np.int64),
        ids=_ids(customers, rng, complete=complete),
        transaction=rng.integers(1, 2**63, n).astype(np.uint64),
        order=rng.integers(1, 2**63, n).astype(np.uint64) if complete else np.zeros(n, np.uint64),
        billing_address=_hash(customers, 40),
        categories=_categories(customers),
        integers=_integers(start, rng, n),
        malformed=np.zeros(n, np.uint8),
        attributes=np.zeros((n, 0), np.float32),
        own_ids=np.zeros((n, 0), np.uint64),
    )


def _ids(customers: UInt64s, rng: np.random.Generator, *, complete: bool) -> UInt64s:
    ids = np.zeros((len(customers), len(ENTITIES)), np.uint64)
    for entity in OWN if complete else OWN[:3]:
        ids[:, ENTITIES.index(entity)] = _hash(customers, ENTITIES.index(entity))
    if complete:
        ids[:, ENTITIES.index("ip")] = _hash(customers // np.uint64(HOUSEHOLD), 20)
    ids[:, ENTITIES.index("bin")] = _hash(_rank(_hash(customers, 21), BINS), 22)
    favourite = np.minimum(rng.exponential(1.5, len(customers)), 40).astype(np.uint64)
    ids[:, ENTITIES.index("merchant")] = _hash(_rank(_hash(customers + favourite * _GOLDEN, 23), MERCHANTS), 24)
    return ids


def _categories(customers: UInt64s) -> npt.NDArray[np.uint32]:
    columns = [_hash(customers % np.uint64(COUNTRIES), 60 + i) % np.uint64(CATEGORY_BUCKETS - 1) for i in range(15)]
    found = np.zeros((len(customers), len(CATEGORIES)), np.uint32)
    found[:, :15] = np.stack(columns, axis=1) + np.uint64(1)
    return found


def _integers(start: int, rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    found = rng.integers(0, 2, (n, len(INTEGERS)))
    for name in ("account_created_at", "card_added_at"):
        found[:, INTEGERS.index(name)] = start - rng.integers(0, 1000 * DAY, n)
    found[:, INTEGERS.index("is_merchant_initiated")] = 0
    return found


def _rank(numbers: UInt64s, count: int) -> UInt64s:
    """Hashes to 0 … count - 1, low ones far more often."""
    return (((numbers >> np.uint64(11)) / 2.0**53) ** BUSY * count).astype(np.uint64)


def _hash(numbers: UInt64s, salt: int) -> UInt64s:
    """Well mixed, never 0."""
    mixed = (numbers + np.uint64(salt << 40)) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _FIRST
    return (mixed ^ (mixed >> np.uint64(32))) | np.uint64(1)
