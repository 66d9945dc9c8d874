"""Histories as files in a folder that all instances share.

A file is an uncompressed `.npz` (numpy arrays, never pickles; each with a CRC-32) named by partition and position, in a
folder named by cluster, topic and history fingerprint. It is renamed into place when it is complete.
"""

import os
import re
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from fraud.history import History, HistoryConfig, history_fingerprint
from service.errors import Misconfigured
from service.ports import Snapshot

KEPT: Final = 2
"""Snapshots of each partition: the newest, and one before it should that be damaged."""

_NAME: Final = re.compile(r"(\d+)-(\d+)\.npz")
_SINCE: Final = "history_from"

_log = structlog.get_logger(__name__)


class SnapshotDirectory:
    """See `service.ports.SnapshotStore`.

    Args:
        root: the shared folder.
        topic: of the input.
        config: of the histories.
        wrote: is told the seconds that a snapshot took.
        failed: is called when one could not be written.
    """

    def __init__(
        self,
        root: Path,
        *,
        topic: str,
        config: HistoryConfig,
        wrote: Callable[[float], None],
        failed: Callable[[], None],
    ) -> None:
        self._root = root
        self._topic = topic
        self._config = config
        self._wrote = wrote
        self._failed = failed
        self._folder = root
        self._writers: dict[int, threading.Thread] = {}

    def open(self, cluster: str) -> None:
        """See `service.ports.SnapshotStore.open`."""
        name = f"{cluster}-{self._topic}-{history_fingerprint(self._config)}"
        self._folder = self._root / re.sub(r"[^A-Za-z0-9._-]", "_", name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"cannot write {self._folder}: {error.strerror}: set FRAUD_SNAPSHOTS_DIR") from None

    def newest(self, partition: int, at_most: int) -> Snapshot | None:
        """See `service.ports.SnapshotStore.newest`."""
        for position, path in sorted(self._of(partition), reverse=True):
            if position > at_most:
                continue
            try:
                history, since = _read(path, self._config)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                _log.warning("snapshot refused", path=str(path), error=" ".join(str(error).split())[:200])
            else:
                return Snapshot(partition, position, history, since)
        return None

    def save(self, snapshot: Snapshot) -> bool:
        """See `service.ports.SnapshotStore.save`."""
        writer = self._writers.get(snapshot.partition)
        if writer is not None and writer.is_alive():
            return False
        arrays = {name: array.copy() for name, array in snapshot.history.arrays().items()}
        arrays[_SINCE] = np.array([] if snapshot.history_from is None else [snapshot.history_from], np.int64)
        writer = threading.Thread(
            target=self._write, args=(snapshot.partition, snapshot.position, arrays), name="snapshot", daemon=True
        )
        self._writers[snapshot.partition] = writer
        writer.start()
        return True

    def wait(self) -> None:
        """See `service.ports.SnapshotStore.wait`."""
        for writer in self._writers.values():
            writer.join()

    def _write(self, partition: int, position: int, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        path = self._folder / f"{partition}-{position}.npz"
        began = time.monotonic()
        try:
            _replace(path, arrays)
            for _, old in sorted(self._of(partition))[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            self._failed()
            _log.error("snapshot failed", path=str(path), error=str(error))
        else:
            self._wrote(time.monotonic() - began)

    def _of(self, partition: int) -> list[tuple[int, Path]]:
        """Position and file of each snapshot of a partition."""
        found = ((_NAME.fullmatch(path.name), path) for path in self._folder.glob(f"{partition}-*.npz"))
        return [(int(match[2]), path) for match, path in found if match and int(match[1]) == partition]


def _replace(path: Path, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Writes a file completely before it gets its name; leaves nothing behind on failure."""
    unnamed = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unnamed.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type] # numpy's stub takes the names for its own arguments
            file.flush()
            os.fsync(file.fileno())
        unnamed.replace(path)
    except BaseException:
        unnamed.unlink(missing_ok=True)
        raise


def _read(path: Path, config: HistoryConfig) -> tuple[History, int | None]:
    # Opened here, since numpy leaves a damaged file open.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    since = arrays.pop(_SINCE)
    return History.from_arrays(config, arrays), int(since[0]) if len(since) else None
