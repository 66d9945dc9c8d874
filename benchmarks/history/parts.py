"""The measurements, by name."""

import time
from collections.abc import Callable

import click

from benchmarks.history.cost import at_scale, beside_a_consumer
from benchmarks.history.keeping import keep
from benchmarks.report import Figure

PARTS: dict[str, Callable[[int, int, Callable[[str], None]], list[Figure]]] = {
    "cost": beside_a_consumer,
    "scale": at_scale,
    "keep": keep,
}


def run(part: str, repeats: int, customers: int) -> list[Figure]:
    """Measures one part, telling how it goes."""
    began = time.monotonic()

    def say(what: str) -> None:
        click.echo(f"{part:>6} {time.monotonic() - began:5.0f} s  {what}", err=True)

    return PARTS[part](customers, repeats, say)
