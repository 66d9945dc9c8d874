"""`make bench`: python -m benchmarks.peers [--quick] [--only NAME …]."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
from rich.console import Console

from benchmarks import latency, scale
from benchmarks.peers import prepare, sizes, throughput
from benchmarks.peers.harness import Harness, open_harness
from benchmarks.peers.load import Incomplete
from benchmarks.peers.payments import read
from benchmarks.peers.registry import SYSTEMS
from benchmarks.peers.run import Failed
from benchmarks.peers.table import markdown
from benchmarks.peers.throughput import Throughput
from benchmarks.report import Figure, keep, print_figures
from local.programs import ProgramFailed

PARTS = ("latency", "batches", "processes", "customers")
STREAM = "stream"
LACKING = (Failed, Incomplete, ProgramFailed)
"""How a part fails: its figures are missing, those of the others stand."""


@click.command()
@click.option("--quick", is_flag=True, help="One repeat on a short stream: whether everything runs, not how fast.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*(system.name for system in SYSTEMS), *PARTS]),
    help="These systems and parts alone; may be given several times.",
)
@click.option("--repeats", type=click.IntRange(1), help="How often each system runs.")
@click.option("--seconds", type=click.FloatRange(1), default=6.0, show_default=True, help="How long each is watched.")
@click.option("--models", type=click.Path(path_type=Path, exists=True), help="Model directory; made when not given.")
def main(*, quick: bool, only: tuple[str, ...], repeats: int | None, seconds: float, models: Path | None) -> None:
    """Measure the service beside its limits and peers; a table, build/bench/bench.json and build/bench/bench.md."""
    console = Console(stderr=True, width=120)
    command = " ".join(
        ["make bench" if not only else "python -m benchmarks.peers", *(f"--only {name}" for name in only)]
    )
    repeats = repeats or (1 if quick else 5)
    with console.status("preparing stream and model"):
        path = prepare.stream(60_000 if quick else 300_000)
        models_dir = models or prepare.models()
    scratch = prepare.FOLDER / datetime.now(UTC).strftime("run-%Y%m%dT%H%M%S")
    with open_harness(models_dir.resolve(), scratch.resolve()) as place:
        console.print(f"Kafka {place.broker_version}; logs in {scratch}")
        found, figures, failures = Throughput(), list[Figure](), list[str]()
        for name, part in parts(
            place, path, found, only=only, repeats=repeats, seconds=seconds, quick=quick, say=console.print
        ):
            try:
                figures += part()
            except LACKING as error:
                failures.append(f"{name}: {error}")
                console.print(failures[-1])
            # After each part: the run is long, and what it has shown is kept whatever becomes of the rest.
            written = keep("bench", figures)
            page = markdown(
                found,
                figures,
                SYSTEMS,
                broker=place.broker_version,
                command=command,
                date=f"{datetime.now(UTC):%Y-%m-%d}",
            )
            written.with_suffix(".md").write_text(page, encoding="utf-8")
    print_figures(figures, title="The service beside limits and peers")
    if failures := [*found.failures, *failures]:
        raise click.ClickException("; ".join(failures))


def parts(
    place: Harness,
    path: Path,
    found: Throughput,
    *,
    only: tuple[str, ...],
    repeats: int,
    seconds: float,
    quick: bool,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Callable[[], list[Figure]]]]:
    """What was asked for, each with its name, in order; `found` takes in the throughputs."""
    wanted = set(only) or {*(system.name for system in SYSTEMS), *PARTS}
    systems = [system for system in SYSTEMS if system.name in wanted]
    few = max(1, repeats // 2)
    if systems or "batches" in wanted:
        place.load(STREAM, read(path))
    if systems:
        yield (
            "throughput",
            lambda: throughput.measure(place, systems, STREAM, found, repeats=repeats, seconds=seconds, say=say),
        )
    if "latency" in wanted:
        yield "latency", lambda: latency.measure(place, repeats=repeats, seconds=3 if quick else 4, say=say).figures()
    if "batches" in wanted:
        yield "batches", lambda: sizes.batches(place, STREAM, repeats=few, seconds=seconds, say=say)
    if "processes" in wanted:
        yield (
            "processes",
            lambda: sizes.processes(place, islice(read(path), 500_000), repeats=few, seconds=5 * seconds, say=say),
        )
    if "customers" in wanted:
        large = 1_000_000 if quick else scale.LARGE
        yield "customers", lambda: scale.measure(place.models_dir, repeats=repeats, say=say, large=large)


if __name__ == "__main__":
    main()
