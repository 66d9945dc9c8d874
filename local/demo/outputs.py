"""The topics of a demo, and a reader of what the service writes to them, read-committed."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from runtime.kafka.client import Cluster, open_consumer

IDLE_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics of one run; a prefix keeps a run on somebody's broker away from the rest of it."""

    prefix: str = ""

    @property
    def transactions(self) -> str:
        """What the service reads."""
        return f"{self.prefix}payments.transactions.v1"

    @property
    def dlq(self) -> str:
        """What could not be scored."""
        return f"{self.transactions}.dlq"

    @property
    def alerts(self) -> str:
        """The flagged ones."""
        return f"{self.prefix}fraud.alerts.v1"

    @property
    def decisions(self) -> str:
        """One for each that was scored."""
        return f"{self.prefix}fraud.decisions.v1"

    @property
    def labels(self) -> str:
        """What analysts and banks say."""
        return f"{self.prefix}fraud.labels.v1"

    @property
    def models(self) -> str:
        """Promotions and rollbacks."""
        return f"{self.prefix}fraud.models.v1"

    @property
    def controls(self) -> str:
        """Rules, lists, conditions and levers."""
        return f"{self.prefix}fraud.controls.v1"

    @property
    def disputes(self) -> str:
        """Dispute notices that give no label."""
        return f"{self.prefix}fraud.disputes.v1"

    def settings(self) -> dict[str, str]:
        """As settings of the service."""
        kinds = ("transactions", "dlq", "alerts", "decisions", "labels", "models", "controls", "disputes")
        names = {name: getattr(self, name) for name in kinds}
        # Simulated payments bear the dates of their simulation: a topic that keeps less would refuse them.
        group = {"FRAUD_GROUP_ID": f"{self.prefix}fraudstream", "FRAUD_RETENTION_DAYS": str(RETENTION_DAYS)}
        return group | {f"FRAUD_{name.upper()}_TOPIC": topic for name, topic in names.items()}


RETENTION_DAYS: Final = 20_000


class OutputMissing(Exception):  # noqa: N818 - named for what happened
    """Something that went in did not come out in time."""


class DecisionRow(msgspec.Struct):
    """What the demo reads of a decision."""

    transaction_id: str
    score: float
    action: str
    model_version: int


class AlertRow(msgspec.Struct):
    """What the demo reads of an alert."""

    alert_id: str
    transaction_id: str
    score: float
    action: str
    event_time: str
    reasons: list[dict[str, object]]
    transaction: dict[str, object]


@dataclass
class Outputs:
    """Everything that a read-committed consumer has seen so far; filled by one thread, read by another."""

    decisions: list[DecisionRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    dead_letters: list[tuple[str, bytes]] = field(default_factory=list)
    seen_at: dict[str, float] = field(default_factory=dict)
    first: float = 0.0
    last: float = 0.0

    @property
    def count(self) -> int:
        """Input records that have been accounted for: scored, or set aside."""
        return len(self.decisions) + len(self.dead_letters)


class Reader:
    """Reads decisions, alerts and dead letters in the background, each exactly as committed."""

    def __init__(self, bootstrap_servers: str, topics: Topics) -> None:
        self.outputs = Outputs()
        self._topics = {
            topics.decisions: self._decision,
            topics.alerts: self._alert,
            topics.dlq: self._dead_letter,
        }
        self._consumer = open_consumer({**Cluster(bootstrap_servers).config(), "auto_offset_reset": "earliest"})
        self._consumer.subscribe(list(self._topics))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def wait_for(self, count: int, *, check: Callable[[], None], progress: Callable[[int], None]) -> None:
        """Blocks until `count` input records are accounted for, however slowly they come.

        Raises:
            OutputMissing: nothing new came for four minutes.
        """
        seen, since = -1, time.monotonic()
        while self.outputs.count < count:
            check()
            if self.outputs.count != seen:
                seen, since = self.outputs.count, time.monotonic()
                progress(seen)
            elif time.monotonic() - since > IDLE_SECONDS:
                raise OutputMissing(
                    f"{count - seen:,} of {count:,} events neither scored nor set aside after {IDLE_SECONDS:.0f} s"
                )
            time.sleep(0.05)
        progress(count)

    def _run(self) -> None:
        while not self._stop.is_set():
            for partition, records in self._consumer.poll(timeout_ms=100, max_records=5_000).items():
                now = time.monotonic()
                self.outputs.first = self.outputs.first or now
                self.outputs.last = now
                read = self._topics[partition.topic]
                for record in records:
                    read(record.value, record.headers, now)

    def _decision(self, value: bytes, _headers: object, now: float) -> None:
        row = _decision_decoder.decode(value)
        self.outputs.seen_at[row.transaction_id] = now
        self.outputs.decisions.append(row)

    def _alert(self, value: bytes, _headers: object, _now: float) -> None:
        self.outputs.alerts.append(_alert_decoder.decode(value))

    def _dead_letter(self, value: bytes, headers: Iterable[tuple[str, bytes]], _now: float) -> None:
        self.outputs.dead_letters.append((dict(headers)["reason"].decode(), value))


_decision_decoder = msgspec.json.Decoder(DecisionRow)
_alert_decoder = msgspec.json.Decoder(AlertRow)
