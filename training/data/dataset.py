"""A data set: transactions as rows of features, with what evaluation needs beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.features.platform import STANDARD, Platform
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskTables
from training.data.errors import InvalidDataset
from training.labels.ledger import Ledger, State

Rows: TypeAlias = slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]

END_OF_TIME: Final = 2**62
"""As-of time at which everything has been received and has matured, µs."""

FRAUD: Final = 1
GENUINE: Final = 0
UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Identity:
    """What made the features; a bundle records it and a service refuses another.

    Attributes:
        features_fingerprint: of the feature code.
        history_fingerprint: of the history below it.
        platform: whose features they are, and the partitions, stage and base currency that they hold for.
        sources: versions that the event files were stamped with.
    """

    features_fingerprint: str
    history_fingerprint: str
    platform: Platform = STANDARD
    sources: tuple[str, ...] = ()

    @property
    def base_currency(self) -> str:
        """Of every amount."""
        return self.platform.base_currency


@dataclass(frozen=True, slots=True)
class Dataset:
    """n transactions in log order.

    Attributes:
        identity: what made the features.
        names: d names, the columns of `features`.
        features: float32 [n, d], raw, NaN where missing.
        time: int64 [n], event time, µs since 1970 UTC.
        amount: int64 [n], micro-units of the base currency.
        customer: uint64 [n], hashed id; the unit of the bootstrap.
        card: uint64 [n], hashed id, 0 where absent.
        transaction: uint64 [n], hashed id.
        transaction_ids: object [n], the ids as text.
        component: int64 [n], connected component of customer, card, device and shipping address; what folds and
            bootstraps keep together (`training.data.components`).
        label: int8 [n], 1 fraud, 0 mature genuine, -1 not known as of the chosen time.
        received: int64 [n], when the deciding label was received, 0 without one.
        silent: bool [n], True where nobody has said anything yet, though somebody could have.
        chosen: bool [n], True where only an analyst spoke: somebody had chosen to have the payment looked at.
        propensity: float32 [n], probability with which the payment was let through to be observed; 1 usually.
        segments: name -> str [n]: groups that the gate guards ("customer": new or returning, "country", "method").
        risk_ids: entity -> uint64 [n], hashed ids by which risk tables are looked up.
    """

    identity: Identity
    names: tuple[str, ...]
    features: npt.NDArray[np.float32]
    time: npt.NDArray[np.int64]
    amount: npt.NDArray[np.int64]
    customer: npt.NDArray[np.uint64]
    card: npt.NDArray[np.uint64]
    transaction: npt.NDArray[np.uint64]
    transaction_ids: npt.NDArray[np.object_]
    component: npt.NDArray[np.int64]
    label: npt.NDArray[np.int8]
    received: npt.NDArray[np.int64]
    silent: npt.NDArray[np.bool_]
    chosen: npt.NDArray[np.bool_]
    propensity: npt.NDArray[np.float32]
    segments: Mapping[str, npt.NDArray[np.str_]]
    risk_ids: Mapping[str, npt.NDArray[np.uint64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def frauds(self) -> int:
        """Rows known as fraud."""
        return int((self.label == FRAUD).sum())

    @property
    def observed(self) -> npt.NDArray[np.bool_]:
        """True where the label is known. Shape [n]."""
        return np.not_equal(self.label, UNKNOWN)

    def in_columns(self, names: Sequence[str]) -> Self:
        """The same rows with these features, in this order; what the data set lacks is missing."""
        if tuple(names) == self.names:
            return self
        features = np.full((len(self), len(names)), np.nan, np.float32)
        place = {name: column for column, name in enumerate(self.names)}
        found = [column for column, name in enumerate(names) if name in place]
        features[:, found] = self.features[:, [place[names[column]] for column in found]]
        looked_up = {
            entity: ids for entity, ids in self.risk_ids.items() if f"{entity}_risk_{RISK_WINDOWS_DAYS[0]}d" in names
        }
        return replace(self, names=tuple(names), features=features, risk_ids=looked_up)

    def take(self, rows: Rows) -> Self:
        """The chosen rows, in the given order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(
            self,
            **columns,
            segments={name: values[rows] for name, values in self.segments.items()},
            risk_ids={name: values[rows] for name, values in self.risk_ids.items()},
        )

    def between(self, since: int | None, until: int | None) -> Self:
        """Rows with since ≤ event time < until (µs); None leaves that side open."""
        low = -END_OF_TIME if since is None else since
        high = END_OF_TIME if until is None else until
        return self.take((self.time >= low) & (self.time < high))

    def labelled(self) -> Self:
        """Rows whose label is known."""
        return self.take(self.observed)

    def with_labels(self, ledger: Ledger, as_of: int = END_OF_TIME) -> Self:
        """The same rows with what had been received by `as_of` (µs). Features do not change."""
        known = ledger.as_of(as_of).of(self.transaction)
        return replace(
            self,
            label=known["label"].to_numpy(np.int8),
            received=known["received_at"].to_numpy(np.int64),
            silent=(known["state"] == State.IMMATURE).to_numpy(np.bool_),
            chosen=(known["source"] == "analyst").to_numpy(np.bool_),
            propensity=known["propensity"].to_numpy(np.float32),
        )

    def with_risk(self, tables: RiskTables) -> Self:
        """The same rows with risk looked up in other dated tables, as the encoder does."""
        features = self.features.copy()
        for entity, ids in self.risk_ids.items():
            columns = [self.names.index(f"{entity}_risk_{days}d") for days in RISK_WINDOWS_DAYS]
            features[:, columns] = tables.lookup(entity, ids, self.time)
        return replace(self, features=features)

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """One data set from several with equal features, in order."""
        datasets = list(parts)
        first = datasets[0]
        for other in datasets[1:]:
            if other.names != first.names:
                raise InvalidDataset("data sets with different features cannot be joined: build them with one spec")
        sources = tuple(sorted({source for d in datasets for source in d.identity.sources}))
        columns: dict[str, Any] = {name: np.concatenate([getattr(d, name) for d in datasets]) for name in COLUMNS}
        segments = {name: np.concatenate([d.segments[name] for d in datasets]) for name in first.segments}
        looked_up = set(first.risk_ids).intersection(*(d.risk_ids for d in datasets))
        ids = {name: np.concatenate([d.risk_ids[name] for d in datasets]) for name in sorted(looked_up)}
        return replace(
            first, **columns, segments=segments, risk_ids=ids, identity=replace(first.identity, sources=sources)
        )


COLUMNS: Final = (
    "features",
    "time",
    "amount",
    "customer",
    "card",
    "transaction",
    "transaction_ids",
    "component",
    "label",
    "received",
    "silent",
    "chosen",
    "propensity",
)
"""The per-row arrays of a data set, but for its segments."""


def draw_labels(dataset: Dataset, count: int, seed: int, min_frauds: int = 3) -> npt.NDArray[np.intp]:
    """Draws `count` known labels uniformly, as a small labelling budget would.

    Where the draw holds fewer than `min_frauds` frauds, genuine rows are exchanged for frauds, also drawn uniformly.

    Returns:
        Row numbers, ascending.

    Raises:
        InvalidDataset: fewer labels or frauds than asked for.
    """
    known = np.flatnonzero(dataset.observed)
    frauds = np.flatnonzero(dataset.label == FRAUD)
    if len(known) < count:
        raise InvalidDataset(f"{count} labels asked for, {len(known)} are known: ask for fewer or choose a later as-of")
    if len(frauds) < min_frauds:
        raise InvalidDataset(f"{len(frauds)} frauds among the {len(known)} labels, at least {min_frauds} are needed")
    if count < min_frauds:
        raise InvalidDataset(f"{count} labels asked for, at least {min_frauds} frauds are needed among them")
    random = np.random.default_rng(seed)
    drawn = random.permutation(known)[:count]
    is_fraud = dataset.label[drawn] == FRAUD
    missing = min_frauds - int(is_fraud.sum())
    if missing > 0:
        others = np.setdiff1d(frauds, drawn)
        genuine = drawn[~is_fraud][: count - min_frauds]
        drawn = np.concatenate([genuine, drawn[is_fraud], random.permutation(others)[:missing]])
    return np.sort(drawn).astype(np.intp)
