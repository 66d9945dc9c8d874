"""What the loop answers over HTTP."""

import urllib.request

from prometheus_client import CollectorRegistry

from training.commands.loop import endpoint_of
from training.loop.metrics import LoopMetrics
from training.settings import load_settings


def test_the_loop_shows_that_it_lives_and_its_metrics() -> None:
    registry = CollectorRegistry()
    LoopMetrics(registry)
    endpoint = endpoint_of(load_settings(loop_http_port=0), registry)
    url = f"http://127.0.0.1:{endpoint.open()}"
    try:
        found = {}
        for path in ("/healthz", "/metrics"):
            with urllib.request.urlopen(url + path, timeout=5) as answer:  # noqa: S310 - our own 127.0.0.1
                found[path] = answer.read().decode()
    finally:
        endpoint.close()
    assert found["/healthz"] == "ok\n"
    assert "fraud_loop_runs_total" in found["/metrics"]
