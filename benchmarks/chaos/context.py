"""The context of a fault: topics, broker, draw and rate, and how each fault ends."""

import random
from dataclasses import dataclass, field

from benchmarks.report import Figure
from local.broker.local_broker import LocalBroker
from local.service_process import ServiceProcess
from local.testbed.scorer_run import ScorerRun

RATE = 400.0
"""Events a second."""


@dataclass(frozen=True, slots=True)
class FaultContext:
    """The things that a fault works with.

    Attributes:
        scorer: its own topics.
        broker: that it may hurt.
        draw: seeded.
        kills: how often to kill, for the fault that does.
        scale: share of the full durations, for short versions.
        figures: what a fault tells beside its recoveries.
    """

    scorer: ScorerRun
    broker: LocalBroker
    draw: random.Random
    kills: int = 30
    scale: float = 1.0
    figures: list[Figure] = field(default_factory=list)


def ensure_logged(service: ServiceProcess, line: str) -> None:
    """Makes sure that a fault hit what it aims at, by a line of the service's log."""
    if line not in service.log.read_text():
        raise AssertionError(f"the fault had no effect: {line!r} is not in {service.log}")


def end(scorer: ScorerRun, service: ServiceProcess, recoveries: list[float], *others: ServiceProcess) -> list[float]:
    """Lets everything be processed, then stops in order."""
    scorer.until_caught_up()
    for instance in (*others, service):
        code = instance.stop()
        if code != 0:
            raise AssertionError(f"{instance.log.name} ended with {code}: {instance.last_line()}")
    return recoveries
