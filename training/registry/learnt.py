"""What a version learnt from, so that nobody measures it on that again: exact rows, options, code, data."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from fraud.models.bundle import LEARNT, InvalidBundle, Manifest, checksum, read_manifest
from runtime.model_registry import RegistryError
from training.data.dataset import Dataset
from training.data.errors import InvalidDataset
from training.data.sample import MIN_FRAUDS
from training.labels.delay import DelayCurve
from training.registry.versions import find, versions

Ids = npt.NDArray[np.uint64]

DELAY: Final = "delay.json"
"""In a base: how late its source's frauds were reported."""

PACKAGES: Final = ("fraud", "runtime", "training")
"""Whose code decides what a model becomes."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Payments that versions learnt from.

    Attributes:
        transactions: hashed ids, ascending.
        until: they were given everything up to then, labelled or not, µs; None where they were given a draw.
    """

    transactions: Ids = field(default_factory=lambda: np.zeros(0, np.uint64))
    until: int | None = None

    @classmethod
    def of(cls, root: Path, *numbers: int) -> Self:
        """What these versions, and the bases that they were adapted from, learnt from."""
        found = [cls._one(root, number) for number in numbers]
        times = [one.until for one in found if one.until is not None]
        return cls(
            np.unique(np.concatenate([np.zeros(0, np.uint64), *(one.transactions for one in found)])),
            max(times, default=None),
        )

    @classmethod
    def _one(cls, root: Path, number: int) -> Self:
        path = find(root, number)[1]
        manifest = read_manifest(path)
        own = read_learnt(path)
        if manifest.parent is not None:
            own = np.union1d(own, _of_base(root, manifest.parent))
        return cls(own, _until(path, manifest))

    def seen(self, data: Dataset) -> npt.NDArray[np.bool_]:
        """True where a payment may have been learnt from. Shape [n]."""
        before = np.zeros(len(data), np.bool_) if self.until is None else data.time <= self.until
        return np.isin(data.transaction, self.transactions) | before

    def taught(self, data: Dataset) -> npt.NDArray[np.bool_]:
        """True where the label was learnt, not only the payment seen; of unknown rows as `seen` says. Shape [n]."""
        return np.isin(data.transaction, self.transactions) if len(self.transactions) else self.seen(data)

    def unseen(self, data: Dataset, *, said_by: str) -> tuple[Dataset, int]:
        """The payments that were not learnt from, and how many were left out.

        Raises:
            InvalidDataset: too few frauds are left to say anything.
        """
        seen = self.seen(data)
        rest, out = data.take(~seen), int(seen.sum())
        if out and rest.frauds < MIN_FRAUDS:
            raise InvalidDataset(
                f"{out:,} of {len(data):,} payments were learnt from by {said_by}, and {rest.frauds} known frauds are "
                "left: give younger payments, or other ones"
            )
        return rest, out


def _of_base(root: Path, number: int) -> Ids:
    try:
        return read_learnt(find(root, number)[1])
    except RegistryError:
        return np.zeros(0, np.uint64)  # the base was removed since; it is of another platform anyway


def _until(path: Path, manifest: Manifest) -> int | None:
    """The end of what was given as received; of a version that does not say which rows it learnt from, its last row."""
    trained = manifest.trained_on
    if trained.until is None or not (trained.as_received or not (path / LEARNT).is_file()):
        return None
    return int(datetime.fromisoformat(trained.until).timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True)
class Ranks:
    """How models that had not learnt from a payment ranked it among those of its time, for m payments.

    Attributes:
        transaction: uint64 [m], hashed ids, ascending.
        rank: float32 [m], share of the payments of the same 30 days that score no higher; NaN where nobody ranked it.
    """

    transaction: Ids = field(default_factory=lambda: np.zeros(0, np.uint64))
    rank: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


def write_learnt(path: Path, transactions: Ids, rank: npt.NDArray[np.floating] | None = None) -> None:
    """Writes `LEARNT` into a version's folder: what it learnt from, [m], and the ranks of those payments."""
    known, place = np.unique(transactions, return_index=True)
    ranks = np.full(len(known), np.nan, np.float32) if rank is None else rank[place].astype(np.float32)
    np.savez_compressed(path / LEARNT, allow_pickle=False, transaction=known, rank=ranks)


def read_learnt(path: Path) -> Ids:
    """The hashed ids in a version's folder; none of a version from before they were kept.

    Raises:
        InvalidBundle: the file is damaged.
    """
    return read_ranks(path).transaction


def read_ranks(path: Path) -> Ranks:
    """What `write_learnt` wrote.

    Raises:
        InvalidBundle: the file is damaged.
    """
    file = path / LEARNT
    if not file.is_file():
        return Ranks()
    try:
        with np.load(file, allow_pickle=False) as held:
            return Ranks(np.asarray(held["transaction"], np.uint64), np.asarray(held["rank"], np.float32))
    except Exception as error:  # noqa: BLE001 - numpy, zipfile and zlib raise a dozen kinds on a damaged file
        raise InvalidBundle(f"{file}: {error}") from None


def write_delay(path: Path, curve: DelayCurve) -> None:
    """Writes a base's curve."""
    (path / DELAY).write_text(curve.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_delay(root: Path, number: int | None) -> DelayCurve | None:
    """How late the frauds of a base's source were reported, of the newest base by default.

    None without a base, and of one from before that was kept.
    """
    if number is None:
        number = max((v.version for v in versions(root) if v.area == "bases"), default=None)
    if number is None:
        return None
    file = find(root, number)[1] / DELAY
    return DelayCurve.model_validate_json(file.read_bytes()) if file.is_file() else None


@cache
def code_version() -> str:
    """Version of this program and the checksum of its sources: an installed one has no commit to name."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for file in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    try:
        number = version("fraudstream")
    except PackageNotFoundError:
        number = "source"
    return f"{number}+{digest.hexdigest()[:16]}"


def checksums(files: Iterable[Path]) -> dict[str, str]:
    """File name -> SHA-256 in hex; of two files of one name in different folders, the folder goes with it."""
    return {f"{file.parent.name}/{file.name}": checksum(file) for file in files}
