"""`make console`: a broker, a scorer, a played shop with open cases, and the analysts' page on them.

`python -m local.analysts [--quick]`, until Ctrl-C. What was learnt and judged is kept in build/console; the broker's
records are not.
"""

import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from local.broker.jars import BrokerUnavailable
from local.broker.local_broker import LocalBroker
from local.demo.outputs import RETENTION_DAYS
from local.first_model import bootstrap
from local.first_model import run_program as run_training
from local.ports import free_port
from local.programs import ProgramFailed, environment, run_program, service_command
from local.service_process import ServiceProcess
from runtime.shutdown import STOP_SIGNALS, signals_call

FOLDER: Final = Path("build/console")
DAYS: Final = 60
USERS: Final = {"mira": "analyst", "tom": "analyst", "lea": "lead", "ada": "admin", "vic": "viewer"}
QUICK_ROOT: Final = "quick-models"


@click.command()
@click.option("--quick", is_flag=True, help="Score by amount alone, with no training: there in half a minute.")
@click.option("--transactions", default=20_000, show_default=True, help="Of the shop.")
@click.option("--port", default=8002, show_default=True, help="Of the pages.")
@click.option("--seed", default=1, show_default=True)
def main(*, quick: bool, transactions: int, port: int, seed: int) -> None:
    """Run everything, print address and log-in, wait for Ctrl-C."""
    stop = threading.Event()
    try:
        models = model(quick=quick)
        with signals_call(stop.set, *STOP_SIGNALS), LocalBroker() as broker:
            settings = stack_settings(broker.bootstrap_servers, models, port)
            with stack(settings) as (service, console):
                play(settings, transactions=transactions, seed=seed)
                password = add_users(settings)
                click.echo(f"\nhttp://127.0.0.1:{port}   log in as {', '.join(USERS)}   password {password}\n")
                while not stop.wait(1.0):
                    broker.check()
                    service.check()
                    console.check()
    except (BrokerUnavailable, ProgramFailed) as error:
        raise click.ClickException(str(error)) from None


def model(*, quick: bool) -> Path:
    """A model directory: the one that is there, or a new one."""
    if not quick:
        models = FOLDER / "models"
        bootstrap(models, FOLDER / "data", transactions=100_000, days=210, labels=1_000, run=run_training)
        return models
    from local.testbed.bundles import serve, write_bundle  # loads TensorFlow

    models = FOLDER / QUICK_ROOT
    if not (models / "serving.json").exists():
        models.mkdir(parents=True, exist_ok=True)
        write_bundle(models, 1, half=3_000.0)
        serve(models, 1)
    return models


def stack_settings(servers: str, models: Path, port: int) -> dict[str, str]:
    """Of all programs of the stack."""
    return {
        "FRAUD_KAFKA_BOOTSTRAP_SERVERS": servers,
        "FRAUD_MODELS_DIR": str(models),
        "FRAUD_SNAPSHOTS_DIR": str(FOLDER / "snapshots"),
        "FRAUD_INSTANCE_ID": "analysts",
        "FRAUD_RETENTION_DAYS": str(RETENTION_DAYS),
        "FRAUD_CONSOLE_DATA_DIR": str(FOLDER / "data-of-console"),
        "FRAUD_CONSOLE_MODELS_DIR": str(models),
        "FRAUD_CONSOLE_PORT": str(port),
    }


@contextmanager
def stack(settings: Mapping[str, str]) -> Iterator[tuple[ServiceProcess, ServiceProcess]]:
    """Scorer and console on fresh topics, ready."""
    for stale in ("snapshots", "data-of-console"):  # of a broker that is gone
        shutil.rmtree(FOLDER / stale, ignore_errors=True)
    own = {name: value for name, value in settings.items() if "_CONSOLE_" not in name}
    service_command(own, "topics")
    run_console(settings, "topics")
    health = free_port()
    with (
        ServiceProcess(own, port=free_port(), log=FOLDER / "service.log") as service,
        ServiceProcess(
            {**settings, "FRAUD_CONSOLE_HTTP_PORT": str(health)},
            port=health,
            log=FOLDER / "console.log",
            program=("console", "run"),
        ) as console,
    ):
        service.ready()
        console.ready()
        yield service, console


def play(settings: Mapping[str, str], *, transactions: int, seed: int) -> None:
    """Sends a shop's payments of the last weeks."""
    start = datetime.now(UTC) - timedelta(days=DAYS)
    run_program(
        "simulator", "--platform", "target", "--to-kafka", "--no-own-fields", "--seed", str(seed),
        "--transactions", str(transactions), "--days", str(DAYS), "--start", start.strftime("%Y-%m-%d"),
        "--bootstrap-servers", settings["FRAUD_KAFKA_BOOTSTRAP_SERVERS"], log=FOLDER / "simulator.log",
    )  # fmt: skip


def add_users(settings: Mapping[str, str]) -> str:
    """One user of each role, and two analysts; their password, new at each start."""
    password = secrets.token_urlsafe(9)
    for name, role in USERS.items():
        run_console(settings, "users", "add", name, "--role", role, "--password-stdin", given=password)
    return password


def run_console(settings: Mapping[str, str], *arguments: str, given: str = "") -> None:
    """Runs `python -m console …` to its end.

    Raises:
        ProgramFailed: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "console", *arguments], env=environment(settings), input=f"{given}\n", text=True,
        check=False, stdout=sys.stderr,
    )  # fmt: skip
    if done.returncode:
        raise ProgramFailed(f"console {arguments[0]} ended with {done.returncode}")


if __name__ == "__main__":
    main(prog_name="python -m local.analysts")
