"""The metrics of the console; each is described once, in its help text."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from console.projection.database import Readers
from runtime.errors import Unavailable

HOUR_US = 3_600_000_000


class ConsoleMetrics:
    """Everything that /metrics of the console tells."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Histogram(
            "fraud_console_request_seconds",
            "time to answer a page or form, by route",
            ["route"],
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10),
        )
        self.acts = Counter(
            "fraud_console_acts", "what people did, and whether it counted", ["act", "result"], registry=registry
        )
        self.logins = Counter("fraud_console_logins", "tries to log in, by result", ["result"], registry=registry)
        self.open = Gauge("fraud_console_open_cases", "cases on alerts that nobody has judged", registry=registry)
        self.oldest = Gauge("fraud_console_queue_age_seconds", "age of the oldest of them", registry=registry)
        self.verdicts = Gauge("fraud_console_verdicts_hour", "verdicts of the last hour", registry=registry)
        self.agreement = Gauge(
            "fraud_console_agreement_ratio",
            "share of second looks in which both analysts said the same; NaN without any",
            registry=registry,
        )
        self.behind = Gauge("fraud_console_behind_records", "records of the log not read yet", registry=registry)

    def watch(self, readers: Readers, behind: Callable[[], int | None], now_us: Callable[[], int]) -> None:
        """Has the gauges read the projection whenever they are asked for."""
        self.behind.set_function(lambda: float("nan") if (count := behind()) is None else count)
        self.open.set_function(
            lambda: _value(readers, "SELECT count(*) FROM cases WHERE status = 'open' AND kind = 'alert'")
        )
        self.oldest.set_function(
            lambda: _value(
                readers,
                "SELECT (? - min(opened_us)) / 1e6 FROM cases WHERE status = 'open' AND kind = 'alert'",
                now_us(),
            )
        )
        self.verdicts.set_function(
            lambda: _value(
                readers,
                "SELECT count(*) FROM case_event WHERE verdict IS NOT NULL AND stamp_us > ?",
                now_us() - HOUR_US,
            )
        )
        self.agreement.set_function(lambda: _value(readers, _AGREEMENT))


_AGREEMENT = """
SELECT avg(second.verdict = first.verdict) FROM cases second JOIN cases first ON first.case_id = second.first_case
WHERE second.first_case IS NOT NULL AND second.status = 'closed' AND first.status = 'closed'
"""


def _value(readers: Readers, query: str, *values: int) -> float:
    try:
        with readers.view() as connection:
            found = connection.execute(query, values).fetchone()[0]
    except Unavailable:
        return float("nan")
    return float("nan") if found is None else float(found)
