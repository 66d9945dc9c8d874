"""How the service's metrics are declared."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from service.observability.histogram import BulkHistogram

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the number of series


class Declared:
    """Declares metrics under the service's prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, label: str | None = None, values: Iterable[str] = ()) -> Counter:
        """A counter, with a series of each value from the start: a rate misses the first count of one that appears."""
        metric = Counter(f"fraud_{name}", text, [label] if label else [], registry=self._registry)
        for value in values:
            metric.labels(value)
        return metric

    def labelled_counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter by several labels, or by values that are not known from the start."""
        return Counter(f"fraud_{name}", text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge."""
        return Gauge(f"fraud_{name}", text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        """A histogram."""
        return Histogram(f"fraud_{name}", text, labels, buckets=buckets, registry=self._registry)

    def bulk_histogram(self, name: str, text: str, buckets: Sequence[float]) -> BulkHistogram:
        """A histogram that takes many values at once."""
        return BulkHistogram(f"fraud_{name}", text, buckets, self._registry)
