"""Measures of one entity at one time: the vector that features choose from."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.history.kernel.layout import MAX_ORDER, MAX_OWN, WINDOW_NAMES, WINDOWS

N: Final = len(WINDOWS)

ATTEMPTS: Final = 0
DECLINES: Final = ATTEMPTS + N
SPEND: Final = DECLINES + N
FIRST: Final = SPEND + N
SECOND: Final = FIRST + N
SMALL: Final = SECOND + N
REFUNDS: Final = SMALL + 1
SINCE_LAST: Final = REFUNDS + 1
SINCE_FIRST: Final = SINCE_LAST + 1
ACTIVE_DAYS: Final = SINCE_FIRST + 1
AMOUNT_GAP: Final = ACTIVE_DAYS + 1
AMOUNT_SCORE: Final = AMOUNT_GAP + 1
NEW_FIRST: Final = AMOUNT_SCORE + 1
NEW_SECOND: Final = NEW_FIRST + 1
NEW: Final = NEW_SECOND + 1
SHARED: Final = NEW + 1
COUNT: Final = SHARED + 1
"""Positions in the vector: five windowed groups, then single ones."""

SMALL_AMOUNT: Final = 2_000_000
"""Micro-units; amounts up to this, zero among them, are what card testers try."""

_GROUPS: Final = ("attempts", "declines", "spend", "first", "second")
_SINGLES: Final = (
    "small_24h", "refunds_30d", "hours_since_last", "hours_since_first", "active_days", "amount_gap", "amount_score",
    "new_first", "new_second", "new", "shared",
)  # fmt: skip
MEASURES: Final = (*(f"{group}_{window}" for group in _GROUPS for window in WINDOW_NAMES), *_SINGLES)
"""Names by position; `first` and `second` count distinct partners."""

DISTINCT: Final = 4 << MAX_ORDER
"""Places of the little hash set that counts distinct partners: a load of a quarter at most."""


class Scratch(NamedTuple):
    """Work space of one kernel call; holds nothing between rows.

    Flat arrays: a view of a row of an array costs compiled code two atomic operations.
    """

    values: npt.NDArray[np.float64]  # the measures of one entity
    counts: npt.NDArray[np.int64]  # per window attempts, then declines, spend, distinct first, distinct second
    tags: npt.NDArray[np.uint32]  # the partners seen: places for the first, then as many for the second
    stamps: npt.NDArray[np.int64]  # by place: the reading that wrote it
    levels: npt.NDArray[np.int64]  # by place: the smallest window the partner was seen in
    reading: npt.NDArray[np.int64]  # [1]
    keys: npt.NDArray[np.uint64]  # [kinds]
    found: npt.NDArray[np.int64]  # [kinds]: slots, -1 unknown
    own_keys: npt.NDArray[np.uint64]  # [2 * MAX_OWN]: rings, then rows of buckets
    own_found: npt.NDArray[np.int64]
    kept: npt.NDArray[np.float64]  # measures of a ring, while those of buckets are read
    value_places: npt.NDArray[np.int64]  # [own categories]: where the event's value is counted, -1 nowhere yet


def new_scratch(kinds: int, event_measures: int, own_categories: int = 0) -> Scratch:
    """Work space for `kinds` kinds and an event vector of `event_measures`."""
    return Scratch(
        values=np.zeros(max(COUNT, event_measures), np.float64),
        counts=np.zeros(len(_GROUPS) * N, np.int64),
        tags=np.zeros(2 * DISTINCT, np.uint32),
        stamps=np.zeros(2 * DISTINCT, np.int64),
        levels=np.zeros(2 * DISTINCT, np.int64),
        reading=np.zeros(1, np.int64),
        keys=np.zeros(kinds, np.uint64),
        found=np.zeros(kinds, np.int64),
        own_keys=np.zeros(2 * MAX_OWN, np.uint64),
        own_found=np.zeros(2 * MAX_OWN, np.int64),
        kept=np.zeros(COUNT, np.float64),
        value_places=np.zeros(own_categories, np.int64),
    )
