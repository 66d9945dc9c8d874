"""`make demo`: pre-train, adapt, serve, stream, read the alerts, compare with the truth; then let the loop adapt."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.broker.address import KafkaAddress, ask
from local.broker.jars import BrokerUnavailable
from local.broker.local_broker import LocalBroker
from local.demo.claims import ClaimFailed, DemoReport, demo_report
from local.demo.outputs import OutputMissing, Outputs, Reader, Topics
from local.demo.platforms import Target, among, cut, messages
from local.load import send
from local.ports import free_port
from local.programs import ProgramFailed, run_program, service_command
from local.service_process import ServiceProcess
from simulator.output.malformed import malformed
from training.modelling import strategies
from training.process import prepare_libraries

FOLDER: Final = Path("build/demo")
START: Final = datetime(2025, 1, 6, tzinfo=UTC)
HISTORY_DAYS: Final = 30
MALFORMED: Final = 200
PACED_SECONDS: Final = 10
PACED_RATE: Final = 500.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; the quick demo does the same with less data."""

    source_transactions: int
    target_transactions: int
    days: int
    go_live_day: int
    labels: int
    max_source_rows: int
    teachers: int


QUICK: Final = Size(100_000, 100_000, 210, 150, 1_000, 40_000, 1)
FULL: Final = Size(200_000, 200_000, 240, 180, 1_000, 80_000, 1)

console = Console(stderr=True, width=120)


@click.command()
@click.option("--quick", is_flag=True, help="Less data, and without the new pattern.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--bootstrap-servers", envvar="FRAUD_KAFKA_BOOTSTRAP_SERVERS", help="Use that broker, not one of our own."
)
def main(*, quick: bool, seed: int, bootstrap_servers: str | None) -> None:
    """Run the whole demo on a local broker; the last line on standard output is one JSON object."""
    size = QUICK if quick else FULL
    try:
        with a_broker(bootstrap_servers) as (broker, topics):
            console.print(f"Kafka {broker.version} at {broker.bootstrap_servers}")
            target = prepare(size, seed)
            outputs, report = serve(broker.bootstrap_servers, topics, target, seed)
            show(outputs, report)
            summary = report.as_dict()
            if not quick:
                prepare_libraries()
                from local.demo.new_pattern import run_new_pattern  # loads TensorFlow

                at = broker.bootstrap_servers
                summary |= run_new_pattern(
                    at, topics, folder=FOLDER, bases=FOLDER / "models", console=console
                ).as_dict()
            click.echo(json.dumps(summary))
    except (BrokerUnavailable, ProgramFailed, OutputMissing, ClaimFailed) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def a_broker(bootstrap_servers: str | None) -> Iterator[tuple[KafkaAddress, Topics]]:
    """The given broker with topics of this run's own, or a new broker with the usual ones."""
    if bootstrap_servers:
        yield ask(bootstrap_servers), Topics(prefix=f"demo-{uuid.uuid4().hex[:8]}.")
        return
    with LocalBroker() as broker:
        yield KafkaAddress(broker.bootstrap_servers, broker.version), Topics()


def prepare(size: Size, seed: int) -> Target:
    """Simulates two platforms, pre-trains on the source, adapts to the target with few labels, promotes."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    models, log = FOLDER / "models", FOLDER / "training.log"
    for platform, count in (("source", size.source_transactions), ("target", size.target_transactions)):
        with console.status(f"simulating {count:,} transactions of the {platform} platform"):
            size_options = ["--platform", platform, "--transactions", str(count), "--days", str(size.days)]
            made = run_program(
                "simulator",
                *size_options,
                "--no-own-fields",
                "--seed",
                str(seed),
                "--out",
                str(FOLDER / platform),
                log=log,
            )
        console.print(f"{platform}: {count:,} transactions, {made['frauds']} frauds")
    target = cut(FOLDER / "target", go_live=START + timedelta(days=size.go_live_day), history_days=HISTORY_DAYS)
    limit = ["--models", str(models), "--seed", str(seed)]
    with console.status("pre-training on the source platform"):
        sources = [
            "--source",
            str(FOLDER / "source" / "events.parquet"),
            "--max-source-rows",
            str(size.max_source_rows),
        ]
        base = run_program("training", "pretrain", *sources, "--teachers", str(size.teachers), *limit, log=log)
    console.print(f"pre-trained base {base['version']}")
    with console.status(f"adapting to the target with {size.labels:,} labels"):
        # The loop's own strategy: one small net, a third of the time of the stack.
        wanted = ["--labels", str(size.labels), "--from", str(base["version"]), "--strategy", strategies.QUICK]
        adapted = run_program(
            "training", "adapt", "--target", str(target.past / "events.parquet"), *wanted, *limit, log=log
        )
    run_program("training", "promote", "--version", str(adapted["version"]), "--models", str(models), log=log)
    console.print(f"adapted, promoted version {adapted['version']}")
    return target


def serve(bootstrap_servers: str, topics: Topics, target: Target, seed: int) -> tuple[Outputs, DemoReport]:
    """Streams the target through the service: a backlog at full speed, then live and steady with bad input among it."""
    environment = {
        "FRAUD_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "FRAUD_MODELS_DIR": str(FOLDER / "models"),
        "FRAUD_SNAPSHOTS_DIR": str(FOLDER / "snapshots"),
        "FRAUD_INSTANCE_ID": f"{topics.prefix}demo",
        **topics.settings(),
    }
    service_command(environment, "topics")
    paced = int(PACED_SECONDS * PACED_RATE)
    backlog = [*messages(target.history), *messages(target.live.slice(0, len(target.live) - paced))]
    steady = list(among(messages(target.live.slice(len(target.live) - paced)), malformed(seed, MALFORMED), every=20))
    with console.status(f"sending a backlog of {len(backlog):,} events"):
        send(bootstrap_servers, topics.transactions, backlog)
    with (
        Reader(bootstrap_servers, topics) as reader,
        ServiceProcess(environment, port=free_port(), log=FOLDER / "service.log") as service,
    ):
        console.print(f"service ready after {service.ready():.1f} s at {service.url}")
        outputs, sent = reader.outputs, sum(message.counts for message in backlog)
        with bar("scoring the backlog", sent) as progress:
            reader.wait_for(sent, check=service.check, progress=progress)
        events_per_second = len(backlog) / (outputs.last - outputs.first)
        sent += sum(message.counts for message in steady)
        with ThreadPoolExecutor(1) as pool, bar(f"live, {PACED_RATE:.0f} events/s", sent) as progress:
            sending = pool.submit(send, bootstrap_servers, topics.transactions, steady, rate=PACED_RATE)
            reader.wait_for(sent, check=service.check, progress=progress)
            due = sending.result()
        check_metrics(service.get("/metrics"), outputs)
    latencies = np.array([1e3 * (outputs.seen_at[name] - at) for name, at in due.items()])
    report = demo_report(
        sent=sent,
        malformed=MALFORMED,
        outputs=outputs,
        truth=target.truth,
        judged=set(target.live["transaction_id"].to_pylist()),
        latencies_ms=latencies,
        events_per_second=events_per_second,
    )
    return outputs, report


def check_metrics(text: str, outputs: Outputs) -> None:
    """Compares what `/metrics` says with what came out.

    Raises:
        ClaimFailed: they differ.
    """
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    for metric, seen in (
        ("fraud_transactions_total", len(outputs.decisions)),
        ("fraud_alerts_total", len(outputs.alerts)),
        ("fraud_dead_letters_total", len(outputs.dead_letters)),
    ):
        counted = sum(sample.value for sample in samples if sample.name == metric)
        if counted != seen:
            raise ClaimFailed(f"/metrics says {metric} = {counted:,.0f}, but {seen:,} came out")


def show(outputs: Outputs, report: DemoReport) -> None:
    """Prints one alert as an analyst sees it, and the table."""
    alert = max(outputs.alerts, key=lambda row: row.score)
    console.print(f"the riskiest alert: {alert.transaction_id}, score {alert.score:.3f} → {alert.action}")
    for reason in alert.reasons:
        console.print(f"  · {reason['text']}")
    table = Table("what", "value", title="the target platform, from its first live day")
    for name, value in report.as_dict().items():
        # Shares to three decimals; counts, milliseconds and rates as whole numbers.
        table.add_row(name, f"{value:,.3f}" if isinstance(value, float) and value < 1 else f"{value:,.0f}")
    Console(width=120).print(table)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on the terminal; yields the function that moves it to a count."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.update(task, completed=count)


if __name__ == "__main__":
    main(prog_name="python -m local.demo")
