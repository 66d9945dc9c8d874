"""`python -m console rebuild`: the projection made anew from the log."""

import click

from console.settings import load_settings
from runtime.clock import SystemClock
from runtime.instance_lock import hold_instance_lock
from runtime.kafka.client import Cluster


@click.command("rebuild")
def rebuild_command() -> None:
    """Delete the projection and read it from the log to its end; while the console does not run."""
    from console.bootstrap import projection_file, projection_on, topics_of
    from console.projection.database import digest, open_for_writing, remove
    from console.projection.kafka_log import KafkaReader

    settings = load_settings()
    with hold_instance_lock(settings.console_data_dir, "console"):
        remove(projection_file(settings))
        connection = open_for_writing(projection_file(settings))
        projection = projection_on(settings, connection)
        reader = KafkaReader(Cluster.of(settings), topics_of(settings).all())
        reader.start({})
        clock, count = SystemClock(), 0
        began = clock.monotonic()
        try:
            while (records := reader.poll()) or reader.behind():
                projection.apply(records)
                count += len(records)
            projection.prune()
        finally:
            reader.close()
        click.echo(f"{count:,} records in {clock.monotonic() - began:.1f} s, content {digest(connection)[:16]}")
