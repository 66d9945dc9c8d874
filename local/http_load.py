"""Open-loop load over HTTP: requests by a timetable, whatever becomes of those before; each with what was answered."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import httptools

GIVE_UP_SECONDS: Final = 30.0


@dataclass(slots=True)
class Sent:
    """One request.

    Attributes:
        number: in order.
        due: when it was to be sent, monotonic seconds: from here its time counts.
        status: of the answer; 0: there was none.
        behind: how much later than due it was written, seconds: the load generator's own share.
        seconds: from `due` to the whole answer.
        body: of the answer.
    """

    number: int
    due: float
    status: int = 0
    behind: float = 0.0
    seconds: float = 0.0
    body: bytes = b""


@dataclass(slots=True)
class _Waiting:
    sent: Sent
    done: "asyncio.Future[None]"


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, free: Callable[["_Connection"], None]) -> None:
        self._free = free
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: _Waiting | None = None
        self._body: list[bytes] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream's

    def ask(self, waiting: _Waiting, request: bytes) -> None:
        self._waiting = waiting
        self._body = []
        if self.transport is not None:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._end(self._parser.get_status_code())
        if self._parser.should_keep_alive():
            self._parser = httptools.HttpResponseParser(self)
            self._free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self._end(0)

    def _end(self, status: int) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.sent.status = status
            waiting.sent.seconds = time.monotonic() - waiting.sent.due
            waiting.sent.body = b"".join(self._body)
            if not waiting.done.done():
                waiting.done.set_result(None)


@dataclass
class HttpLoad:
    """A load on one address.

    Attributes:
        host: of it.
        port: of it.
        path: of every request, a POST.
        headers: of every request.
    """

    host: str
    port: int
    path: str
    headers: dict[str, str]
    _idle: list[_Connection] = field(default_factory=list)

    async def run(self, bodies: Sequence[bytes], *, rate: float) -> list[Sent]:
        """Sends each body when it is due, so many a second, and waits for the answers."""
        began = time.monotonic() + 0.05
        tasks = []
        for number, body in enumerate(bodies):
            due = began + number / rate
            pause = due - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            tasks.append(asyncio.ensure_future(self.ask(Sent(number, due), body)))
        done = await asyncio.gather(*tasks)
        for connection in self._idle:
            if connection.transport is not None:
                connection.transport.close()
        self._idle.clear()
        return list(done)

    async def ask(self, sent: Sent, body: bytes) -> Sent:
        """Sends one request on a free connection, or on a new one."""
        loop = asyncio.get_running_loop()
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {self.host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        request = "\r\n".join([*lines, "", ""]).encode() + body
        try:
            connection = self._open()
            if connection is None:
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._idle.append), self.host, self.port
                )
            waiting = _Waiting(sent, loop.create_future())
            sent.behind = time.monotonic() - sent.due
            connection.ask(waiting, request)
            await asyncio.wait_for(waiting.done, GIVE_UP_SECONDS)
        except (OSError, TimeoutError):
            sent.seconds = time.monotonic() - sent.due
        return sent

    def _open(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                return connection
        return None
