"""Lists by name: texts and networks, each with a span of event time; a million of them, changed between two batches.

Values are 64-bit hashes in one array sorted by hash, whatever the list: 32 bytes a value. What is new waits, then goes
into a second, small sorted array, and only when that is full into the large one; what is taken out is marked, and
dropped at the next such merge. So a change costs what is new, not what is held. Networks are held by the hash of their
prefix: an address is looked up once for each length of prefix that its list has.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.controls.language.columns import Addresses, Bools, Network, Texts
from fraud.decoding.batch import Int64s, UInt64s, hash_id, hash_ids

OPEN: Final = np.iinfo(np.int64).max
"""The end of a span that does not end."""
MAX_VALUES: Final = 4_000_000
"""Held in all lists together, 128 MB."""

_RECENT_MAX: Final = 1 << 14
_WAITING_MAX: Final = 1 << 14
_FEW_GONE: Final = 8
_NEVER: Final = np.iinfo(np.int64).min
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FACTORS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class _Rows(NamedTuple):
    """Values with the entries that hold them: contiguous arrays, for a look-up in a strided one copies it first."""

    key: UInt64s
    owner: UInt64s
    start: Int64s
    end: Int64s  # _NEVER: taken out

    @property
    def nbytes(self) -> int:
        return sum(column.nbytes for column in self)

    def starts(self) -> tuple[npt.NDArray[np.int64], np.uint64]:
        """Where the values of each leading bits of a key begin, and how far these are shifted: about one value each.

        Keys are evenly spread, so a look-up reads two places instead of halving a million twenty times.
        """
        bits = max(1, len(self.key).bit_length())
        shift = np.uint64(64 - bits)
        counts = np.bincount((self.key >> shift).astype(np.int64), minlength=1 << bits)
        return np.concatenate([[0], np.cumsum(counts)]), shift

    def take(self, rows: npt.NDArray[np.generic]) -> "_Rows":
        return _Rows(*(column[rows] for column in self))


def _joined(parts: Sequence[_Rows]) -> _Rows:
    return _Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


_NONE: Final = _Rows(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))


class Lists:
    """All lists of a platform."""

    def __init__(self) -> None:
        self._held = self._recent = _NONE
        self._held_starts = self._recent_starts = _NONE.starts()
        self._waiting: dict[int, _Rows] = {}
        self._waiting_rows = 0
        self._gone: set[int] = set()
        self._prefixes: dict[str, set[int]] = {}

    def __len__(self) -> int:
        """Values in all lists, expired ones among them."""
        self._settle()
        return sum(int((rows.end != _NEVER).sum()) for rows in (self._held, self._recent))

    @property
    def nbytes(self) -> int:
        """Of the arrays."""
        return int(self._held.nbytes + self._recent.nbytes + sum(rows.nbytes for rows in self._waiting.values()))

    def put(
        self, entry: str, name: str, values: Collection[str], *, start: int | None = None, end: int | None = None
    ) -> None:
        """Takes an entry in, in place of the one under its id.

        Args:
            entry: its id.
            name: of the list.
            values: texts as they stand in events; what parses as a network with a slash is one.
            start: event time in µs from which it holds; None: always.
            end: event time in µs from which it holds no longer; None: never.

        Raises:
            ValueError: a value has a slash and digits but is no network, or the lists are full.
        """
        self.remove(entry)
        networks = {value: _network(value) for value in values if "/" in value}
        texts = [value for value in values if networks.get(value) is None]
        ranges = [network for network in networks.values() if network is not None]
        salt = _salt(name)
        keys = [_mix(hash_ids(texts, len(texts)) ^ salt)]
        keys += [_network_keys(network, salt) for network in ranges]
        count = len(texts) + len(ranges)
        if self._waiting_rows + len(self._held.key) + len(self._recent.key) + count > MAX_VALUES:
            raise ValueError(f"the lists hold {MAX_VALUES} values: let some expire, or take some out")
        owner = hash_id(entry)
        rows = _Rows(
            np.concatenate(keys),
            np.full(count, owner, np.uint64),
            np.full(count, _NEVER + 1 if start is None else start, np.int64),
            np.full(count, OPEN if end is None else end, np.int64),
        )
        self._waiting[owner] = rows
        self._waiting_rows += count
        self._prefixes.setdefault(name, set()).update(network.length for network in ranges)
        if self._waiting_rows > _WAITING_MAX or len(self._waiting) > _WAITING_MAX:
            self._settle()

    def remove(self, entry: str) -> None:
        """Takes an entry out, if it is there."""
        owner = hash_id(entry)
        self._waiting_rows -= len(self._waiting.pop(owner, _NONE).key)
        self._gone.add(owner)
        if len(self._gone) > _WAITING_MAX:
            self._settle()

    def members(self, name: str, texts: Texts, time_us: Int64s) -> Bools:
        """Which texts list `name` holds at the time of each; bool [n]. False of a list that nobody filled."""
        self._settle()
        found = np.zeros(len(time_us), np.bool_)
        if name not in self._prefixes:
            return found
        salt = _salt(name)
        found |= self._holds(_mix(texts.hashes ^ salt), time_us) & (texts.hashes != 0)
        for length in self._prefixes[name]:
            addresses = texts.addresses
            keys = _range_keys(addresses, length, salt)
            valid = addresses.valid if length >= 96 else addresses.valid & ~addresses.v4
            found |= self._holds(keys, time_us) & valid
        return found

    def _holds(self, keys: UInt64s, time_us: Int64s) -> Bools:
        found = np.zeros(len(keys), np.bool_)
        for rows, (starts, shift) in ((self._held, self._held_starts), (self._recent, self._recent_starts)):
            first = (keys >> shift).astype(np.int64)
            place, stop = starts[first], starts[first + 1]
            asked = np.flatnonzero(place < stop)
            place, stop = place[asked], stop[asked]
            while len(asked):  # several values share leading bits, and several entries a value
                at = time_us[asked]
                same = rows.key[place] == keys[asked]
                if same.any():
                    found[asked] |= same & (rows.start[place] <= at) & (at < rows.end[place])
                place = place + 1
                more = place < stop
                asked, place, stop = asked[more], place[more], stop[more]
        return found

    def _settle(self) -> None:
        """Marks what is gone, and sorts in what waits."""
        if self._gone:
            gone = np.array(sorted(self._gone), np.uint64)
            for rows in (self._held, self._recent):
                rows.end[_among(rows.owner, gone)] = _NEVER
            self._gone.clear()
        if not self._waiting:
            return
        self._recent = _sorted(_joined([self._recent, *self._waiting.values()]))
        self._waiting.clear()
        self._waiting_rows = 0
        if len(self._recent.key) > _RECENT_MAX:
            self._held = _merged(self._held, self._recent)
            self._held_starts = self._held.starts()
            self._recent = _NONE
        self._recent_starts = self._recent.starts()


def _among(owners: UInt64s, gone: UInt64s) -> Bools:
    """Which owners are gone; `gone` is sorted."""
    if len(gone) <= _FEW_GONE:
        among = np.zeros(len(owners), np.bool_)
        for one in gone:
            among |= owners == one
        return among
    place = np.minimum(np.searchsorted(gone, owners), len(gone) - 1)
    found: Bools = np.equal(gone[place], owners)
    return found


def _sorted(rows: _Rows) -> _Rows:
    alive = rows.take(rows.end != _NEVER)
    return alive.take(np.argsort(alive.key, kind="stable"))


def _merged(held: _Rows, recent: _Rows) -> _Rows:
    """One sorted array of two, without what was taken out."""
    alive = held.take(held.end != _NEVER)
    places = np.searchsorted(alive.key, recent.key)
    return _Rows(*(np.insert(old, places, new) for old, new in zip(alive, recent, strict=True)))


def _network(text: str) -> Network | None:
    """The network that a value is; None of a text that only has a slash.

    Raises:
        ValueError: its first part is an address, but it is no network.
    """
    try:
        Network.parse(text.partition("/")[0])
    except ValueError:
        return None
    return Network.parse(text)


def _salt(name: str) -> np.uint64:
    return np.uint64(hash_id(f"list {name}"))


def _mix(values: UInt64s) -> UInt64s:
    """SplitMix64's finaliser: each bit of a value moves every bit of its key."""
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _FACTORS[0]
    values = (values ^ (values >> np.uint64(27))) * _FACTORS[1]
    mixed: UInt64s = values ^ (values >> np.uint64(31))
    return mixed


def _range_keys(addresses: Addresses, length: int, salt: np.uint64) -> UInt64s:
    high_mask, low_mask = Network(0, 0, length).masks
    return _keys_of(addresses.high & high_mask, addresses.low & low_mask, length, salt)


def _network_keys(network: Network, salt: np.uint64) -> UInt64s:
    high, low = np.array([network.high], np.uint64), np.array([network.low], np.uint64)
    return _keys_of(high, low, network.length, salt)


def _keys_of(high: UInt64s, low: UInt64s, length: int, salt: np.uint64) -> UInt64s:
    return _mix(_mix(_mix(high ^ salt) ^ low) + np.uint64(length + 1))
