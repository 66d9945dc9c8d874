"""Stopping: signals only set a flag; the work in hand is finished, within a limit."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals_call(request: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """These signals call `request`, which only sets a flag; the former handlers are put back at the end."""
    former = {number: signal.signal(number, lambda *_: request()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Shutdown:
    """A request to stop, and the time it leaves."""

    def __init__(self, *, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._event = threading.Event()
        self._deadline: float | None = None
        self._settled = False

    def request(self) -> None:
        """Asks for the stop; asking again does not extend the limit."""
        if self._deadline is None:
            self._deadline = self._monotonic() + self._seconds
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether to finish the batch in hand and stop."""
        return self._event.is_set()

    @property
    def overdue(self) -> bool:
        """Whether even the batch in hand must be given up."""
        return self._deadline is not None and self._monotonic() >= self._deadline

    def settled(self) -> None:
        """Notes that nothing is uncommitted any more: what is left, such as a snapshot, may be cut short."""
        self._settled = True

    def wait(self, seconds: float) -> None:
        """Sleeps until a stop is requested; once it is, for moments only."""
        if self.requested:
            time.sleep(min(seconds, 0.2))
        else:
            self._event.wait(seconds)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT request the stop; the former handlers are put back at the end."""
        with signals_call(self.request, *STOP_SIGNALS):
            yield

    @contextmanager
    def enforced(self, say: Callable[[], None]) -> Iterator[None]:
        """Ends the process when the block outlasts the limit, wherever it hangs; `say` is called before.

        With 1, or 0 where all was `settled`.

        A call into a library may block for longer than its own limit, and Python cannot interrupt it.
        """
        done = threading.Event()

        def watch() -> None:
            self._event.wait()
            if not done.wait(self._seconds + 1.0):
                say()
                os._exit(0 if self._settled else 1)

        threading.Thread(target=watch, name="deadline", daemon=True).start()
        try:
            yield
        finally:
            done.set()
