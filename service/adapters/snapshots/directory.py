"""The folder of snapshots.

A file is named by partition and position, and lies in a folder named by the log, the history's fingerprint and that of
the settings. It gets its name when it is complete.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from fraud.history.history import HistoryConfig, history_fingerprint
from runtime.errors import Misconfigured
from service.adapters.snapshots.file import Identity, InvalidSnapshot, read, write
from service.adapters.snapshots.fork import Child, fork
from service.ports import Snapshot

KEPT: Final = 2
"""Snapshots of each partition: the newest, and one before it should that be damaged."""

WRITE_SECONDS: Final = 600.0
"""A file that takes longer is given up."""

_ABANDONED: Final = 3600.0
"""Seconds after which an unfinished file belongs to no one any more."""

_NAME: Final = re.compile(r"(\d+)-(\d+)\.npz")

_log = structlog.get_logger(__name__)


class SnapshotDirectory:
    """See `service.ports.SnapshotStore`.

    Args:
        root: the shared folder.
        topic: of the input.
        config: of the histories.
        settings: fingerprint of what else decides what a history holds.
        wrote: is told the seconds that a snapshot took.
        failed: is called when one could not be written.
    """

    def __init__(
        self,
        root: Path,
        *,
        topic: str,
        config: HistoryConfig,
        settings: str,
        wrote: Callable[[float], None],
        failed: Callable[[], None],
    ) -> None:
        self._root = root
        self._topic = topic
        self._config = config
        self._settings = settings
        self._wrote = wrote
        self._failed = failed
        self._log = ""
        self._folder = root
        self._writers: dict[int, threading.Thread] = {}

    def open(self, log: str) -> None:
        """See `service.ports.SnapshotStore.open`."""
        name = f"{log}-{self._topic}-{history_fingerprint(self._config)}-{self._settings}"
        self._log = log
        self._folder = self._root / re.sub(r"[^A-Za-z0-9._-]", "_", name)
        self._tell_of_others()
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
                history, since = read(path, self._config, self._identity(partition, position))
            except InvalidSnapshot as error:
                _log.warning("snapshot refused", path=str(path), error=str(error))
            else:
                return Snapshot(partition, position, history, since)
        return None

    def discard_after(self, partition: int, position: int) -> None:
        """See `service.ports.SnapshotStore.discard_after`."""
        for stands, path in self._of(partition):
            if stands > position:
                _log.warning("snapshot discarded: the committed position was set back", path=str(path), at=position)
                path.unlink(missing_ok=True)

    def save(self, snapshot: Snapshot) -> bool:
        """See `service.ports.SnapshotStore.save`."""
        writer = self._writers.get(snapshot.partition)
        if writer is not None and writer.is_alive():
            return False
        path = self._folder / f"{snapshot.partition}-{snapshot.position}.npz"
        unnamed = path.with_name(f".{path.name}.{os.getpid()}")
        identity = self._identity(snapshot.partition, snapshot.position)
        began = time.monotonic()
        try:
            child = fork(lambda: write(unnamed, snapshot.history, snapshot.history_from, identity))
        except OSError as error:
            self._fail(path, str(error))
            return False
        writer = threading.Thread(
            target=self._finish, args=(child, unnamed, path, snapshot.partition, began), name="snapshot", daemon=True
        )
        self._writers[snapshot.partition] = writer
        writer.start()
        return True

    def wait(self) -> None:
        """See `service.ports.SnapshotStore.wait`."""
        for writer in self._writers.values():
            writer.join()

    def _finish(self, child: Child, unnamed: Path, path: Path, partition: int, began: float) -> None:
        """Waits for the child, then gives its file the name and removes what was written long before."""
        error = child.wait(WRITE_SECONDS)
        try:
            if error is None:
                unnamed.replace(path)
                self._prune(partition, path.stat().st_mtime)
        except OSError as found:
            error = str(found)
        if error is None:
            self._wrote(time.monotonic() - began)
        else:
            unnamed.unlink(missing_ok=True)
            self._fail(path, error)

    def _fail(self, path: Path, error: str) -> None:
        self._failed()
        _log.error("snapshot failed", path=str(path), error=error)

    def _prune(self, partition: int, newest: float) -> None:
        """By the time of writing: where offsets were set back, those with the highest positions are the old ones."""
        written = []
        for position, path in self._of(partition):
            with suppress(FileNotFoundError):
                written.append((path.stat().st_mtime_ns, position, path))
        for _, _, old in sorted(written)[:-KEPT]:
            old.unlink(missing_ok=True)
        for unnamed in self._folder.glob(f".{partition}-*.npz.*"):
            with suppress(FileNotFoundError):
                if unnamed.stat().st_mtime < newest - _ABANDONED:
                    unnamed.unlink()

    def _identity(self, partition: int, position: int) -> Identity:
        history = history_fingerprint(self._config)
        return Identity(self._log, self._topic, str(partition), str(position), history, self._settings)

    def _tell_of_others(self) -> None:
        """Says once, before there is a folder, that a change of settings, code or topic leaves snapshots behind."""
        others = sorted({path.parent.name for path in self._root.glob("*/*.npz")} - {self._folder.name})
        if others and not self._folder.exists():
            _log.warning(
                "no snapshots of this topic, feature code and settings (base currency, rates, attributes, max_ahead, "
                "secret, dedupe_records, group): histories come from the log; remove the other folders when nobody "
                "needs them",
                others=others,
            )

    def _of(self, partition: int) -> list[tuple[int, Path]]:
        """Position and file of each snapshot of a partition."""
        found = ((_NAME.fullmatch(path.name), path) for path in self._folder.glob(f"{partition}-*.npz"))
        return [(int(match[2]), path) for match, path in found if match and int(match[1]) == partition]
