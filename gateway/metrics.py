"""Every metric of the gateway, declared once."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from gateway.checkout.tracking import Because

MOST_SHOPS: Final = 50
"""Shops with series of their own; the others share one."""

OTHERS: Final = "others"
OPERATIONS: Final = (
    "post_payment", "post_outcomes", "post_labels", "post_stripe", "post_adyen", "get_decision", "get_entity",
    "get_openapi", "get_page", "other",
)  # fmt: skip
NOTICES: Final = ("label", "unknown", "repeated", "refused")

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the number of series


class Metrics:
    """All of them. Takes a registry, so that tests and programs each have their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"fraud_gateway_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"fraud_gateway_{name}", text, registry=registry)

        self._shops: set[str] = set()
        self._requests = counter("requests_total", "Requests answered, by operation and status", "operation", "status")
        self._answers = counter(
            "answers_total", "Payments answered, by shop and by what stands behind the answer", "shop", "by"
        )
        self.fallbacks = _each(
            counter("fallbacks_total", "Payments answered without a decision, by reason", "reason"), Because
        )
        self.answer_seconds = Histogram(
            "fraud_gateway_answer_seconds",
            "From a payment's last byte read to its answer",
            buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self._limited = counter("limited_total", "Requests over their key's rate, by shop", "shop")
        self.accepted = _each(
            counter("accepted_total", "Outcomes and labels accepted, by kind", "kind"), ("outcome", "label")
        )
        self.rejected = _each(
            counter("rejected_total", "Outcomes and labels refused, by kind", "kind"), ("outcome", "label")
        )
        self._notices = counter("disputes_total", "Dispute notices, by processor and result", "processor", "result")
        for processor in ("stripe", "adyen"):
            for result in NOTICES:
                self._notices.labels(processor, result)
        self.linked = counter("linked_total", "Decisions that came after their payment's answer")
        self.at_scorer = gauge("at_scorer", "Payments sent and not decided")
        self.limit = gauge("limit", "Bound of that, as it is now")
        self.unsent = gauge("unsent", "Entries that wait in the journal")
        self.undecided = gauge("undecided", "Payments accepted and not decided")
        self.oldest = gauge("oldest_seconds", "Time that the payment which is longest at the scorer is there")
        self.loop_lag = gauge("loop_lag_seconds", "How late the event loop came to its last turn")

    def request(self, operation: str, status: int) -> None:
        """Counts an answered request."""
        self._requests.labels(operation, str(status)).inc()

    def answered(self, shop: str, by: str) -> None:
        """Counts an answered payment: by `decision`, `fallback`, `rejection` or `repetition`."""
        self._answers.labels(self._named(shop), by).inc()

    def limited(self, shop: str) -> None:
        """Counts a request over its rate."""
        self._limited.labels(self._named(shop)).inc()

    def notice(self, processor: str, result: str) -> None:
        """Counts a dispute notice."""
        self._notices.labels(processor, result).inc()

    def _named(self, shop: str) -> str:
        if shop not in self._shops:
            if len(self._shops) >= MOST_SHOPS:
                return OTHERS
            self._shops.add(shop)
        return shop


def _each(metric: Counter, values: Iterable[str]) -> Counter:
    """With a series of each value from the start: a rate misses the first count of one that appears."""
    for value in values:
        metric.labels(str(value))
    return metric
