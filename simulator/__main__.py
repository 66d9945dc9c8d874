"""`python -m simulator`: a preset's platform to files or to Kafka."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from runtime.shutdown import signals_call
from simulator.config import PRESETS, InvalidSimulation, SimulationConfig, preset

if TYPE_CHECKING:
    from simulator.output.files import Format
    from simulator.simulation import Simulation, Summary


class Refused(click.ClickException):
    """What was asked for cannot be simulated: one line, exit 2."""

    exit_code = 2


@click.command("simulator")
@click.option("--preset", "name", default="positive", show_default=True, help=f"One of {', '.join(PRESETS)}.")
@click.option("--platform", type=click.Choice(["source", "target"]), default="source", show_default=True)
@click.option("--transactions", type=int, default=200_000, show_default=True, help="Payment attempts; outcomes on top.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), default="2025-01-06", show_default=True, help="First day.")
@click.option("--days", type=int, default=120, show_default=True)
@click.option("--base-rate", type=float, help="Share of fraud before the preset's prior shift.")
@click.option("--covariate-shift", type=float, help="Overrides the preset's dial (0..1).")
@click.option("--prior-shift", type=float, help="Overrides the preset's dial (-1..1).")
@click.option("--concept-shift", type=float, help="Overrides the preset's dial (0..1).")
@click.option("--new-pattern-start", type=click.DateTime(["%Y-%m-%d"]), help="Day on which gift-card mules appear.")
@click.option("--new-pattern-share", type=float, help="Their share of the base rate.")
@click.option("--own-fields/--no-own-fields", default=True, show_default=True, help="The shop's own fields.")
@click.option("--leak", is_flag=True, help="One more own field that is filled in after the fact: it tells the label.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for events, labels, truth, platform.toml, meta.json."
)
@click.option("--format", "file_format", type=click.Choice(["parquet", "jsonl"]), default="parquet", show_default=True)
@click.option("--to-kafka", is_flag=True, help="Send the events to Kafka instead of (or besides) --out.")
@click.option("--topic", default="payments.transactions.v1", show_default=True, envvar="FRAUD_TRANSACTIONS_TOPIC")
@click.option("--labels-topic", help="Also send labels as they are received, to this topic.")
@click.option("--bootstrap-servers", envvar="FRAUD_KAFKA_BOOTSTRAP_SERVERS", help="Kafka brokers, host:port.")
@click.option("--rate", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Events/s; 0: full speed.")
@click.option("--resume", is_flag=True, help="Send only what the topics do not hold yet.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def simulate_command(
    *,
    name: str,
    platform: str,
    out: Path | None,
    file_format: "Format",
    to_kafka: bool,
    topic: str,
    labels_topic: str | None,
    bootstrap_servers: str | None,
    rate: float,
    resume: bool,
    as_json: bool,
    **dials: Any,  # noqa: ANN401 - click hands over the dials untyped; `config_of` converts them
) -> None:
    """Simulate an e-commerce platform's payments, with known truth."""
    if out is None and not to_kafka:
        raise Refused("say where the events go: --out DIR, --to-kafka, or both")
    if to_kafka and not bootstrap_servers:
        raise Refused("--to-kafka needs --bootstrap-servers or FRAUD_KAFKA_BOOTSTRAP_SERVERS")
    from simulator.simulation import simulate

    try:
        simulation = simulate(config_of(name, platform, dials))
    except InvalidSimulation as error:
        raise Refused(str(error)) from error
    if out is not None:
        _write(simulation, out, file_format)
    if to_kafka:
        _publish(simulation, str(bootstrap_servers), topic, labels_topic, rate=rate, resume=resume)
    _report(simulation.summary(), as_json=as_json)


def config_of(name: str, platform: str, dials: dict[str, Any]) -> SimulationConfig:
    """The configuration of a preset's platform, with the dials that were given.

    Raises:
        InvalidSimulation: there is no such preset, or a dial is out of range.
    """
    given: dict[str, Any] = {
        key: value.date() if isinstance(value, datetime) else value for key, value in dials.items() if value is not None
    }
    size = {key: given.pop(key) for key in ("transactions", "seed", "start", "days") if key in given}
    source, target = preset(name, source=SimulationConfig(**size))
    return replace(source if platform == "source" else target, **given)


def _write(simulation: "Simulation", out: Path, file_format: "Format") -> None:
    from simulator.output.files import write_simulation

    try:
        with _bar("writing events", len(simulation.log)) as advance:
            write_simulation(simulation, out, file_format=file_format, progress=advance)
    except OSError as error:
        raise click.ClickException(f"cannot write to {out}: {error.strerror or error}") from error


def _publish(
    simulation: "Simulation",
    bootstrap_servers: str,
    topic: str,
    labels_topic: str | None,
    *,
    rate: float,
    resume: bool,
) -> None:
    from kafka.errors import KafkaError

    from simulator.output.publish import DeliveryError, KafkaSink, messages, publish
    from simulator.output.resume import held, known_by, missing

    labels = labels_topic is not None
    try:
        there = held(bootstrap_servers, {topic, labels_topic or topic}) if resume else set()
        done = sum(known_by(message.value) in there for message in messages(simulation, labels=labels)) if there else 0
        click.echo(f"{done:,} records of this shop are in {topic} and its labels; sending the rest", err=True)
        sink = KafkaSink(bootstrap_servers, topic, labels_topic)
        try:
            with _bar(f"sending to {topic}", len(simulation.log) - done) as advance, _stopping() as stop:
                rest = missing(messages(simulation, labels=labels), there)
                sent = publish(rest, sink, rate=rate, progress=advance, sleep=stop.wait, stopped=stop.is_set)
                click.echo(f"{sent:,} records sent{', then told to stop' if stop.is_set() else ''}", err=True)
        finally:
            sink.close()
    except (KafkaError, DeliveryError) as error:
        raise click.ClickException(f"cannot send to Kafka at {bootstrap_servers}, topic {topic}: {error}") from error


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM sets: what was handed to the producer is delivered first."""
    stop = threading.Event()
    with signals_call(stop.set, signal.SIGTERM):
        yield stop


@contextmanager
def _bar(what: str, total: int) -> Iterator[Any]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _report(summary: "Summary", *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(summary.as_dict()))
        return
    table = Table("what", "value", title=f"Platform {summary.platform}, seed {summary.seed}")
    for name, value in summary.as_dict().items():
        if isinstance(value, int) and name != "seed":
            table.add_row(name, f"{value:,}")
    table.add_row("base rate", f"{summary.base_rate:.3%}")
    table.add_row("declined", f"{summary.declined:.2%}")
    best = summary.bayes_average_precision
    table.add_row("Bayes-optimal average precision", "no fraud" if best is None else f"{best:.3f}")
    own = summary.bayes_average_precision_own
    table.add_row("the same, with own fields", "no fraud" if own is None else f"{own:.3f}")
    for pattern, count in summary.by_pattern.items():
        table.add_row(f"  {pattern}", f"{count:,}")
    Console(width=80).print(table)


if __name__ == "__main__":
    simulate_command(prog_name="python -m simulator")
