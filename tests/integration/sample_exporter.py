"""The programs' own metric classes, filled with samples of every label and served on a port of 127.0.0.1."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.process_collector import ProcessCollector

from service.histogram import BulkHistogram
from service.metrics import Metrics
from training.loop.metrics import LoopMetrics

LABELS: Final = {
    "action": ("allow", "review", "block"),
    "kind": ("transaction", "outcome", "features", "scores", "domain"),
    "role": ("champion", "shadow"),
}
"""Values that queries ask for by name; any other label gets one made-up value."""


def registry() -> CollectorRegistry:
    """A registry with every metric that the service and the loop declare, none of them touched."""
    made = CollectorRegistry()
    Metrics(made)
    LoopMetrics(made)
    ProcessCollector(registry=made)
    return made


def declared() -> set[str]:
    """Names of every series that the programs export."""
    names = set()
    for family in registry().collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + suffix for suffix in suffixes}
    return names


def touch(metrics: CollectorRegistry) -> None:
    """Count something in every series: what a rate needs to be more than zero."""
    for collector in list(metrics._collector_to_names):
        if isinstance(collector, BulkHistogram):
            collector.observe([0.003, 0.2, 0.9])
        elif isinstance(collector, MetricWrapperBase):
            values = [LABELS.get(name, ("1",)) for name in collector._labelnames]
            for combination in itertools.product(*values):
                _count(collector.labels(*combination) if combination else collector)


def _count(series: MetricWrapperBase) -> None:
    match series:
        case Histogram():
            series.observe(0.2)
        case Counter() | Gauge():
            series.inc()
        case _:
            raise TypeError(type(series))


@contextmanager
def serving() -> Iterator[int]:
    """Serve samples that grow five times a second; yields the port."""
    metrics = registry()
    server, thread = start_http_server(0, addr="127.0.0.1", registry=metrics)
    stop = threading.Event()

    def grow() -> None:
        while not stop.wait(0.2):
            touch(metrics)

    grower = threading.Thread(target=grow)
    grower.start()
    try:
        yield server.server_port
    finally:
        stop.set()
        grower.join()
        server.shutdown()
        server.server_close()
        thread.join()
