"""Run one local broker in the foreground: ``python -m local.broker [--port N] [--storage DIR]``."""

import sys
import threading
from pathlib import Path

import click

from local.broker.jars import BrokerUnavailable
from local.broker.local_broker import LocalBroker
from runtime.shutdown import STOP_SIGNALS, signals_call


@click.command()
@click.option("--port", default=9092, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--storage", type=click.Path(path_type=Path, file_okay=False), help="Keep data here [temporary].")
def main(port: int, storage: Path | None) -> None:
    """Run Apache Kafka until Ctrl-C; the one line on standard output names where and which."""
    stop = threading.Event()
    try:
        with signals_call(stop.set, *STOP_SIGNALS), LocalBroker(port=port, storage=storage) as broker:
            click.echo(f"bootstrap_servers={broker.bootstrap_servers} version={broker.version}")
            while not stop.wait(1.0):
                broker.check()
    except BrokerUnavailable as error:
        click.echo(f"kafka: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
