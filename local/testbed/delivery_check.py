"""The outputs that a read-committed consumer saw against those of an undisturbed run over the same log."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from fraud.features.encoder import SPEC
from fraud.history.history import History, HistoryConfig
from local.testbed.bundles import AmountModel
from local.testbed.scorer_run import SECRET, ScorerRun
from runtime.clock import SystemClock
from service.adapters.kafka.group import Reader
from service.bootstrap import Domain, build_pipeline
from service.ports import Channel, Models, Records
from service.settings import Settings

Key = tuple[str, str]
"""Channel, and what names one message of it: a transaction's id, or where a dead letter came from."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How the outputs differ from what they should be.

    Attributes:
        inputs: records of the input.
        lost: outputs that are missing.
        doubled: outputs that came more than once, or for nothing.
        changed: decisions whose features differ from an undisturbed run's.
    """

    inputs: int
    lost: int
    doubled: int
    changed: int

    @property
    def clean(self) -> bool:
        """Whether everything is as if nothing had happened."""
        return not (self.lost or self.doubled or self.changed)


def check_delivery(scorer: ScorerRun) -> DeliveryReport:
    """Reads everything of a run, once its services have caught up and stopped."""
    source = [
        (partition, list(_read(scorer, scorer.names["transactions_topic"], partition)))
        for partition in range(scorer.partitions)
    ]
    wanted, crcs = _undisturbed(scorer, source)
    got, found_crcs = _written(scorer)
    missing, surplus = wanted - got, got - wanted
    return DeliveryReport(
        inputs=sum(len(records) for _, parts in source for records in parts),
        lost=missing.total(),
        doubled=surplus.total(),
        changed=sum(crcs[name] != crc for name, crc in found_crcs if name in crcs),
    )


def _undisturbed(
    scorer: ScorerRun, source: Iterable[tuple[int, Sequence[Records]]]
) -> tuple[Counter[Key], dict[str, int]]:
    """Outputs and features of one run over the whole log, in batches of the fetches' own sizes."""
    settings = Settings(**scorer.names, platform_file=scorer.platform_file, secret=SECRET, deadletter_cap="off")  # type: ignore[arg-type]
    pipeline = build_pipeline(settings, Domain(SPEC, HistoryConfig()), SystemClock().monotonic)
    models = Models(AmountModel())
    outputs: Counter[Key] = Counter()
    crcs: dict[str, int] = {}
    for partition, parts in source:
        pipeline.adopt(partition, History(HistoryConfig()), None)
        for records in parts:
            for output in pipeline.process([records], models, 0).outputs:
                for messages in output.messages:
                    headers = messages.headers or [[]] * len(messages)
                    for value, header in zip(messages.values, headers, strict=True):
                        outputs[_key(messages.channel, value, header)] += 1
                        if messages.channel is Channel.DECISIONS:
                            decision = msgspec.json.decode(value)
                            crcs[decision["transaction_id"]] = decision["features_crc"]
    return outputs, crcs


def _written(scorer: ScorerRun) -> tuple[Counter[Key], list[tuple[str, int]]]:
    outputs: Counter[Key] = Counter()
    crcs: list[tuple[str, int]] = []
    topics = {Channel.ALERTS: "alerts_topic", Channel.DECISIONS: "decisions_topic", Channel.DEAD_LETTERS: "dlq_topic"}
    for channel, name in topics.items():
        for partition in range(scorer.partitions):
            for records in _read(scorer, scorer.names[name], partition):
                for value, header in zip(records.values, records.headers, strict=True):
                    outputs[_key(channel, value or b"", header)] += 1
                    if channel is Channel.DECISIONS:
                        decision = msgspec.json.decode(value or b"")
                        crcs.append((decision["transaction_id"], decision["features_crc"]))
    return outputs, crcs


def _key(channel: Channel, value: bytes, headers: Iterable[tuple[str, bytes]]) -> Key:
    if channel is Channel.DEAD_LETTERS:
        said = dict(headers)
        return channel.value, f"{said['source_partition'].decode()}/{said['source_offset'].decode()}"
    return channel.value, str(msgspec.json.decode(value)["transaction_id"])


def _read(scorer: ScorerRun, topic: str, partition: int) -> Iterable[Records]:
    reader = Reader(scorer.cluster, topic)
    try:
        yield from reader.replay(partition, *reader.bounds(partition))
    finally:
        reader.close()
