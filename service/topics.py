"""The topics of the service: which channel goes where, and how each topic shall be."""

from typing import Final

from runtime.kafka.controls_log import controls_topic
from runtime.kafka.topics import DAY_MS, Topic
from service.ports import Channel
from service.settings import Settings

LETTER_BYTES: Final = 2 << 20
"""Largest message of the dead letters' topic: letters hold what the input held, with headers on top."""

MAX_AHEAD_MS: Final = 3_600_000
"""How far a record's timestamp may lie ahead of the broker's clock, ms."""


def output_topics(settings: Settings) -> dict[Channel, str]:
    """The topic of each channel."""
    return {
        Channel.ALERTS: settings.alerts_topic,
        Channel.DECISIONS: settings.decisions_topic,
        Channel.DEAD_LETTERS: settings.dlq_topic,
    }


def wanted_topics(settings: Settings) -> list[Topic]:
    """All topics as they shall be."""
    keep = {"retention.ms": str(settings.retention_days * DAY_MS)}
    dead = {"retention.ms": str(settings.dlq_retention_days * DAY_MS), "max.message.bytes": str(LETTER_BYTES)}
    compact = {"cleanup.policy": "compact"}
    # Of what we read the broker unpacks what comes, and so applies max.message.bytes to what is inside.
    unpacked = {"compression.type": "uncompressed"}
    configs = {
        settings.transactions_topic: {
            **keep,
            **unpacked,
            # Producers choose timestamps. One of the far future would blind a history, which forgets by them.
            "message.timestamp.after.max.ms": str(MAX_AHEAD_MS),
            # One that is older than the retention would be deleted at once anyway.
            "message.timestamp.before.max.ms": keep["retention.ms"],
        },
        settings.alerts_topic: keep,
        settings.decisions_topic: keep | unpacked,
        settings.dlq_topic: dead,
        # When a label became known is for the broker to say: its sender could date it back.
        settings.labels_topic: {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"} | unpacked,
        settings.models_topic: compact,
    }
    topics = [
        Topic(name, settings.platform.partitions, settings.replication, config) for name, config in configs.items()
    ]
    return [*topics, controls_topic(settings.controls_topic, settings.replication)]
