"""Events per second of every system, interleaved, and their ratios."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.peers.harness import Harness
from benchmarks.peers.registry import PASS_THROUGH, SERVICE, SERVICE_EXACTLY_ONCE, SERVICE_QUIET, System
from benchmarks.peers.run import Failed
from benchmarks.report import Figure

Rates = dict[str, list[float]]

LIMITS = {
    "limit_ratio": (SERVICE, PASS_THROUGH),
    "limit_ratio_exactly_once": (SERVICE_EXACTLY_ONCE, PASS_THROUGH),
    "limit_ratio_alerts_only": (SERVICE_QUIET, PASS_THROUGH),
}


@dataclass
class Throughput:
    """What the runs of all systems showed, one value a repeat, by system."""

    rates: Rates = field(default_factory=lambda: defaultdict(list))
    cpu_us: Rates = field(default_factory=lambda: defaultdict(list))
    memory_mb: Rates = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)
    first_decision_s: Rates = field(default_factory=lambda: defaultdict(list))

    def figures(self) -> list[Figure]:
        """Ratios between runs of the same repeat first, then what they were made of."""
        figures = []
        for name, (ours, limit) in LIMITS.items():
            figures += ratio(name, self.rates[ours.name], self.rates[limit.name])
        beside = {system.name for pair in LIMITS.values() for system in pair}
        for name, rates in self.rates.items():
            if name not in beside:
                figures += ratio(f"vs_{name}", self.rates[SERVICE.name], rates)
        if self.first_decision_s[SERVICE.name]:
            figures.append(Figure.of("first_score_s", self.first_decision_s[SERVICE.name], "s"))
        figures += [Figure.of(f"{name}.rate", rates, "events/s") for name, rates in self.rates.items() if rates]
        figures += [Figure.of(f"{name}.cpu", values, "us/event") for name, values in self.cpu_us.items() if values]
        figures += [Figure.of(f"{name}.memory", values, "MB") for name, values in self.memory_mb.items() if values]
        return figures


def measure(
    harness: Harness,
    systems: Sequence[System],
    topic: str,
    found: Throughput,
    *,
    repeats: int,
    seconds: float,
    say: Callable[[str], None],
) -> list[Figure]:
    """Runs every system once a repeat, in the given order, into `found`, whose figures are returned."""
    for repeat in range(repeats):
        for system in systems:
            try:
                result = harness.run_once(system, topic, seconds=seconds)
            except Failed as error:
                found.failures.append(f"{system.title}: {error}")
                say(found.failures[-1])
                continue
            found.rates[system.name].append(result.run.events_per_second)
            found.cpu_us[system.name].append(result.run.cpu_us)
            found.memory_mb[system.name].append(result.run.memory_mb)
            if result.first_decision_s is not None:
                found.first_decision_s[system.name].append(result.first_decision_s)
            say(
                f"[{repeat + 1}/{repeats}] {system.title}: {result.run.events_per_second:,.0f} events/s, "
                f"{result.run.cpu_us:.1f} µs of processor each"
            )
    return found.figures()


def ratio(name: str, over: Sequence[float], under: Sequence[float]) -> list[Figure]:
    """Median and quartiles of the ratios within each repeat; nothing where one side did not run."""
    pairs = [a / b for a, b in zip(over, under, strict=False)]
    return [Figure.of(name, pairs, "x")] if pairs else []
