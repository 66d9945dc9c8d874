"""Requests of an operator's commands about groups and records."""

from collections.abc import Mapping

from kafka import KafkaAdminClient, TopicPartition

from runtime.kafka.client import Cluster, connect


def committed_positions(cluster: Cluster, group_id: str, topic: str) -> dict[int, int]:
    """The group's committed position in each partition that has one; no membership needed."""
    with cluster.translated("reading the group's offsets"):
        admin = connect(KafkaAdminClient, cluster.config())
        try:
            offsets = admin.list_group_offsets({group_id: None})[group_id]
        finally:
            admin.close()
    return {where.partition: int(found.offset) for where, found in offsets.items() if where.topic == topic}


def delete_before(cluster: Cluster, topic: str, ends: Mapping[int, int]) -> None:
    """Deletes the records before an offset of each partition, for good."""
    with cluster.translated("deleting records"):
        admin = connect(KafkaAdminClient, cluster.config())
        try:
            admin.delete_records({TopicPartition(topic, partition): end for partition, end in ends.items()})
        finally:
            admin.close()
