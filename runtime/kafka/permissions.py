"""Permissions of this client, as the broker reports them with its metadata."""

from collections.abc import Iterable, Sequence

from kafka import KafkaAdminClient

from runtime.kafka.client import Cluster, connect


def missing_permissions(cluster: Cluster, *, read: Sequence[str], write: Sequence[str], group: str) -> list[str]:
    """One line for each thing that is not allowed; empty where all is, or where the broker has no access control."""
    with cluster.translated("asking for permissions"):
        admin = connect(KafkaAdminClient, cluster.config())
        try:
            topics = {topic["name"]: topic for topic in admin.describe_topics([*read, *write])}
            groups = admin.describe_groups([group])
        finally:
            admin.close()
    wanted = [(name, "READ") for name in read] + [(name, "WRITE") for name in write]
    missing = [f"{op} on topic {name} is not allowed" for name, op in wanted if not _allows(topics.get(name, {}), op)]
    described = groups.get(group, {}) if isinstance(groups, dict) else {}
    if not _allows(described, "READ"):
        missing.append(f"READ on group {group} is not allowed")
    return missing


def _allows(described: object, operation: str) -> bool:
    operations = described.get("authorized_operations") if isinstance(described, dict) else None
    if not isinstance(operations, Iterable) or not operations:
        return True
    return any(operation in str(item).upper() or str(item).upper().endswith("ALL") for item in operations)
