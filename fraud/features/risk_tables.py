"""Dated risk tables: how often merchants, devices and the like turned out fraudulent, looked up by event time.

A table holds for events from its `effective_from` on, which is later than the receipt of every label in it. Service,
datasets and replay use the newest table with effective_from <= event time, so none of them reads the future.

Risk is *relative*: known frauds of an id against those expected of so many payments at the average of the same days.
A rate would also tell how many labels had arrived by its date, which is a clock and no risk: trees learn the clock,
and the rates of the months to come were never seen in training. At or below the average it reads as 1: how far below
tells little more than how many payments an id had, which the history counts better.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import ENTITIES, Float32s, Int64s, UInt64s
from fraud.features.risk_lookup import Joined, look_up
from fraud.units import DAY_US

Bools: TypeAlias = npt.NDArray[np.bool_]

RISK_WINDOWS_DAYS: Final = (1, 7, 30)
"""Days of payments behind each risk of an id: the shortest tells what is on now, the longest what slow labels say."""


OWN: Final = "attribute_"
"""Before the name of an own entity or category where it stands for a kind of ids."""


def risk_measures(entity: str) -> tuple[str, ...]:
    """What a feature spec calls the risks of an entity, one per window ("merchant_7d")."""
    return tuple(f"{entity}_{days}d" for days in RISK_WINDOWS_DAYS)


@dataclass(frozen=True, slots=True, eq=False)
class RiskTable:
    """Risk of one entity kind as known at one time.

    Attributes:
        entity: one of `fraud.decoding.batch.ENTITIES`, or an own entity or category, see `fraud.features.spec`.
        effective_from: µs since 1970 UTC; events from then on may read it.
        keys: uint64 [k], hashed ids, ascending; every other id has risk 1.
        risk: float32 [k, w], relative to the average and at least 1, per window of `RISK_WINDOWS_DAYS`.
    """

    entity: str
    effective_from: int
    keys: UInt64s
    risk: Float32s

    def __post_init__(self) -> None:
        if self.entity not in ENTITIES and not self.entity.startswith(OWN):
            raise ValueError(f"risk table of unknown entity {self.entity!r}; known: {', '.join(ENTITIES)}")
        shape = (len(self.keys), len(RISK_WINDOWS_DAYS))
        if self.keys.dtype != np.uint64 or self.risk.dtype != np.float32 or self.risk.shape != shape:
            raise ValueError(f"risk table of {self.entity}: keys must be uint64 [k] and risk float32 [k, {shape[1]}]")
        if np.any(self.keys[1:] <= self.keys[:-1]):
            raise ValueError(f"risk table of {self.entity}: keys must ascend without repeats")


class RiskTables:
    """Tables of many entities and dates."""

    __slots__ = ("_joined", "_tables")

    def __init__(self, tables: Iterable[RiskTable] = ()) -> None:
        self._tables: dict[str, list[RiskTable]] = {}
        for table in sorted(tables, key=lambda table: table.effective_from):
            self._tables.setdefault(table.entity, []).append(table)
        self._joined = {entity: _joined(held) for entity, held in self._tables.items()}

    @property
    def tables(self) -> tuple[RiskTable, ...]:
        """All of them, by entity and date."""
        return tuple(table for entity in sorted(self._tables) for table in self._tables[entity])

    def knows(self, entity: str) -> bool:
        """Whether there are tables of an entity."""
        return entity in self._tables

    def lookup(self, entity: str, ids: UInt64s, times: Int64s) -> Float32s:
        """Each id's risks in the newest table with effective_from <= its time; NaN before the first table.

        Shape [n, w], one column per window of `RISK_WINDOWS_DAYS`.
        """
        found = np.full((len(ids), len(RISK_WINDOWS_DAYS)), np.nan, np.float32)
        if entity in self._joined:
            look_up(self._joined[entity], np.ascontiguousarray(ids), np.ascontiguousarray(times), found)
        return found

    def to_file(self, folder: Path) -> None:
        """One `.npz` per entity in `folder`, which is created.

        Own fields may be called anything: files of theirs are numbered, and say inside whose they are.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for place, entity in enumerate(sorted(self._tables)):
            held = self._joined[entity]
            np.savez(
                folder / f"{entity if entity in ENTITIES else f'own_{place}'}.npz",
                entity=np.array(entity),
                effective_from=held.dates,
                length=np.diff(held.starts),
                keys=held.keys,
                risk=held.risk,
            )

    @classmethod
    def from_dir(cls, folder: Path) -> Self:
        """All tables of a folder; none when it does not exist.

        Raises:
            ValueError: a file holds no risk tables.
        """
        return cls(table for path in sorted(folder.glob("*.npz")) for table in _read(path))


def _joined(tables: Sequence[RiskTable]) -> Joined:
    """Tables in the order of their dates, as `look_up` takes them."""
    return Joined(
        np.array([table.effective_from for table in tables], np.int64),
        np.cumsum([0, *(len(table.keys) for table in tables)], dtype=np.int64),
        np.concatenate([table.keys for table in tables]),
        np.concatenate([table.risk for table in tables]),
    )


def _read(path: Path) -> Sequence[RiskTable]:
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as held:
            ends = np.cumsum(held["length"])[:-1]
            keys, risk = np.split(held["keys"], ends), np.split(held["risk"], ends)
            dates = held["effective_from"].tolist()
            entity = str(held["entity"]) if "entity" in held else path.stem
        return [RiskTable(entity, *table) for table in zip(dates, keys, risk, strict=True)]
    except Exception as error:
        raise ValueError(f"{path} holds no risk tables: {error}") from error


class RiskBuilder:
    """Counts the risk tables of one entity at any dates.

    The risk of an id is the mean of a Gamma-Poisson model (Clayton & Kaldor 1987, "Empirical Bayes estimates of
    age-standardized relative risks"): (known frauds + strength) / (expected frauds + strength), where expected is the
    id's payments times the window's own share of known frauds. Young payments, whose labels are still to come, lower
    both sides alike. One fraud of an id seen once gives about (1 + strength) / strength, whatever the average is.

    Args:
        entity: kind of the ids.
        ids: uint64 [n], 0 where absent.
        times: int64 [n], event times in µs, ascending.
        fraud_received: int64 [n], when each payment was reported as fraud, in µs; 0 where it never was.
        strength: expected frauds that the average weighs.
    """

    def __init__(self, entity: str, *, ids: UInt64s, times: Int64s, fraud_received: Int64s, strength: float) -> None:
        if np.any(times[1:] < times[:-1]):
            raise ValueError("risk tables are counted over payments in the order of time")
        self.entity = entity
        self.strength = strength
        present = ids != 0
        self._all_times = times[present]
        # Only an id with a known fraud can be above the average; of the others their number is enough.
        self.keys, codes = np.unique(ids[present & (fraud_received > 0)], return_inverse=True)
        frauds = fraud_received[present] > 0
        self._frauds = np.flatnonzero(frauds)
        self._codes, self._received = codes, fraud_received[present][frauds]
        # Each key's payments in order, so that those between any two are counted by two searches.
        theirs = np.isin(ids[present], self.keys)
        places = np.flatnonzero(theirs)
        self._span = len(self._all_times) + 1
        self._payments = np.sort(np.searchsorted(self.keys, ids[present][theirs]) * self._span + places)

    def table(self, effective_from: int, *, delay: int) -> RiskTable:
        """What was known at a date: only frauds reported before it, only payments `delay` µs old or older."""
        found = [self._risk(effective_from, delay, days) for days in RISK_WINDOWS_DAYS]
        says = np.unique(np.concatenate([codes for codes, _ in found]))
        risk = np.ones((len(says), len(found)), np.float32)
        for window, (codes, above) in enumerate(found):
            risk[np.searchsorted(says, codes), window] = above
        return RiskTable(self.entity, effective_from, self.keys[says], risk)

    def _risk(self, date: int, delay: int, days: int) -> tuple[npt.NDArray[np.intp], Float32s]:
        """Keys above the average by what a window holds, ascending, and their risks.

        Only those of the window's frauds are looked at, so that a date costs by its frauds and not by its payments.
        """
        window = [date - delay - days * DAY_US, date - delay]
        begin, end = np.searchsorted(self._all_times, window, side="right")
        first, last = np.searchsorted(self._frauds, [begin, end])
        told = self._received[first:last] < date
        codes, known = np.unique(self._codes[first:last][told], return_counts=True)
        starts, stops = (np.searchsorted(self._payments, codes * self._span + place) for place in (begin, end))
        expected = (stops - starts) * (known.sum() / max(end - begin, 1))
        relative = ((known + self.strength) / (expected + self.strength)).astype(np.float32)
        above = relative > 1
        return codes[above], relative[above]
