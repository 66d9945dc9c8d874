"""What /metrics says of the queue."""

import math

from prometheus_client import CollectorRegistry

from console.metrics import ConsoleMetrics
from tests.support.console_events import act, raw
from tests.support.console_site import Console


def told(desk: Console) -> dict[str, float]:
    registry = CollectorRegistry()
    ConsoleMetrics(registry).watch(desk.site.readers, lambda: desk.site.follower.behind, desk.site.now_us)
    return {s.name: s.value for family in registry.collect() for s in family.samples if not s.labels}


def test_agreement_counts_cases_that_two_analysts_judged(desk: Console) -> None:
    assert math.isnan(told(desk)["fraud_console_agreement_ratio"])
    again = {"text": "second opinion"}
    for number, second in ((1, "unauthorised"), (2, "genuine"), (3, None)):
        events = [act("claim", 1, number=number), act("verdict", 2, number=number)]
        if second:
            events += [
                act("reopen", 3, "tom", number=number, **again),
                act("verdict", 4, "tom", number=number, verdict=second),
            ]
        for event in events:
            desk.topics.append("cases", "k", raw(event))
    desk.settle()
    found = told(desk)
    assert found["fraud_console_agreement_ratio"] == 0.5
    assert found["fraud_console_verdicts_hour"] == 5
    assert found["fraud_console_open_cases"] == 0


def test_the_age_of_the_queue_is_that_of_its_oldest_open_case(desk: Console) -> None:
    before = told(desk)["fraud_console_queue_age_seconds"]
    desk.topics.now_us += 60_000_000
    assert told(desk)["fraud_console_queue_age_seconds"] == before + 60
    assert told(desk)["fraud_console_open_cases"] == 3
