"""End-to-end latency under a fixed load, beside a program that only passes records on in the same delivery mode."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from benchmarks.peers.harness import Harness
from benchmarks.peers.load import Load
from benchmarks.peers.payments import Message, create, uniform
from benchmarks.peers.registry import PASS_THROUGH, SERVICE, SERVICE_EXACTLY_ONCE, System
from benchmarks.peers.run import running
from benchmarks.report import Figure

RATES = (100, 1_000, 10_000)
QUANTILES = {"p50": 50.0, "p99": 99.0, "p99_9": 99.9}
MODES = {"": ("at_least_once", SERVICE), "_exactly_once": ("exactly_once", SERVICE_EXACTLY_ONCE)}
WARM_UP = 2_000
START_SECONDS = 300.0
"""A first start compiles the kernels, which took 74 s on a busy machine."""
FLOOR = "no_system"


@dataclass
class Latency:
    """Quantiles in ms, one value a repeat, by (system, rate, quantile)."""

    quantiles: dict[tuple[str, int, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, rate: int, measured_ms: npt.NDArray[np.float64]) -> None:
        """Takes in one run."""
        for quantile, percent in QUANTILES.items():
            self.quantiles[name, rate, quantile].append(float(np.percentile(measured_ms, percent)))

    def figures(self) -> list[Figure]:
        """The ratios at 1,000 events a second first."""
        figures = []
        for suffix, (mode, service) in MODES.items():
            ours = self.quantiles[service.name, 1_000, "p99"]
            limit = self.quantiles[_limit_name(mode), 1_000, "p99"]
            pairs = [a / b for a, b in zip(ours, limit, strict=True)]
            figures += [Figure.of(f"p99_ratio_1000{suffix}", pairs, "x")] if pairs else []
        for (name, rate, quantile), values in self.quantiles.items():
            if values:
                figures.append(Figure.of(f"{name}.{rate}.{quantile}", values, "ms"))
        return figures


def measure(
    harness: Harness, *, repeats: int, seconds: float, say: Callable[[str], None], rates: Sequence[int] = RATES
) -> Latency:
    """All systems run at once, idle but for the one that is being measured: that interleaves without restarts."""
    found = Latency()
    with ExitStack() as stack:
        loads = {}
        for mode, service in MODES.values():
            limit_settings = {"produce": True, "delivery": mode}
            for name, system, settings in (
                (_limit_name(mode), PASS_THROUGH, limit_settings),
                (service.name, service, {}),
            ):
                loads[name] = lane = stack.enter_context(_Lane(harness, system, settings))
                lane.warm_up()  # one after the other: four that compile at once keep each other from it
        floor = stack.enter_context(_floor(harness))
        stream = uniform(10_000_000, customers=100_000, seed=8)
        for rate in rates:
            found.add(FLOOR, rate, floor.latencies_ms(list(islice(stream, int(rate * seconds))), rate))
        for repeat in range(repeats):
            for rate in rates:
                for name, lane in loads.items():
                    measured = lane.load.latencies_ms(lane.next(int(rate * seconds)), rate)
                    found.add(name, rate, measured)
                    say(f"[{repeat + 1}/{repeats}] {name} at {rate:,}/s: p99 {np.percentile(measured, 99):.1f} ms")
    return found


def _floor(harness: Harness) -> Load:
    """A load that reads its own records: what measuring itself costs."""
    create(harness.bootstrap_servers, [FLOOR])
    return Load(harness.bootstrap_servers, FLOOR, FLOOR)


class _Lane:
    """One system with topics and a load of its own."""

    def __init__(self, harness: Harness, system: System, settings: dict[str, object]) -> None:
        source = f"lane-{system.name}-{settings.get('delivery', '')}"
        create(harness.bootstrap_servers, [source])
        job = harness.job(system, source, settings=settings)
        (self._program,) = system.programs(job)
        self.load = Load(harness.bootstrap_servers, source, job.sink)
        self._messages: Iterator[Message] = uniform(10_000_000, customers=100_000, seed=7)
        self._stack = ExitStack()

    def __enter__(self) -> "_Lane":
        self._stack.enter_context(running(self._program))
        self._stack.enter_context(self.load)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def next(self, count: int) -> list[Message]:
        """The next transactions of this lane."""
        return list(islice(self._messages, count))

    def warm_up(self) -> None:
        """Blocks until the system has handled a first load, however long it takes to start."""
        self.load.latencies_ms(self.next(WARM_UP), WARM_UP, patience_s=START_SECONDS)
        self._program.check()


def _limit_name(mode: str) -> str:
    return f"{PASS_THROUGH.name}_{mode}"
