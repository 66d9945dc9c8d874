"""What the loop answers over HTTP."""

import urllib.request
from urllib.error import HTTPError

import pytest
from prometheus_client import CollectorRegistry

from training.loop.metrics import LoopMetrics
from training.loop.program import Readiness, endpoint_of
from training.settings import load_settings


def test_the_loop_shows_that_it_lives_once_connected_that_it_is_ready_and_its_metrics() -> None:
    registry = CollectorRegistry()
    LoopMetrics(registry)
    readiness = Readiness()
    endpoint = endpoint_of(load_settings(loop_http_port=0), registry, readiness)
    url = f"http://127.0.0.1:{endpoint.open()}"
    try:
        with pytest.raises(HTTPError, match="503") as not_yet:
            urllib.request.urlopen(f"{url}/readyz", timeout=5)  # noqa: S310 - our own 127.0.0.1
        not_yet.value.close()
        readiness.unready = None
        found = {}
        for path in ("/healthz", "/readyz", "/metrics"):
            with urllib.request.urlopen(url + path, timeout=5) as answer:  # noqa: S310 - our own 127.0.0.1
                found[path] = answer.read().decode()
    finally:
        endpoint.close()
    assert found["/healthz"] == found["/readyz"] == "ok\n"
    assert "fraud_loop_runs_total" in found["/metrics"]
