"""The state behind the velocity features: per input partition, a pure function of its records in log order."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Self

import numpy as np
import numpy.typing as npt

from fraud.fingerprint import fingerprint
from fraud.history.kernel.eviction import tidy
from fraud.history.kernel.layout import (
    AGREEING,
    BUCKETED,
    BUCKETS,
    KINDS,
    MAX_OWN,
    WINDOWS,
    Counter,
    HistoryConfig,
    empty_state,
    most_bytes,
)
from fraud.history.soundness import FAULTS, fault

__all__ = ["AGREEING", "KINDS", "History", "HistoryConfig", "history_fingerprint", "most_bytes"]

_VALUES = ("value_keys", "value_counts")
_SEMANTICS = 4
"""Raised with every change of what the history keeps or how it is read; it stands in the fingerprint."""


def history_fingerprint(config: HistoryConfig) -> str:
    """16 hex digits that name the semantics and the configuration: snapshots of another one are refused.

    Without `recent_capacity`: models need not be made anew for a busier shop. Own fields are named where there are any.
    """
    left_out = {"recent_capacity", *(name for name in ("own_entities", "own_categories") if not getattr(config, name))}
    settings = {name: value for name, value in asdict(config).items() if name not in left_out}
    return fingerprint(
        {
            "semantics": _SEMANTICS,
            "kinds": KINDS,
            "windows": WINDOWS,
            "bucketed": BUCKETED,
            "buckets": BUCKETS,
            "config": settings,
        }
    )


class History:
    """What is remembered of every entity and pair; changed by `fraud.features.encoder.Encoder` alone.

    Attributes:
        config: what it remembers, and its caps.
        state: the arrays.
    """

    __slots__ = ("config", "limits", "state")

    def __init__(self, config: HistoryConfig | None = None, salt: int = 0) -> None:
        """An empty history.

        Args:
            config: what it remembers, and its caps.
            salt: 64 bits by which ids are placed in memory, best a secret: who knows it can choose ids that crowd one
                place and slow every look-up down. No feature depends on it.
        """
        self.config = config or HistoryConfig()
        self.limits = self.config.limits()
        self.state = empty_state(self.config, salt)

    @property
    def events(self) -> int:
        """Records processed, duplicates and conflicts among them."""
        return int(self.state.counters[Counter.EVENTS])

    @property
    def watermark(self) -> int | None:
        """How far the events agree that the log has come, event time in µs; None before the first event."""
        reached = int(self.state.counters[Counter.WATERMARK])
        return None if reached == np.iinfo(np.int64).max else reached

    @property
    def dedupe_reach(self) -> int:
        """How far back repeated transactions are known for certain, in µs: less than asked for when room is short."""
        forgotten, reached = int(self.state.counters[Counter.FORGOTTEN]), self.watermark
        return self.limits.dedupe if reached is None else max(0, min(self.limits.dedupe, reached - forgotten))

    @property
    def refused(self) -> int:
        """How often an entity's ring could not grow since no block was free: it forgets its oldest attempts early."""
        return int(self.state.counters[Counter.REFUSED])

    @property
    def entities(self) -> dict[str, int]:
        """How many of each kind are in memory."""
        return self._per_kind(Counter.KNOWN, Counter.OWN_KNOWN)

    @property
    def evictions(self) -> dict[str, int]:
        """How many of each kind the caps have pushed out."""
        return self._per_kind(Counter.EVICTED, Counter.OWN_EVICTED)

    def stretches(self, records: int) -> Iterator[tuple[int, int]]:
        """Cut the next records where the caps are due to be checked, at multiples of `tidy_every` in the log."""
        every, start = self.limits.tidy_every, 0
        while start < records:
            past = self.events % every
            if past == 0:
                tidy(self.state, self.limits)
            stop = min(records, start + every - past)
            yield start, stop
            start = stop

    def _per_kind(self, start: int, own_start: int) -> dict[str, int]:
        """By kind; of own entities, which have two, the rings and rows together."""
        counters = self.state.counters
        counts = {kind: int(counters[start + place]) for place, kind in enumerate(KINDS)}
        for place, name in enumerate(self.config.own_entities, own_start):
            counts[name] = int(counters[place] + counters[place + MAX_OWN])
        return counts

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything that differs from an empty history, by name: views where possible, not copies."""
        state, counters = self.state, self.state.counters
        rows = counters[Counter.ROW_TOP]
        recents = min(int(counters[Counter.RECENT_TAIL]), state.recents.size)
        return {
            "counters": counters,
            "slots": state.slots[: counters[Counter.SLOT_TOP]],
            "entries": state.entries[: counters[Counter.ENTRY_TOP]],
            "buckets": state.buckets[:rows],
            "bucket_heads": state.bucket_heads[:rows],
            "bucket_logs": state.bucket_logs[:rows],
            "recents": state.recents[:recents],
            **_sparse("table", state.table),
            **_sparse("recent_table", state.recent_table),
            **self._own(recents),
        }

    def _own(self, recents: int) -> dict[str, npt.NDArray[np.generic]]:
        """What is there only where own fields are declared."""
        state, own = self.state, {}
        if self.config.own_entities:
            own["recent_own"] = state.recent_own[:recents]
        if self.config.own_categories:
            places = np.flatnonzero(state.value_keys)
            own["value_places"] = places.astype(np.uint32)
            own |= {name: _by_place(getattr(state, name))[places] for name in _VALUES}
        return own

    @classmethod
    def from_arrays(cls, config: HistoryConfig, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """The history that `arrays` was taken of.

        Raises:
            ValueError: an array is missing, does not fit the configuration, or leads astray.
        """
        history = cls(config)
        for name in ("counters", "slots", "entries", "buckets", "bucket_heads", "bucket_logs", "recents"):
            _fill(name, getattr(history.state, name), _get(arrays, name))
        for name in ("table", "recent_table"):
            table: npt.NDArray[np.uint32] = getattr(history.state, name)
            places, values = _get(arrays, f"{name}_places"), _get(arrays, f"{name}_values")
            sound = places.ndim == 1 and places.dtype == values.dtype == np.uint32 and places.shape == values.shape
            if not sound or (places.size and int(places.max()) >= table.size):
                raise ValueError(f"array {name} does not fit the history's configuration")
            table[places] = values
        history._fill_own(arrays)
        found = FAULTS[fault(history.state)]
        if found:
            raise ValueError(f"not a history: {found}")
        return history

    def _fill_own(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """What is there only where own fields are declared; nothing in it leads anywhere."""
        if self.config.own_entities:
            _fill("recent_own", self.state.recent_own, _get(arrays, "recent_own"))
        if not self.config.own_categories:
            return
        places = _get(arrays, "value_places")
        if (
            places.ndim != 1
            or places.dtype != np.uint32
            or (places.size and places.max() >= self.state.value_keys.size)
        ):
            raise ValueError("array value_places does not fit the history's configuration")
        for name in _VALUES:
            target, source = _by_place(getattr(self.state, name)), _get(arrays, name)
            if source.dtype != target.dtype or source.shape != (len(places), *target.shape[1:]):
                raise ValueError(f"array {name} does not fit the history's configuration")
            target[places] = source


def _by_place(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """An array of values [categories, places, …] as one row a place, a view."""
    return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])


def _sparse(name: str, table: npt.NDArray[np.uint32]) -> dict[str, npt.NDArray[np.generic]]:
    """A hash table as its occupied places, for it is mostly empty."""
    places = np.flatnonzero(table).astype(np.uint32)
    return {f"{name}_places": places, f"{name}_values": table[places]}


def _get(arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> npt.NDArray[np.generic]:
    if name not in arrays:
        raise ValueError(f"array {name} is missing")
    return arrays[name]


def _fill(name: str, target: npt.NDArray[np.generic], source: npt.NDArray[np.generic]) -> None:
    if source.dtype != target.dtype or source.shape[1:] != target.shape[1:] or len(source) > len(target):
        raise ValueError(
            f"array {name} is {source.dtype} {source.shape}; it does not fit {target.dtype} {target.shape}"
        )
    target[: len(source)] = source
