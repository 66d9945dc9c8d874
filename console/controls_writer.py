"""Controls that people write: appended so that nobody is overwritten, then read back by the projection."""

import threading
from typing import Protocol

from console.projection.follower import Follower
from fraud.contracts.controls import Control
from runtime.errors import Unavailable

READ_BACK_SECONDS = 10.0


class ControlsLog(Protocol):
    """`runtime.kafka.controls_log.ControlsWriter`."""

    def put(self, control: Control) -> int:
        """Appends one version; its offset, once it is in the log and counts there.

        Raises:
            VersionConflict: somebody else wrote that version first.
            Misconfigured: it would not count for another reason, which is named.
            Unavailable: it is unknown whether it was written.
        """
        ...

    def close(self) -> None:
        """Lets go of what is held."""
        ...


class ControlActs:
    """One writer at a time: the log's writer is for one thread."""

    def __init__(self, log: ControlsLog, follower: Follower, *, topic: str) -> None:
        self._log = log
        self._follower = follower
        self._topic = topic
        self._lock = threading.Lock()

    def put(self, control: Control) -> None:
        """Appends a version, and waits until pages show it; raises as `ControlsLog.put`."""
        with self._lock:
            offset = self._log.put(control)
        if not self._follower.wait_for_control(self._topic, offset, seconds=READ_BACK_SECONDS):
            raise Unavailable("it is in the log, and was not read back yet: look at it again in a moment")
