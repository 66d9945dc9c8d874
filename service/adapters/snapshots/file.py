"""One snapshot: an uncompressed `.npz` of numpy arrays, never pickles, each with a CRC-32, and whose they are."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.history.history import History, HistoryConfig
from runtime.files import sync

_IDENTITY: Final = "identity"
_SINCE: Final = "history_from"


class InvalidSnapshot(Exception):  # noqa: N818 - named for what it is
    """A file that must not be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose history a file holds, and where in the log it stood."""

    log: str
    topic: str
    partition: str
    position: str
    fingerprint: str
    settings: str


def write(path: Path, history: History, since: int | None, identity: Identity) -> None:
    """Writes a file, to the disk itself. The history must not change meanwhile.

    Raises:
        OSError: there is no room, or no right.
    """
    arrays = history.arrays()
    arrays[_IDENTITY] = np.array(astuple(identity))
    arrays[_SINCE] = np.array([] if since is None else [since], np.int64)
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type] # numpy's stub takes the names for its own arguments
    sync(path)


def read(path: Path, config: HistoryConfig, identity: Identity) -> tuple[History, int | None]:
    """The history and where it begins, as `write` was given them.

    Raises:
        InvalidSnapshot: the file is damaged, or of something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _Arrays(archive)
            _check(archive, Identity(*arrays[_IDENTITY].tolist()), identity)
            since = arrays[_SINCE]
            return History.from_arrays(config, arrays), int(since[0]) if len(since) else None
    except InvalidSnapshot:
        raise
    except Exception as error:  # flipped bits lead numpy and zipfile to a dozen kinds, SyntaxError among them
        raise InvalidSnapshot(" ".join(f"damaged: {type(error).__name__}: {error}".split())[:200]) from error


def _check(archive: zipfile.ZipFile, found: Identity, wanted: Identity) -> None:
    if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
        raise InvalidSnapshot("damaged: it is compressed, which none is")
    for field in fields(Identity):
        here, there = getattr(found, field.name), getattr(wanted, field.name)
        if here != there:
            raise InvalidSnapshot(f"of {field.name} {here}, not {there}")


class _Arrays(Mapping[str, npt.NDArray[np.generic]]):
    """The arrays of a file, each read when it is asked for, so that no more than one is there twice.

    `numpy.load` would not do: it takes an array whose header has become shorter for whole.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def __getitem__(self, name: str) -> npt.NDArray[np.generic]:
        with self._archive.open(f"{name}.npy") as member:
            array: npt.NDArray[np.generic] = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):  # at the end zipfile compares the checksum
                raise ValueError(f"array {name} is longer than it says")
        return array

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".npy") for name in self._archive.namelist())

    def __len__(self) -> int:
        return len(self._archive.namelist())
