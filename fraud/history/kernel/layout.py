"""Memory layout of the history: integer records in arrays of fixed capacity, so that memory has a bound.

All arrays are allocated zeroed at full capacity; the operating system commits a page when it is first written, so a
small history stays small and no batch ever waits for an array to grow.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import ENTITIES
from fraud.units import DAY_US, HOUR_US, MINUTE_US

Records: TypeAlias = npt.NDArray[np.void]
Int: TypeAlias = int | np.int64
"""Compiled code has one signed integer, of 64 bits."""

WINDOWS: Final = (10 * MINUTE_US, HOUR_US, DAY_US, 7 * DAY_US, 30 * DAY_US)
WINDOW_NAMES: Final = ("10min", "1h", "24h", "7d", "30d")

PAIRS: Final = ("customer_merchant", "customer_device", "customer_country", "card_device")
KINDS: Final = (*ENTITIES, *PAIRS)
"""What the history knows. `customer_country` pairs a customer with a shipping country."""

BUCKETED: Final = ("bin", "merchant")
"""Entities of any degree: bucketed counters in place of the ring of attempts."""

MAX_OWN: Final = 4
"""Entities among a shop's own fields. Nobody knows their degree, so each has both: a ring, for partners and times, and
bucketed counters, which do not saturate; as two kinds, numbered after KINDS."""
OWN_RINGS: Final = len(KINDS)
OWN_ROWS: Final = OWN_RINGS + MAX_OWN

VALUE_PLACES: Final = 1 << 14
"""Values remembered of each own category; a power of two."""
VALUE_WAYS: Final = 8
"""Places that one value may be in; where all are taken, the value that was not seen for longest goes."""
VALUE_LAST, VALUE_HEADS, VALUE_COUNTS = 0, 1, 3
"""Parts of a value's counter: its newest event in minutes, the number of the newest bucket of a day's and of a month's
ring, and their buckets."""

AGREEING: Final = 8
"""So many events in a row must have passed a time before the watermark stands there: one wrong clock never moves it."""

LEAD: Final = HOUR_US
"""How far after the watermark an event is counted at most; what is dated later is ahead, and counts as that."""

SLACK: Final = DAY_US
"""Records are kept this much longer than the horizon, so that an event up to a day late still sees whole windows."""

MAX_ORDER: Final = 6
"""Blocks of the ring arena hold 1, 2, 4 … 2**MAX_ORDER attempts."""

BUCKETS: Final = 15
"""Buckets per window; one more is held, for the window's ragged end: 16, a power of two."""

SLOT: Final = np.dtype(
    [
        ("key", "u8"),  # mixed 64-bit hash of kind and id, never 0
        ("last", "i8"),  # newest event time
        ("active", "u4"),  # bit i: seen on the day i days before the day of `last`
        ("block", "u4"),  # first entry of the ring, or row of buckets; next free slot + 1 in a free slot
        ("length", "u1"),  # attempts in the ring
        ("head", "u1"),  # position of the oldest in the ring
        ("order", "u1"),  # the ring's capacity is 2**(order - 1); 0: none
        ("kind", "u1"),  # index in KINDS + 1; 0: free
        ("today", "u2"),  # new partners on the day of `last`
        ("busy", "u1"),  # bit i: the day i + 1 days before the day of `last` had degree_cap new partners or more
        ("spare", "u1"),
    ]
)  # fmt: skip
"""One entity or pair, 32 bytes."""

ENTRY: Final = np.dtype(
    [
        ("time", "i8"),  # event time; in a free block, the next free block + 1
        ("amount", "i8"),  # micro-units; in a free block, the one before + 1
        ("transaction", "u4"),  # tag of the transaction, to find it again when its outcome comes
        ("first", "u4"),  # tag of the first partner, 0 absent
        ("second", "u4"),
        ("log", "u2"),  # log2(1 + amount in units), 10 fractional bits
        ("status", "u1"),  # in a free block, FREE + its order
        ("quiet", "u1"),  # 1: merchant-initiated or a retry; counts in no attack counter
    ]
)
"""One attempt of one entity, 32 bytes."""

FREE: Final = 128
"""Added to the order of a free block in its first entry's status: no `Status` is as high."""

RECENT: Final = np.dtype(
    [
        ("key", "u8"),  # mixed hash of a transaction id, or of an order and its instrument
        ("seen", "i8"),  # the partition's watermark when it came
        ("counted", "i8"),  # event time as merchants and bins count it
        ("amount", "i8"),
        ("content", "u4"),  # hash of everything the event said
        ("count", "u2"),  # attempts of this order
        ("status", "u1"),
        ("quiet", "u1"),
    ]
)
"""A transaction (or order) of the last day, 40 bytes."""

BUCKET: Final = np.dtype([("spend", "i8"), ("attempts", "u4"), ("declines", "u4"), ("small", "u4"), ("refunds", "u4")])


class Status:
    """What became of an attempt, as the log tells it; the latest outcome counts."""

    PENDING: Final = 0
    APPROVED: Final = 1
    DECLINED: Final = 2
    VOIDED: Final = 3
    REFUNDED: Final = 4


class Counter:
    """Positions in `State.counters`."""

    EVENTS: Final = 0
    WATERMARK: Final = 1
    SLOT_TOP: Final = 2
    SLOT_FREE: Final = 3
    SLOTS_USED: Final = 4
    ENTRY_TOP: Final = 5
    ENTRIES_USED: Final = 6
    ROW_TOP: Final = 7
    ROW_FREE: Final = 8
    ROWS_USED: Final = 9
    RECENT_HEAD: Final = 10
    RECENT_TAIL: Final = 11
    SWEEP: Final = 12
    NEWEST: Final = 13  # the latest time at which an event was counted
    RUN: Final = 14  # events in a row after the watermark; negative until AGREEING events have come
    EARLIEST: Final = 15  # event time, of that run
    BLOCK_FREE: Final = 16  # one per order
    FORGOTTEN: Final = 23  # `seen` of the newest recent record that went for want of room
    KNOWN: Final = 24  # one per kind
    SALT: Final = 37  # of all keys
    REFUSED: Final = 38  # rings that could not grow for want of room
    EVICTED: Final = 40  # one per kind
    SIZE: Final = 56
    OWN_KNOWN: Final = 56  # one per kind of own entities; only where there are some
    OWN_EVICTED: Final = 64
    OWN_SIZE: Final = 72


class State(NamedTuple):
    """The arrays of one history."""

    table: npt.NDArray[np.uint32]
    slots: Records
    entries: Records
    buckets: Records
    bucket_heads: npt.NDArray[np.int64]
    bucket_logs: npt.NDArray[np.int64]
    recents: Records
    recent_table: npt.NDArray[np.uint32]
    counters: npt.NDArray[np.int64]
    recent_own: npt.NDArray[np.uint64]  # [recents, own entities]: keys of their bucketed slots
    value_keys: npt.NDArray[np.uint32]  # [own categories, VALUE_PLACES]: hashed values, 0 where free
    value_counts: npt.NDArray[np.int32]  # [own categories, VALUE_PLACES, parts]


class Limits(NamedTuple):
    """The configuration as the kernel reads it: integers, times in µs."""

    horizon: int
    ring: int
    degree_cap: int
    busy_days: int
    max_entities: int
    max_entries: int
    max_bucketed: int
    dedupe: int
    order_retries: int
    tidy_every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryConfig:
    """What a history remembers. All but `recent_capacity` is in the fingerprint of features, and so of models.

    Attributes:
        horizon_days: nothing older than this is read; 1 to 30.
        ring: attempts kept per entity, a power of two up to 64; counts saturate there.
        degree_cap: new partners (customers per device, ip …, cards per customer) that make a day a busy one.
        busy_days: an entity with so many busy days among the last 7 whole days is shared; 1 to 7.
        max_entities: entities and pairs kept; beyond it those with the oldest last event go.
        max_entries: attempts kept in all rings together.
        max_bucketed: merchants and bins kept.
        recent_capacity: transactions and orders remembered for deduplication; its size follows from the rate of
            payments, which a model need not know.
        dedupe_hours: how long they are remembered, in event time of the partition.
        order_retries: retries of one order with one instrument that count in no attack counter.
        tidy_every: records between two checks of the caps.
        own_entities: names of the shop's own entities, in the order of `Batch.own_ids`.
        own_categories: names of its own categories, the last columns of `Batch.attributes`.
    """

    horizon_days: int = 30
    ring: int = 64
    degree_cap: int = 50
    busy_days: int = 3
    max_entities: int = 1 << 23
    max_entries: int = 1 << 24
    max_bucketed: int = 1 << 16
    recent_capacity: int = 1 << 22
    dedupe_hours: int = 24
    order_retries: int = 3
    tidy_every: int = 4096
    own_entities: tuple[str, ...] = ()
    own_categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.horizon_days <= 30:
            raise ValueError(f"horizon_days is {self.horizon_days}; it must be 1 to 30")
        if self.ring not in {1 << order for order in range(MAX_ORDER + 1)}:
            raise ValueError(f"ring is {self.ring}; it must be a power of two up to {1 << MAX_ORDER}")
        if not 1 <= self.busy_days <= 7:
            raise ValueError(f"busy_days is {self.busy_days}; it must be 1 to 7")
        if len(self.own_entities) > MAX_OWN:
            raise ValueError(f"{len(self.own_entities)} own entities; at most {MAX_OWN} are counted")
        for name in ("max_entities", "max_entries", "max_bucketed", "recent_capacity", "tidy_every", "degree_cap"):
            if not 1 <= getattr(self, name) < 1 << 31:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 1 to 2**31 - 1")

    def limits(self) -> Limits:
        """As the kernel reads it."""
        return Limits(
            horizon=self.horizon_days * DAY_US,
            ring=self.ring,
            degree_cap=self.degree_cap,
            busy_days=self.busy_days,
            max_entities=self.max_entities,
            max_entries=self.max_entries,
            max_bucketed=self.max_bucketed,
            dedupe=self.dedupe_hours * HOUR_US,
            order_retries=self.order_retries,
            tidy_every=self.tidy_every,
        )


def empty_state(config: HistoryConfig, salt: int) -> State:
    """A history that has seen nothing."""
    state = State(**{name: np.zeros(shape, dtype) for name, (shape, dtype) in _arrays(config).items()})
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    counters = state.counters
    counters[Counter.WATERMARK] = highest
    counters[Counter.NEWEST] = counters[Counter.FORGOTTEN] = lowest
    counters[Counter.RUN] = -AGREEING
    counters[Counter.SALT] = np.uint64(salt).astype(np.int64)
    return state


def most_bytes(config: HistoryConfig) -> int:
    """What a history's arrays take when every cap is reached."""
    return sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in _arrays(config).values())


def _arrays(config: HistoryConfig) -> dict[str, tuple[int | tuple[int, ...], npt.DTypeLike]]:
    """Shape and type of each array; room beyond the caps is for what comes between two checks."""
    own = len(config.own_entities)
    entities = config.max_entities + (len(KINDS) + 2 * own) * config.tidy_every
    rings = len(ENTITIES) - len(BUCKETED) + own
    entries = config.max_entries + 2 * rings * config.tidy_every
    rows = (1 + own) * config.max_bucketed + (len(BUCKETED) + own) * config.tidy_every
    values = (len(config.own_categories), VALUE_PLACES)
    return {
        "table": (_table_size(entities), np.uint32),
        "slots": (entities, SLOT),
        "entries": (-(-entries >> MAX_ORDER) << MAX_ORDER, ENTRY),
        "buckets": ((rows, len(WINDOWS), BUCKETS + 1), BUCKET),
        "bucket_heads": ((rows, len(WINDOWS)), np.int64),
        "bucket_logs": ((rows, BUCKETS + 1, 3), np.int64),
        "recents": (config.recent_capacity, RECENT),
        "recent_table": (_table_size(config.recent_capacity), np.uint32),
        "counters": (Counter.OWN_SIZE if own else Counter.SIZE, np.int64),
        "recent_own": ((config.recent_capacity, own), np.uint64),
        "value_keys": (values, np.uint32),
        "value_counts": ((*values, VALUE_COUNTS + 2 * (BUCKETS + 1)), np.int32),
    }


def _table_size(records: int) -> int:
    """A power of two that keeps the load at two thirds or less."""
    return 1 << (records * 3 // 2).bit_length()
