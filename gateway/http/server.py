"""uvicorn, with what it lacks at the edge: a request must arrive whole within a time, and its head within a size."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.errors import Misconfigured

MOST_HEAD: Final = 32 << 10
"""Bytes of a request's line and headers."""

KEEP_ALIVE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of TLS; with `client_ca` every client must show a certificate signed by it."""

    certfile: Path
    keyfile: Path
    client_ca: Path | None = None


class Bounded(HttpToolsProtocol):
    """One connection: as uvicorn's, but it hangs up on what takes too long to arrive or whose head is too large."""

    read_seconds = 5.0
    """For a request to arrive whole; set in a subclass, since uvicorn makes the instances."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **kwargs)
        self._head = 0
        self._in_head = False
        self._arriving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes in what has come."""
        if self._arriving is None:
            self._expect()
        super().data_received(data)
        self._head = self._head + len(data) if self._in_head else 0
        if self._head > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """The head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._arrived()
        super().on_message_complete()

    def _expect(self) -> None:
        self._arriving = self.loop.call_later(self.read_seconds, self._give_up)

    def _arrived(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _give_up(self) -> None:
        self._arriving = None
        if not self.transport.is_closing():
            self.transport.abort()


class Server(uvicorn.Server):
    """Leaves signals to whoever runs it: uvicorn would raise them again once it has stopped in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        Misconfigured: the address cannot be had.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror}; set FRAUD_GATEWAY_HOST and FRAUD_GATEWAY_PORT"
        ) from None


def server_of(
    app: ASGIApp, *, tls: Tls | None, connections: int, read_seconds: float, shutdown_seconds: float
) -> Server:
    """A server that is not started.

    Raises:
        Misconfigured: the files of TLS cannot be used.
    """
    files: dict[str, Any] = {}
    if tls is not None:
        files = {"ssl_certfile": str(tls.certfile), "ssl_keyfile": str(tls.keyfile)}
        if tls.client_ca is not None:
            files |= {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    config = uvicorn.Config(
        app,
        http=type("Connection", (Bounded,), {"read_seconds": read_seconds}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=connections,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(shutdown_seconds)),
        backlog=connections,
        **files,
    )
    try:
        config.load()
    except OSError as error:  # ssl's errors among them
        raise Misconfigured(f"cannot use the files of FRAUD_GATEWAY_TLS_…: {error}") from None
    return Server(config)
