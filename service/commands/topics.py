"""`python -m service topics`: the topics with their configuration."""

import click

from service.commands.console import ready


@click.command("topics")
def topics_command() -> None:
    """Create the topics that are missing, with the right configuration; may be run again."""
    from runtime.kafka.client import Cluster
    from runtime.kafka.topics import TopicAdmin
    from service.topics import wanted_topics

    settings = ready()
    for name, done in TopicAdmin(Cluster.of(settings)).create(wanted_topics(settings)).items():
        click.echo(f"{done:8} {name}")
