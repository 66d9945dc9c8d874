"""Consoles on topics of their own, and people who work at them as a browser without script would."""

import http.client
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kafka import TopicPartition

from console.accounts.roles import Role
from console.accounts.store import Accounts
from console.commands.topics import cases_topic
from console.settings import Settings
from fraud.contracts.inbound import Label
from local.ports import free_port
from local.programs import ProgramFailed
from local.service_process import ServiceProcess
from runtime.kafka.batch_writer import append
from runtime.kafka.client import Cluster, open_consumer, open_producer
from runtime.kafka.topics import Topic, TopicAdmin

PASSWORD = "a long password"  # noqa: S105 - of nobody
SECONDS = 60.0
CHEAP = 1 << 4
"""Cost of scrypt: what log-ins cost is not what is measured or tested here."""
TOGETHER = 10_000
KINDS = ("transactions", "alerts", "decisions", "labels", "cases", "controls", "models")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; redirects of forms are followed by `Visitor` itself."""

    status: int
    path: str
    text: str

    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's forms: token and version."""
        return dict(re.findall(r'name="(csrf|version)" value="([^"]*)"', self.text))


class Visitor:
    """Somebody at a console.

    Args:
        port: of the console on 127.0.0.1.
        name: who logs in, with `PASSWORD`.
    """

    def __init__(self, port: int, name: str) -> None:
        self.port = port
        self._name = name
        self._cookie = ""
        self._connection: http.client.HTTPConnection | None = None

    def log_in(self) -> Answer:
        """Begins a session."""
        return self.post("/login", name=self._name, password=PASSWORD)

    def get(self, path: str) -> Answer:
        """A page. OSError or HTTPException: the console is away."""
        return self._request("GET", path, None)

    def post(self, path: str, **fields: str) -> Answer:
        """A form, and the page that it leads to; raises as `get`."""
        answer = self._request("POST", path, urllib.parse.urlencode(fields))
        return self.get(answer.path) if answer.status == 303 else answer

    def act(self, case_id: str, path: str, **fields: str) -> Answer:
        """A form of a case's page, as the page is now."""
        return self.post(f"/case/{case_id}/{path}", **self.get(f"/case/{case_id}").hidden(), **fields)

    def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, method: str, path: str, body: str | None) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        given = response.getheader("set-cookie")
        if given and "=" in given.partition(";")[0]:
            self._cookie = given.partition(";")[0]
        return Answer(response.status, response.getheader("location") or path, text)


@dataclass
class ConsoleStack:
    """Topics of one run on a broker, and any number of consoles on them.

    Attributes:
        servers: of the broker.
        folder: for data and logs.
        name: prefix of the topics.
        given: topics that are there already, by the settings that name them.
    """

    servers: str
    folder: Path
    name: str
    given: Mapping[str, str] = field(default_factory=dict)
    _made: list[ServiceProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = Cluster(self.servers)
        own = {f"{kind}_topic": f"{self.name}.{kind}" for kind in KINDS}
        self.topics = own | {kind: topic for kind, topic in self.given.items() if kind in own}
        plain = [Topic(topic, 1, 1) for kind, topic in self.topics.items() if kind not in {"cases_topic", *self.given}]
        TopicAdmin(self.cluster).create([*plain, cases_topic(Settings(**self.topics))])  # type: ignore[arg-type] # pydantic validates

    def send(self, kind: str, *values: bytes) -> None:
        """Appends records to the topic of a kind; returns once the broker has them."""
        place = TopicPartition(self.topics[f"{kind}_topic"], 0)
        producer = open_producer({**self.cluster.config(), "linger_ms": 20, "batch_size": 1_000_000})
        try:
            producer.partitions_for(place.topic)
            for first in range(0, len(values), TOGETHER):
                share = values[first : first + TOGETHER]
                sent = append(producer, place, [b"k"] * len(share), share)
                producer.flush()
                if not all(future.is_done and future.succeeded() for future in sent):
                    raise ProgramFailed(f"records were not taken into {place.topic}")
        finally:
            producer.close()

    def read(self, kind: str) -> list[bytes]:
        """All records of a topic, in order."""
        consumer = open_consumer(
            {**self.cluster.config(), "auto_offset_reset": "earliest", "consumer_timeout_ms": 3_000}
        )
        consumer.subscribe([self.topics[f"{kind}_topic"]])
        found = [record.value for record in consumer]
        consumer.close()
        return found

    def labels(self) -> list[Label]:
        """Those that are there."""
        return [Label.model_validate_json(value) for value in self.read("labels")]

    def console(self, name: str, users: dict[str, str], **settings: str) -> tuple[ServiceProcess, int]:
        """One more console, started, and the port of its pages; `users` are name and role."""
        port, health = free_port(), free_port()
        values = {f"FRAUD_{kind.upper()}": topic for kind, topic in self.topics.items()} | {
            "FRAUD_KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "FRAUD_CONSOLE_DATA_DIR": str(self.folder / name),
            "FRAUD_CONSOLE_PORT": str(port),
            "FRAUD_CONSOLE_HTTP_PORT": str(health),
            **{f"FRAUD_CONSOLE_{key.upper()}": value for key, value in settings.items()},
        }
        accounts = Accounts(self.folder / name / "accounts.db", cost=CHEAP)
        for user, role in users.items():
            accounts.put_user(user, Role[role], PASSWORD)
        accounts.close()
        process = ServiceProcess(values, port=health, log=self.folder / f"{name}.log", program=("console", "run"))
        self._made.append(process)
        process.start()
        return process, port

    def close(self) -> None:
        """Makes sure that nothing is left running."""
        for process in self._made:
            process.close()
