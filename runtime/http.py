"""/metrics, /healthz and /readyz over HTTP."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from runtime import http_server as endpoint
from runtime.errors import Misconfigured


class Endpoint:
    """Serves health and metrics from threads of its own.

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
        self._address = f"{host}:{port}"
        self._served = endpoint.Endpoint(
            host,
            port,
            {
                "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
                "/healthz": lambda: endpoint.health(stuck()),
                "/readyz": lambda: endpoint.health(unready()),
            },
        )

    def open(self) -> int:
        """Starts to listen; the port.

        Raises:
            Misconfigured: the address cannot be had.
        """
        try:
            return self._served.open()
        except OSError as error:
            raise Misconfigured(
                f"cannot listen on {self._address}: {error.strerror}; set FRAUD_HTTP_HOST and FRAUD_HTTP_PORT"
            ) from None

    def close(self) -> None:
        """Stops listening."""
        self._served.close()
