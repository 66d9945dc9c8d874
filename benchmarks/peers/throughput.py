"""Events per second of every contender, interleaved, and their ratios."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.peers.harness import Arena
from benchmarks.peers.registry import PASS_THROUGH, SERVICE, SERVICE_EXACTLY_ONCE, SERVICE_QUIET, Contender
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
    """What the runs of all contenders showed, one value a repeat, by contender."""

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
        beside = {contender.name for pair in LIMITS.values() for contender in pair}
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
    arena: Arena, field_: Sequence[Contender], topic: str, *, repeats: int, seconds: float, say: Callable[[str], None]
) -> Throughput:
    """Runs every contender once a repeat, in the given order."""
    found = Throughput()
    for repeat in range(repeats):
        for contender in field_:
            try:
                result = arena.race(contender, topic, seconds=seconds)
            except Failed as error:
                found.failures.append(f"{contender.title}: {error}")
                say(found.failures[-1])
                continue
            found.rates[contender.name].append(result.run.events_per_second)
            found.cpu_us[contender.name].append(result.run.cpu_us)
            found.memory_mb[contender.name].append(result.run.memory_mb)
            if result.first_decision_s is not None:
                found.first_decision_s[contender.name].append(result.first_decision_s)
            say(
                f"[{repeat + 1}/{repeats}] {contender.title}: {result.run.events_per_second:,.0f} events/s, "
                f"{result.run.cpu_us:.1f} µs of processor each"
            )
    return found


def ratio(name: str, over: Sequence[float], under: Sequence[float]) -> list[Figure]:
    """Median and quartiles of the ratios within each repeat; nothing where one side did not run."""
    pairs = [a / b for a, b in zip(over, under, strict=False)]
    return [Figure.of(name, pairs, "x")] if pairs else []
