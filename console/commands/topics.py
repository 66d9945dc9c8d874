"""`python -m console topics`: the topic of cases, as it shall be."""

import click

from console.settings import Settings, load_settings
from runtime.kafka.client import Cluster
from runtime.kafka.topics import Topic, TopicAdmin


def cases_topic(settings: Settings) -> Topic:
    """One partition: all cases have one order. Kept for ever, and stamped by the broker, whose clock ends claims."""
    config = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
    return Topic(settings.cases_topic, 1, settings.replication, config)


@click.command("topics")
def topics_command() -> None:
    """Create the topic of cases, or set its configuration."""
    settings = load_settings()
    for name, done in TopicAdmin(Cluster.of(settings)).create([cases_topic(settings)]).items():
        click.echo(f"{name}: {done}")
