"""Health and metrics over HTTP, and the pieces behind them."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry

from runtime.errors import Misconfigured
from runtime.http import CONNECTIONS, TEXT, Endpoint
from service.observability.health import Health
from service.observability.histogram import BulkHistogram
from service.observability.metrics import Metrics


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock, limit=10)


@pytest.fixture
def url(health: Health) -> Iterator[str]:
    registry = CollectorRegistry()
    Metrics(registry).broker.rebalances.inc(3)
    endpoint = Endpoint(
        "127.0.0.1",
        0,
        registry=registry,
        stuck=health.stuck,
        unready=lambda: health.unready,
        below={"/echo/": lambda rest: (200, TEXT, rest.encode())},
    )
    yield f"http://127.0.0.1:{endpoint.open()}"
    endpoint.close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own 127.0.0.1
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_paths_below_a_prefix_are_answered_by_their_rest(url: str) -> None:
    assert get(f"{url}/echo/a/b?c") == (200, "a/b")
    assert get(f"{url}/echo")[0] == 404


def test_readiness_says_why_not(url: str, health: Health) -> None:
    assert get(f"{url}/readyz") == (503, "starting\n")
    health.unready = None
    assert get(f"{url}/readyz") == (200, "ok\n")


def test_liveness_fails_only_when_the_loop_stands_still(url: str, health: Health, clock: Clock) -> None:
    clock.now = 100
    assert get(f"{url}/healthz")[0] == 200, "still starting"
    health.beat()
    clock.now = 109
    assert get(f"{url}/healthz")[0] == 200
    clock.now = 111
    assert get(f"{url}/healthz") == (503, "the loop has not turned for 11 s\n")


def test_metrics_are_shown_and_other_paths_are_not_found(url: str) -> None:
    assert "fraud_rebalances_total 3.0" in get(f"{url}/metrics")[1]
    assert get(f"{url}/")[0] == 404


def test_a_port_that_is_taken_is_one_clear_error(url: str) -> None:
    port = int(url.rpartition(":")[2])
    other = Endpoint("127.0.0.1", port, registry=CollectorRegistry(), stuck=lambda: None, unready=lambda: None)
    with pytest.raises(Misconfigured, match=f"cannot listen on 127.0.0.1:{port}"):
        other.open()


def half_a_request(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    with suppress(ConnectionError):
        connection.sendall(b"GET /metrics HTTP/1.0\r\n")
    return connection


def is_over(connection: socket.socket) -> bool:
    """Waits for what the other side says; whether it hung up."""
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_connections_are_bounded_and_those_that_say_nothing_make_room(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.http.CONNECTION_SECONDS", 1.0)
    port = int(url.rpartition(":")[2])
    before = threading.active_count()
    held = [half_a_request(port) for _ in range(60)]
    try:
        # A thread for each connection, and one that ends it.
        assert threading.active_count() - before <= 2 * CONNECTIONS
        assert all(is_over(connection) for connection in held)
        assert get(f"{url}/healthz")[0] == 200
    finally:
        for connection in held:
            connection.close()


def test_a_request_that_dribbles_is_cut_off_all_the_same(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.http.CONNECTION_SECONDS", 0.5)
    with half_a_request(int(url.rpartition(":")[2])) as connection:
        for _ in range(100):
            connection.settimeout(0.1)
            if is_over(connection):
                return
            with suppress(ConnectionError):
                connection.sendall(b"x")
    pytest.fail("it was let dribble on")


def test_a_bulk_histogram_counts_as_a_plain_one_does() -> None:
    from prometheus_client import Histogram

    ours, theirs = CollectorRegistry(), CollectorRegistry()
    values, bounds = [0.0, 0.1, 0.10001, 0.5, 1.0, 7.0], (0.1, 0.5, 1.0)
    bulk = BulkHistogram("h", "text", bounds, ours)
    bulk.observe(values[:2])
    bulk.observe(values[2:])
    plain = Histogram("h", "text", buckets=bounds, registry=theirs)
    for value in values:
        plain.observe(value)
    for bound in ("0.1", "0.5", "1.0", "+Inf"):
        name, labels = "h_bucket", {"le": bound}
        assert ours.get_sample_value(name, labels) == theirs.get_sample_value(name, labels)
    assert ours.get_sample_value("h_sum") == pytest.approx(theirs.get_sample_value("h_sum"))
