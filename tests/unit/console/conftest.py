"""A console with three alerts, and who works at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console_events import alert, decision, payment, raw
from tests.support.console_site import Console, console
from tests.support.memory_topics import MemoryTopics


@pytest.fixture
def topics() -> MemoryTopics:
    """Three alerts, the second the worthiest to review, and forty payments that were allowed."""
    made = MemoryTopics()
    for number, gain in ((1, 5.0), (2, 50.0), (3, 0.5)):
        made.append("payments", "c", raw(payment(number)))
        made.append("alerts", "c", raw(alert(number, gain=gain)))
        made.append(
            "decisions",
            "c",
            raw(decision(number, action="review", model_action="review", alert_id=alert(number)["alert_id"])),
        )
    for number in range(10, 50):
        made.append("payments", "c", raw(payment(number)))
        made.append("decisions", "c", raw(decision(number)))
    return made


@pytest.fixture
def desk(tmp_path: Path, topics: MemoryTopics) -> Iterator[Console]:
    """A console that runs on them."""
    with console(tmp_path, topics) as made:
        yield made
