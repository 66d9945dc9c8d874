"""A gateway before a scorer's run: its keys, its journal, its process; and what became of what it accepted."""

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.keys import KeyFile, Scope, new_key
from local.ports import free_port
from local.service_process import ServiceProcess
from local.testbed.scorer_run import ScorerRun
from service.adapters.kafka.group import Reader


@dataclass
class GatewayRun:
    """One gateway; started and killed as often as one likes, with the same journal.

    Attributes:
        scorer: whose topics it uses.
        folder: for its files.
        settings: lower-case names without prefix.
    """

    scorer: ScorerRun
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _made: list[ServiceProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keys = KeyFile(self.folder / "keys.json")
        self.key = self.key_of("shop-1")
        self.disputes = self.scorer.names["disputes_topic"]
        names = {name: value for name, value in self.scorer.names.items() if name in _TOPICS}
        values = {
            **names,
            "kafka_bootstrap_servers": self.scorer.servers,
            "platform_file": str(self.scorer.platform_file),
            "gateway_port": str(self.port),
            "gateway_keys_file": str(self.folder / "keys.json"),
            "gateway_journal": str(self.folder / "journal.db"),
            "gateway_rate": "100000",
            **self.settings,
        }
        self.variables = {f"FRAUD_{name.upper()}": value for name, value in values.items()}

    def key_of(self, shop: str, *, rate: float | None = None) -> str:
        """A new key of a shop that may do everything."""
        text, key = new_key(shop, Scope, now=datetime.now(UTC), rate=rate)
        self.keys.save([*self.keys.load(), key])
        return text

    def process(self, *, program: tuple[str, ...] = ("gateway", "run")) -> ServiceProcess:
        """A new process, not yet started."""
        log = self.folder / f"gateway-{len(self._made)}.log"
        made = ServiceProcess(self.variables, port=free_port(), log=log, program=program)
        self._made.append(made)
        return made

    def close(self) -> None:
        """Makes sure that nothing is left running."""
        for one in self._made:
            one.close()

    def decisions(self) -> dict[str, list[dict[str, object]]]:
        """Every committed decision, by transaction."""
        found: dict[str, list[dict[str, object]]] = {}
        for value in self._read(self.scorer.names["decisions_topic"]):
            decision = msgspec.json.decode(value, type=dict[str, object])
            found.setdefault(str(decision["transaction_id"]), []).append(decision)
        return found

    def sent(self) -> Counter[str]:
        """How often each transaction stands in the input."""
        values = self._read(self.scorer.names["transactions_topic"])
        events = (msgspec.json.decode(value, type=dict[str, object]) for value in values)
        return Counter(str(event["transaction_id"]) for event in events if event["type"] == "transaction")

    def _read(self, topic: str) -> list[bytes]:
        with closing(Reader(self.scorer.cluster, topic)) as reader:
            return [
                value or b""
                for partition in reader.partitions()
                for records in reader.replay(partition, *reader.bounds(partition))
                for value in records.values
            ]


_TOPICS = ("transactions_topic", "alerts_topic", "decisions_topic", "dlq_topic", "labels_topic", "disputes_topic")


def payments(count: int, *, prefix: str, seed: int = 0) -> list[bytes]:
    """Payments of now, as a shop sends them; one in fifty is large enough to be flagged."""
    draw = random.Random(seed)  # noqa: S311 - seeded
    now = datetime.now(UTC).isoformat()
    return [
        msgspec.json.encode(
            {
                "type": "transaction",
                "schema_version": "1.0",
                "transaction_id": f"{prefix}-{number}",
                "event_time": now,
                "customer_id": f"c{draw.randrange(5_000)}",
                "amount": "900.00" if draw.random() < 0.02 else f"{draw.randrange(1, 90)}.{draw.randrange(100):02}",
                "currency": "EUR",
                "card_id": f"card-{draw.randrange(6_000)}",
                "device_id": f"d{draw.randrange(3_000)}",
                "ip": f"192.0.2.{draw.randrange(200)}",
                "email_hash": f"e{draw.randrange(5_000)}",
                "merchant_id": f"m{draw.randrange(20)}",
                "billing_country": "FR",
            }
        )
        for number in range(count)
    ]
