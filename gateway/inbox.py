"""From threads to the event loop: many items in one wake-up."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Hands what threads put in to `take`, in order, in the loop.

    Args:
        loop: whose thread `take` is called in.
        take: gets all that has come since its last call; must not block.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[list[T]], None]) -> None:
        self._loop = loop
        self._take = take
        self._items: deque[T] = deque()
        self._woken = False

    def put(self, items: Iterable[T]) -> None:
        """Adds items; from any thread."""
        self._items.extend(items)
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits for them any more
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._woken = False  # before looking: what comes now wakes the loop again
        items = []
        while self._items:
            items.append(self._items.popleft())
        if items:
            self._take(items)
