"""A run as a page for readers: the machine, the versions, every system's rate and its ratio to the service's."""

import os
import platform
from collections.abc import Sequence

from benchmarks.peers.registry import PASS_THROUGH, System
from benchmarks.peers.throughput import Throughput
from benchmarks.report import Figure


def markdown(
    found: Throughput, figures: Sequence[Figure], systems: Sequence[System], *, broker: str, command: str, date: str
) -> str:
    """The whole report as Markdown."""
    lines = [
        f"`{command}`, {date}. Kafka {broker}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.machine()}. Medians over repeats, quartiles in brackets.",
        "",
        "| system | versions | events/s | share of the limit | processor, µs/event | memory, MB |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    rates = {name: Figure.of(name, values, "events/s") for name, values in found.rates.items() if values}
    limit = rates.get(PASS_THROUGH.name)
    for system in systems:
        rate = rates.get(system.name)
        if rate is None:
            continue
        share = "" if limit is None else f"{rate.value / limit.value:.2%}"
        cpu = Figure.of("cpu", found.cpu_us[system.name], "us").value
        memory = Figure.of("memory", found.memory_mb[system.name], "MB").value
        lines.append(
            f"| {system.title} | {system.versions()} | {_spread(rate)} | {share} | {_number(cpu)} | {memory:,.0f} |"
        )
    lines += ["", "| figure | value | unit |", "| --- | ---: | --- |"]
    skip = (".rate", ".cpu", ".memory")
    lines += [
        f"| `{f.name}` | {_spread(f)} | {f.unit} |" for f in figures if not f.name.endswith(skip) or "batch" in f.name
    ]
    return "\n".join(lines) + "\n"


def _spread(figure: Figure) -> str:
    value = _number(figure.value)
    return (
        value
        if figure.low is None or figure.high is None
        else f"{value} ({_number(figure.low)}–{_number(figure.high)})"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
