"""/metrics, /healthz and /readyz of any program, over HTTP."""

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from runtime.errors import Misconfigured

TEXT: Final = "text/plain; charset=utf-8"
CONNECTIONS: Final = 16
"""At once; more are closed unanswered. Each has a thread and a descriptor, which Kafka and models need too."""

CONNECTION_SECONDS: Final = 5.0
"""From accepting a connection to closing it, however slowly the other side writes or reads."""

Answer: TypeAlias = tuple[int, str, bytes]
"""Status, content type and content."""


class Endpoint:
    """Serves health and metrics from threads of its own.

    Args:
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        registry: what /metrics shows.
        stuck: why the program is not alive, None when it is; called in another thread.
        unready: why it is not ready, None when it is; called in another thread.
        variables: how the settings of host and port begin, for the error's text.
        below: what answers the paths below a prefix, given the rest of the path; called in another thread.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        registry: CollectorRegistry,
        stuck: Callable[[], str | None],
        unready: Callable[[], str | None],
        variables: str = "FRAUD_HTTP",
        below: Mapping[str, Callable[[str], Answer]] | None = None,
    ) -> None:
        self._address = host, port
        self._variables = variables
        self._below = below or {}
        self._answers: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/healthz": lambda: _health(stuck()),
            "/readyz": lambda: _health(unready()),
        }
        self._server: ThreadingHTTPServer | None = None

    def open(self) -> int:
        """Starts to listen; the port.

        Raises:
            Misconfigured: the address cannot be had.
        """
        answers, below = self._answers, self._below

        class Handler(BaseHTTPRequestHandler):
            """Answers GET."""

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                answer = answers.get(path)
                prefix = next((prefix for prefix in below if path.startswith(prefix)), None)
                if answer is not None:
                    status, kind, body = answer()
                elif prefix is not None:
                    status, kind, body = below[prefix](path.removeprefix(prefix))
                else:
                    status, kind, body = 404, TEXT, b"not found\n"
                with suppress(OSError):  # who asked did not wait for the answer
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Probes every few seconds are not worth a line."""

        try:
            self._server = _BoundedServer(self._address, Handler)
        except OSError as error:
            host, port = self._address
            raise Misconfigured(
                f"cannot listen on {host}:{port}: {error.strerror}; set {self._variables}_HOST and "
                f"{self._variables}_PORT"
            ) from None
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _health(trouble: str | None) -> Answer:
    """200 when there is no trouble, 503 and the trouble otherwise."""
    return (200, TEXT, b"ok\n") if trouble is None else (503, TEXT, f"{trouble}\n".encode())


class _BoundedServer(ThreadingHTTPServer):
    """With so many connections at most, each for so long at most."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override] # typeshed also allows datagrams
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override] # as above
        # The handler's own timeout counts anew with each byte.
        end = threading.Timer(CONNECTION_SECONDS, _hang_up, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()

    def handle_error(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override] # as above
        """Tells of errors of the program; a connection that was cut is the other side's affair."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _hang_up(request: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        request.shutdown(socket.SHUT_RDWR)
