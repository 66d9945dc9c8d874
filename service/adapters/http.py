"""/metrics, /healthz and /readyz over HTTP."""

import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from service.errors import Misconfigured

TEXT: Final = "text/plain; charset=utf-8"


class Endpoint:
    """Serves health and metrics from a thread of its own.

    Args:
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        registry: what /metrics shows.
        stuck: why the service is not alive, None when it is.
        unready: why it is not ready, None when it is.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        registry: CollectorRegistry,
        stuck: Callable[[], str | None],
        unready: Callable[[], str | None],
    ) -> None:
        self._address = host, port
        self._answers: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/healthz": lambda: _verdict(stuck()),
            "/readyz": lambda: _verdict(unready()),
        }
        self._server: ThreadingHTTPServer | None = None

    def open(self) -> int:
        """Starts to listen; the port.

        Raises:
            Misconfigured: the address cannot be had.
        """
        answers = self._answers

        class Handler(BaseHTTPRequestHandler):
            """Answers GET."""

            def do_GET(self) -> None:
                answer = answers.get(self.path.partition("?")[0])
                status, kind, body = answer() if answer else (404, TEXT, b"not found\n")
                with suppress(ConnectionError):  # who asked did not wait for the answer
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Probes every few seconds are not worth a line."""

        host, port = self._address
        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise Misconfigured(
                f"cannot listen on {host}:{port}: {error.strerror}; set FRAUD_HTTP_HOST and FRAUD_HTTP_PORT"
            ) from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _verdict(trouble: str | None) -> tuple[int, str, bytes]:
    return (200, TEXT, b"ok\n") if trouble is None else (503, TEXT, f"{trouble}\n".encode())
