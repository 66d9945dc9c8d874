"""What operations work on: numbers, truths and texts of n payments, each of which may be missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import UInt64s
from fraud.decoding.hashing import hash_all

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]

V4_PREFIX: Final = b"\0" * 10 + b"\xff\xff"
"""Before the four bytes of an IPv4 address, as IPv6 writes it."""
_V4_LOW: Final = np.uint64(0xFFFF)
_ZERO: Final = np.uint64(0)
_FEW: Final = 8
"""With at least so many rows to a distinct text, hashing only the distinct ones is faster."""


class Numbers(NamedTuple):
    """Numbers, money or times.

    Attributes:
        values: float64 [n] or one for all; NaN where missing. Money in units of the base currency, times in µs.
        complete: whether none is missing.
    """

    values: Float64s | float
    complete: bool

    @classmethod
    def of(cls, values: Float64s) -> "Numbers":
        """With NaN, and infinities, as missing."""
        finite = np.isfinite(values)
        complete = bool(finite.all())
        return cls(values if complete else np.where(finite, values, np.nan), complete)

    @classmethod
    def read(cls, values: Float64s) -> "Numbers":
        """Of which none is infinite."""
        return cls(values, not np.isnan(values.min(initial=0.0)))  # a minimum is missing where any value is


class Truth(NamedTuple):
    """True, false, or not known: neither.

    Attributes:
        true: bool [n] or one for all.
        false: the same; None where it is all that is not true, so that what is never missing costs half.
    """

    true: Bools
    false: Bools | None

    @property
    def untrue(self) -> Bools:
        """`false`, whether it is kept or not."""
        return ~self.true if self.false is None else self.false


@dataclass(frozen=True, slots=True)
class Addresses:
    """IP addresses as numbers of 128 bits; IPv4 within IPv6, ::ffff:0:0/96.

    Attributes:
        high: uint64 [n].
        low: uint64 [n].
        valid: bool [n], whether it is an address.
        v4: bool [n].
    """

    high: UInt64s
    low: UInt64s
    valid: Bools
    v4: Bools

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> "Addresses":
        """Addresses from their texts."""
        packed = [_packed(text) for text in texts]
        words = np.frombuffer(b"".join(p or bytes(16) for p in packed), ">u8").astype(np.uint64).reshape(-1, 2)
        valid = np.fromiter((p is not None for p in packed), np.bool_, len(packed))
        high, low = words[:, 0], words[:, 1]
        return cls(high, low, valid, (high == _ZERO) & (low >> np.uint64(32) == _V4_LOW))

    def within(self, network: "Network") -> Bools:
        """Which lie in a network; bool [n]. An IPv6 network holds no IPv4 address."""
        high_mask, low_mask = network.masks
        inside = (self.high & high_mask == np.uint64(network.high)) & (self.low & low_mask == np.uint64(network.low))
        found: Bools = inside & self.valid if network.length >= 96 else inside & self.valid & ~self.v4
        return found


class Network(NamedTuple):
    """A range of addresses.

    Attributes:
        high: of its first address.
        low: of its first address.
        length: bits of the prefix among 128.
    """

    high: int
    low: int
    length: int

    @property
    def masks(self) -> tuple[np.uint64, np.uint64]:
        """The bits of both halves that its addresses share."""
        mask = ((1 << self.length) - 1) << (128 - self.length)
        return np.uint64(mask >> 64), np.uint64(mask & ((1 << 64) - 1))

    @classmethod
    def parse(cls, text: str) -> "Network":
        """A network from 10.0.0.0/8, 2001:db8::/32 or an address alone.

        Raises:
            ValueError: it is none.
        """
        address, slash, bits = text.partition("/")
        packed = _packed(address)
        whole = 128 if ":" in address else 32
        if packed is None or (slash and not (bits.isascii() and bits.isdigit() and int(bits[:4]) <= whole)):
            raise ValueError(f"{text!r} is no network like 10.0.0.0/8 or 2001:db8::/32")
        length = 128 - whole + (int(bits) if slash else whole)
        first = int.from_bytes(packed) >> (128 - length) << (128 - length)
        return cls(first >> 64, first & ((1 << 64) - 1), length)


class Texts:
    """Texts, compared by their 64-bit hashes; what looks into them does so once for each distinct one.

    Args:
        values: they, None where missing; or what makes them, which is asked only where hashes do not do.
        hashes: theirs, where they are at hand.
    """

    __slots__ = ("_addresses", "_codes", "_complete", "_hashes", "_values")

    def __init__(
        self,
        values: Sequence[str | None] | Callable[[], Sequence[str | None]],
        hashes: UInt64s | None = None,
    ) -> None:
        self._values = values
        self._hashes = hashes
        self._complete: bool | None = None
        self._codes: tuple[list[str], npt.NDArray[np.intp]] | None = None
        self._addresses: Addresses | None = None

    @property
    def values(self) -> Sequence[str | None]:
        """The texts, None where missing."""
        if callable(self._values):
            self._values = self._values()
        return self._values

    @property
    def hashes(self) -> UInt64s:
        """`fraud.decoding.batch.hash_id` of each, 0 where missing; uint64 [n]."""
        if self._hashes is None:
            few = len(set(self.values)) * _FEW <= len(self.values)
            self._hashes = self._hashed_by_distinct() if few else hash_all(self.values)
        return self._hashes

    @property
    def complete(self) -> bool:
        """Whether none is missing."""
        if self._complete is None:
            self._complete = bool(self.hashes.all())
        return self._complete

    @property
    def addresses(self) -> Addresses:
        """As IP addresses."""
        if self._addresses is None:
            self._addresses = Addresses.of(self.values)
        return self._addresses

    def is_any(self, test: Callable[[str], bool]) -> Bools:
        """Which pass a test; bool [n], False where missing."""
        distinct, codes = self._dictionary()
        passed = np.array([*map(test, distinct), False])
        found: Bools = passed[codes]
        return found

    def changed(self, change: Callable[[str], str]) -> "Texts":
        """Each with a change made to it."""
        distinct, codes = self._dictionary()
        made: list[str | None] = [*map(change, distinct), None]
        hashes = hash_all(made)
        return Texts([made[code] for code in codes.tolist()], hashes[codes])

    def _hashed_by_distinct(self) -> UInt64s:
        distinct, codes = self._dictionary()
        hashes: UInt64s = hash_all([*distinct, None])[codes]
        return hashes

    def _dictionary(self) -> tuple[list[str], npt.NDArray[np.intp]]:
        """The distinct texts, and which one each is; -1 where missing."""
        if self._codes is None:
            table: dict[str | None, int] = {
                text: code for code, text in enumerate(dict.fromkeys(text for text in self.values if text is not None))
            }
            distinct = [text for text in table if text is not None]
            table[None] = -1
            self._codes = distinct, np.fromiter(map(table.__getitem__, self.values), np.intp, len(self.values))
        return self._codes


def _packed(text: str | None) -> bytes | None:
    """16 bytes of an address, None of what is none."""
    if not text:
        return None
    try:
        return inet_pton(AF_INET6, text) if ":" in text else V4_PREFIX + inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return None
