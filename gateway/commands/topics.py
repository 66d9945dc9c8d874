"""`python -m gateway topics`: the topic that only the gateway writes."""

import click


@click.command("topics")
def topics_command() -> None:
    """Create the topic of dispute notices that give no label; the others are the service's (`service topics`)."""
    from gateway.settings import Settings
    from runtime.kafka.client import Cluster
    from runtime.kafka.topics import Topic, TopicAdmin

    settings = Settings.load()
    topic = Topic(settings.gateway_disputes_topic, 1, settings.replication, {"retention.ms": "-1"})
    for name, what in TopicAdmin(Cluster.of(settings)).create([topic]).items():
        click.echo(f"{name}: {what}")
