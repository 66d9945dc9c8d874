"""Everything that could keep the service from working, one line a finding."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fraud.history.history import most_bytes
from fraud.models.bundle import InvalidBundle, Manifest, verify
from fraud.models.serving import serving_slot, version_path
from runtime.errors import ServiceError
from runtime.kafka.client import Cluster
from runtime.kafka.permissions import missing_permissions
from runtime.kafka.private_parts import check_private_parts
from runtime.kafka.topics import DAY_MS, TopicAdmin, TopicState
from runtime.key_file import KEY_FILE
from runtime.settings import revealed
from service.bootstrap import Domain, domain
from service.operations.memory_bound import GIB, PROGRAM, most_memory
from service.settings import Settings
from service.topics import LETTER_BYTES, MAX_AHEAD_MS, output_topics

LEAST_MESSAGE_BYTES = 1_048_588
"""Kafka's own default; the service fills its requests up to just below."""


LONGEST_MS = 100 * 365 * DAY_MS
"""Anything at all in place of Kafka's default, which is no limit."""

TOPICS = "run python -m service topics"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Literal["ok", "warning", "error"]
    subject: str
    text: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Everything that was looked at, in the order in which one would mend it.

    Raises:
        Misconfigured: the client library is another than this program is written for.
    """
    code = domain(settings)
    yield from _settings(settings)
    yield from _platform(settings)
    yield _memory(settings, code)
    yield _client()
    yield from _kafka(settings, code)
    yield from _bundle(settings, code)
    yield _folder(settings.snapshots_dir)


def _settings(settings: Settings) -> Iterator[Finding]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None and name in settings.model_fields_set:
            yield Finding("ok", "setting", f"FRAUD_{name.upper()} = {value}")
    if settings.secret is None:
        yield Finding(
            "warning",
            "secret",
            f"FRAUD_SECRET is not set: card numbers get tokens by the key in {settings.snapshots_dir / KEY_FILE}, "
            "which the trainer does not share, and logs name no one; `openssl rand -hex 32` makes a secret",
        )
    if not settings.deadletter_cap:
        yield Finding("warning", "dead letters", "FRAUD_DEADLETTER_CAP is off: a bad deploy would drain the topic")


def _platform(settings: Settings) -> Iterator[Finding]:
    platform, rates = settings.platform, settings.declared.rates
    kinds = Counter(str(field.kind) for field in platform.fields.values())
    fields = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
    yield Finding(
        "ok",
        "platform",
        f"{platform.name}: {platform.partitions} partition(s), {platform.stage}, own fields: {fields}",
    )
    source = platform.rates or "built-in table"
    yield Finding("ok", "rates", f"{len(rates.codes)} currencies into {rates.base} ({source})")


def _memory(settings: Settings, code: Domain) -> Finding:
    partitions = settings.platform.partitions
    most = most_memory(code.config, partitions)
    history = most_bytes(code.config) / GIB
    text = (
        f"at most {most / GIB:.1f} GiB with all {partitions} partition(s): {PROGRAM / GIB:g} for the program, "
        f"twice {history:.2f} for each history, while a snapshot is written"
    )
    return Finding("ok", "memory", text)


def _client() -> Finding:
    return Finding("ok", "client", f"kafka-python {check_private_parts()} has the parts that are used of it")


def _kafka(settings: Settings, code: Domain) -> Iterator[Finding]:
    where = Cluster.of(settings)
    try:
        admin = TopicAdmin(where)
        yield Finding("ok", "broker", f"Kafka {admin.version()} at {where.servers}")
        outputs = output_topics(settings).values()
        names = [settings.transactions_topic, settings.controls_topic, *outputs, settings.labels_topic]
        states = admin.describe(names)
        for name in names:
            yield from _topic(settings, name, states.get(name), code)
        yield from _permissions(settings, where)
    except ServiceError as error:
        yield Finding("error", "broker", str(error))


def _topic(settings: Settings, name: str, state: TopicState | None, code: Domain) -> Iterator[Finding]:
    if state is None:
        yield Finding("error", "topic", f"{name} does not exist: run python -m service topics")
        return
    yield Finding("ok", "topic", f"{name} has {state.partitions} partition(s)")
    if name in {settings.transactions_topic, settings.decisions_topic, settings.labels_topic}:  # ours to read
        yield from _set(name, state, "compression.type", "uncompressed", "a small message could unpack to a huge one")
    if name == settings.controls_topic:
        yield from _controls(name, state)
        return
    if name == settings.labels_topic:
        yield from _set(name, state, "message.timestamp.type", "LogAppendTime", "labels could be dated back")
        return
    if name != settings.transactions_topic:
        least = LETTER_BYTES if name == settings.dlq_topic else LEAST_MESSAGE_BYTES
        most = int(state.config.get("max.message.bytes", LEAST_MESSAGE_BYTES))
        if most < least:
            yield Finding("error", "topic", f"{name} takes {most} bytes at once; max.message.bytes must be {least}")
        return
    yield from _input(settings, name, state, code)


def _controls(name: str, state: TopicState) -> Iterator[Finding]:
    lost = "rules would come and go with the age of their records"
    yield from _set(name, state, "retention.ms", "-1", lost)
    yield from _set(name, state, "cleanup.policy", "delete", lost)
    if state.partitions != 1:
        yield Finding("error", "topic", f"{name} has {state.partitions} partitions and needs 1")


def _input(settings: Settings, name: str, state: TopicState, code: Domain) -> Iterator[Finding]:
    yield from _bounded(name, state, "after", MAX_AHEAD_MS, "one record of the future would blind a history")
    yield from _bounded(name, state, "before", LONGEST_MS, "a record could bear any time of the past")
    if state.partitions != settings.platform.partitions:
        yield Finding(
            "error",
            "topic",
            f"{name} has {state.partitions} partitions, the platform declares {settings.platform.partitions}",
        )
    horizon = code.config.horizon_days
    if 0 <= state.retention_ms < horizon * DAY_MS:
        yield Finding(
            "warning",
            "retention",
            f"{name} keeps {state.retention_ms / DAY_MS:.1f} days, histories reach back {horizon}: without a snapshot "
            "they start incomplete",
        )
    else:
        yield Finding("ok", "retention", f"{name} keeps the {horizon} days that histories reach back")


def _set(name: str, state: TopicState, key: str, wanted: str, why: str) -> Iterator[Finding]:
    found = state.config.get(key)
    if found != wanted:
        yield Finding("error", "topic", f"{name} has {key}={found}, must be {wanted}, else {why}: {TOPICS}")


def _bounded(name: str, state: TopicState, side: str, most: int, why: str) -> Iterator[Finding]:
    key = f"message.timestamp.{side}.max.ms"
    found = state.config.get(key)
    if found is None or int(found) > most:
        yield Finding("error", "topic", f"{name} has {key}={found}, must be {most} at most, else {why}: {TOPICS}")


def _permissions(settings: Settings, where: Cluster) -> Iterator[Finding]:
    missing = missing_permissions(
        where,
        read=[settings.transactions_topic, settings.controls_topic],
        write=list(output_topics(settings).values()),
        group=settings.group_id,
    )
    for text in missing:
        yield Finding("error", "permission", text)
    if not missing:
        yield Finding("ok", "permission", "may read the input, write the outputs and use the group")


def _bundle(settings: Settings, code: Domain) -> Iterator[Finding]:
    root = settings.models_dir
    try:
        slot = serving_slot(root, code.features_fingerprint, settings.platform)
        yield _version(settings, code, version_path(root, slot.champion, blessed=True), role="champion")
        if slot.shadow is not None:
            yield _version(settings, code, version_path(root, slot.shadow, blessed=False), role="shadow")
    except InvalidBundle as error:
        yield Finding("error", "model", str(error))


def _version(settings: Settings, code: Domain, path: Path, *, role: str) -> Finding:
    manifest: Manifest = verify(
        path,
        features_fingerprint=code.features_fingerprint,
        partitions=settings.platform.partitions,
        stage=settings.platform.stage,
        require_blessing=role == "champion",
        key=revealed(settings.bundle_key),
    )
    if mismatch := manifest.platform.mismatch(settings.platform):
        return Finding("error", "model", f"{path} was made for {mismatch}")
    return Finding("ok", "model", f"{role} {manifest.version} ({manifest.strategy}, {manifest.created_at}) at {path}")


def _folder(path: Path) -> Finding:
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return Finding("error", "snapshots", f"{path} cannot be written: set FRAUD_SNAPSHOTS_DIR")
    return Finding("ok", "snapshots", f"{path} can be written")
