"""A Prometheus histogram that takes a whole array at once."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry


class BulkHistogram(Collector):
    """Observing thousands of values one by one would cost more than scoring them."""

    def __init__(self, name: str, text: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._bounds = np.asarray(buckets, np.float64)
        self._counts = np.zeros(len(buckets) + 1, np.int64)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: npt.ArrayLike) -> None:
        """Takes in n values."""
        array = np.asarray(values, np.float64)
        # side="left": a value on a bound belongs to the bucket that the bound closes (`le`).
        places = np.searchsorted(self._bounds, array, side="left")
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum += float(array.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Cumulative counts, as Prometheus reads them."""
        bounds = [*map(str, self._bounds.tolist()), "+Inf"]
        cumulative = np.cumsum(self._counts).tolist()
        yield HistogramMetricFamily(
            self._name, self._text, buckets=list(zip(bounds, cumulative, strict=True)), sum_value=self._sum
        )
