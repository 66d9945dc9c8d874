"""Dated risk tables: the delayed, smoothed fraud rate of merchants, devices and the like, looked up by event time.

A table holds for events from its `effective_from` on, which is later than the receipt of every label in it. Service,
datasets and replay use the newest table with effective_from <= event time, so none of them reads the future.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.batch import ENTITIES, Float32s, Int64s, UInt64s

Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class RiskTable:
    """Fraud rates of one entity kind as known at one time.

    Attributes:
        entity: one of `fraud.batch.ENTITIES`.
        effective_from: µs since 1970 UTC; events from then on may read it.
        keys: uint64 [k], hashed ids, ascending.
        rate: float32 [k], smoothed fraud rate.
        prior: the rate of an id that is not in the table.
    """

    entity: str
    effective_from: int
    keys: UInt64s
    rate: Float32s
    prior: float

    def __post_init__(self) -> None:
        if self.entity not in ENTITIES:
            raise ValueError(f"risk table of unknown entity {self.entity!r}; known: {', '.join(ENTITIES)}")
        if self.keys.dtype != np.uint64 or self.rate.dtype != np.float32 or self.keys.shape != self.rate.shape:
            raise ValueError(f"risk table of {self.entity}: keys must be uint64 [k] and rate float32 [k]")
        if np.any(self.keys[1:] <= self.keys[:-1]):
            raise ValueError(f"risk table of {self.entity}: keys must ascend without repeats")

    def rates(self, ids: UInt64s) -> Float32s:
        """The rate of each id: the prior where the table does not know it, NaN where the id is absent (0)."""
        found = np.full(len(ids), self.prior, np.float32)
        if len(self.keys):
            place = np.minimum(np.searchsorted(self.keys, ids), len(self.keys) - 1)
            found = np.where(self.keys[place] == ids, self.rate[place], found)
        return np.where(ids == 0, np.float32(np.nan), found).astype(np.float32)


class RiskTables:
    """Tables of many entities and dates."""

    __slots__ = ("_tables",)

    def __init__(self, tables: Iterable[RiskTable] = ()) -> None:
        self._tables: dict[str, list[RiskTable]] = {}
        for table in sorted(tables, key=lambda table: table.effective_from):
            self._tables.setdefault(table.entity, []).append(table)

    @property
    def tables(self) -> tuple[RiskTable, ...]:
        """All of them, by entity and date."""
        return tuple(table for entity in sorted(self._tables) for table in self._tables[entity])

    def lookup(self, entity: str, ids: UInt64s, times: Int64s) -> Float32s:
        """Each id's rate in the newest table with effective_from <= its time; NaN before the first table. Shape [n]."""
        found = np.full(len(ids), np.nan, np.float32)
        tables = self._tables.get(entity, [])
        if not tables:
            return found
        newest = np.searchsorted([table.effective_from for table in tables], times, side="right") - 1
        for number in np.unique(newest[newest >= 0]):
            rows = newest == number
            found[rows] = tables[number].rates(ids[rows])
        return found

    def to_file(self, folder: Path) -> None:
        """One `.npz` per table in `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        for table in self.tables:
            np.savez(
                folder / f"{table.entity}-{table.effective_from}.npz",
                entity=np.array(table.entity),
                effective_from=np.int64(table.effective_from),
                keys=table.keys,
                rate=table.rate,
                prior=np.float64(table.prior),
            )

    @classmethod
    def from_dir(cls, folder: Path) -> Self:
        """All tables of a folder; none when it does not exist.

        Raises:
            ValueError: a file is not a risk table.
        """
        return cls(_read(path) for path in sorted(folder.glob("*.npz")))


def _read(path: Path) -> RiskTable:
    try:
        with np.load(path, allow_pickle=False) as held:
            return RiskTable(
                entity=str(held["entity"]),
                effective_from=int(held["effective_from"]),
                keys=held["keys"],
                rate=held["rate"],
                prior=float(held["prior"]),
            )
    except (KeyError, OSError, EOFError) as error:
        raise ValueError(f"{path} is no risk table: {error}") from error


def build_risk_table(
    entity: str,
    *,
    ids: UInt64s,
    times: Int64s,
    y: npt.NDArray[np.integer],
    received: Int64s,
    effective_from: int,
    window: int,
    delay: int = 0,
    strength: float = 20.0,
) -> RiskTable:
    """The fraud rate of each id over transactions of (effective_from - delay - window, effective_from - delay].

    rate = (frauds + strength * prior) / (transactions + strength), with the window's own rate as prior. Only labels
    received before `effective_from` count; a transaction whose label comes later is left out.

    Args:
        entity: kind of the ids.
        ids: uint64 [n], 0 where absent.
        times: int64 [n], event times in µs.
        y: integer [n], 1 fraud, 0 genuine, anything else not labelled.
        received: int64 [n], when each label was received, in µs.
        effective_from: when the table begins to hold, in µs.
        window: span of the transactions counted, in µs.
        delay: how long before `effective_from` they end, in µs.
        strength: how many transactions the prior weighs.
    """
    end = effective_from - delay
    usable = (received < effective_from) & (times <= end) & (times > end - window) & (ids != 0) & ((y == 0) | (y == 1))
    frauds_of = np.asarray(y[usable] == 1, np.float64)
    prior = float(frauds_of.mean()) if len(frauds_of) else 0.0
    keys, position = np.unique(ids[usable], return_inverse=True)
    count = np.bincount(position, minlength=len(keys))
    frauds = np.bincount(position, weights=frauds_of, minlength=len(keys))
    rate = ((frauds + strength * prior) / (count + strength)).astype(np.float32)
    return RiskTable(entity=entity, effective_from=effective_from, keys=keys, rate=rate, prior=prior)
