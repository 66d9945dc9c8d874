"""What /metrics says of the queue."""

import math
from pathlib import Path

from prometheus_client import CollectorRegistry

from console.metrics import ConsoleMetrics
from fraud.contracts.cases import second_case_id
from tests.support.console_events import act, case_id, raw
from tests.support.console_site import Console, console
from tests.support.memory_topics import MemoryTopics


def told(desk: Console) -> dict[str, float]:
    registry = CollectorRegistry()
    ConsoleMetrics(registry).watch(desk.site.readers, lambda: desk.site.follower.behind, desk.site.now_us)
    return {s.name: s.value for family in registry.collect() for s in family.samples if not s.labels}


def test_agreement_is_that_of_second_looks(tmp_path: Path, topics: MemoryTopics) -> None:
    with console(tmp_path, topics, console_second_share=1.0, console_blind_share=0.0) as desk:
        assert math.isnan(told(desk)["fraud_console_agreement_ratio"])
        for number, second in ((1, "unauthorised"), (2, "genuine"), (3, None)):
            again = second_case_id(case_id(number))
            events = [act("claim", 1, number=number), act("verdict", 2, number=number)]
            if second:
                events += [
                    act("claim", 1, "tom", number=number, case_id=again),
                    act("verdict", 2, "tom", number=number, case_id=again, verdict=second),
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
