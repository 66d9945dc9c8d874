"""`make chaos`: every fault, or some, on a broker of its own; figures, and an exit code other than 0 on any damage."""

import logging
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from benchmarks.chaos.context import FaultContext
from benchmarks.chaos.faults import FAULTS, MAY_DOUBLE
from benchmarks.chaos.rates import VERSIONS, exactly_once_cost, swap_pauses
from benchmarks.report import FOLDER as REPORTS
from benchmarks.report import Figure, report
from local.broker.local_broker import LocalBroker
from local.programs import ProgramFailed
from local.testbed.bundles import serve, write_bundle
from local.testbed.delivery_check import DeliveryReport, check_delivery
from local.testbed.scorer_run import ScorerRun

FOLDER = Path("build/chaos")


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice([*FAULTS, "swaps", "cost"]), help="Only these; may be repeated."
)
@click.option("--kills", default=30, show_default=True, help="How often the service is killed.")
@click.option("--scale", default=1.0, show_default=True, help="Share of the full durations and repeats.")
@click.option("--seed", default=1, show_default=True, help="Of the events and of the moments of faults.")
def main(only: Sequence[str], kills: int, scale: float, seed: int) -> None:
    """Hurts the service in every way and looks whether anything was lost or doubled."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)  # the load's own producer, through every outage
    run = (FOLDER / time.strftime("%H%M%S")).resolve()
    chosen = only or (*FAULTS, "swaps", "cost")
    write_models(run, VERSIONS if "swaps" in chosen else 1)
    figures: list[Figure] = []
    damage: list[str] = []
    try:
        with LocalBroker() as broker:
            click.echo(f"Kafka {broker.version}, seed {seed}; logs in {run}", err=True)
            for name in (name for name in chosen if name in FAULTS):
                try:
                    found, delivery = run_fault(name, broker, run, kills=kills, scale=scale, seed=seed)
                except (AssertionError, ProgramFailed) as error:
                    damage.append(f"{name}: {error}")
                else:
                    figures += found
                    damage += [] if delivery.clean else [f"{name}: {delivery}"]
            if "swaps" in chosen:
                figures += swap_pauses(broker, run, run / "models-1", seed=seed, scale=scale)
            if "cost" in chosen:
                figures += exactly_once_cost(broker, run, run / "models-1", seed=seed, scale=scale)
    finally:
        report("chaos", figures if not only else merged(figures), title="Faults on a real broker")
    for line in damage:
        click.echo(f"damage: {line}", err=True)
    sys.exit(1 if damage else 0)


def merged(figures: Sequence[Figure]) -> list[Figure]:
    """The figures of former runs, those that were measured again replaced: a long list may be run in parts."""
    path = REPORTS / "chaos.json"
    former = msgspec.json.decode(path.read_bytes(), type=list[Figure]) if path.is_file() else []
    known = {figure.name: figure for figure in (*former, *figures)}
    return list(known.values())


def write_models(run: Path, versions: int) -> None:
    """So many versions for topics of one partition, and one for topics of two."""
    for partitions, count in ((1, versions), (2, 1)):
        models = run / f"models-{partitions}"
        for version in range(1, count + 1):
            write_bundle(models, version, partitions=partitions)
        serve(models, 1)


def run_fault(
    name: str, broker: LocalBroker, run: Path, *, kills: int, scale: float, seed: int
) -> tuple[list[Figure], DeliveryReport]:
    """One fault on topics of its own, its figures and the delivery."""
    fault, partitions = FAULTS[name]
    scorer = ScorerRun(
        broker.bootstrap_servers,
        f"chaos-{name}",
        run / name,
        run / f"models-{partitions}",
        partitions=partitions,
        seed=seed,
    )
    context = FaultContext(scorer, broker, random.Random(seed), kills=kills, scale=scale)  # noqa: S311 - seeded
    began = time.monotonic()
    try:
        recoveries = fault(context)
        delivery = check_delivery(scorer)
    finally:
        scorer.close()
        broker.resume()
        broker.start()
    doubled = Figure(f"{name}.{'repeated' if name in MAY_DOUBLE else 'doubled'}", delivery.doubled, "records")
    if name in MAY_DOUBLE:
        delivery = replace(delivery, doubled=0)
    click.echo(
        f"{name}: {delivery.inputs} inputs, {delivery.lost} lost, {doubled.value} doubled, {delivery.changed} changed, "
        f"recovered in {[round(r, 1) for r in recoveries]} s, {time.monotonic() - began:.0f} s in all",
        err=True,
    )
    return [
        Figure(f"{name}.lost", delivery.lost, "records"),
        doubled,
        Figure(f"{name}.changed", delivery.changed, "decisions"),
        Figure.of(f"{name}.recovery_s", recoveries, "s"),
        *context.figures,
    ], delivery


if __name__ == "__main__":
    main()
