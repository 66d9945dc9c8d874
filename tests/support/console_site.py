"""A console on topics in memory, its pages called without a network; analysts with names and roles."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from console.accounts.roles import Role
from console.bootstrap import following, make_site
from console.settings import Settings
from console.web.app import application
from console.web.site import Site
from runtime.clock import SystemClock
from tests.support.console_events import TOPICS
from tests.support.memory_topics import MemoryControls, MemoryTopics

PASSWORD = "a long password"  # noqa: S105 - of nobody
HOST = "http://console.test"


class TestClock(SystemClock):
    """The wall clock, and what a test adds to it."""

    __test__ = False

    def __init__(self, topics: MemoryTopics) -> None:
        self._topics = topics

    def now_us(self) -> int:
        """The stamp that topics in memory give."""
        return self._topics.now_us


@dataclass
class Console:
    """A console that runs.

    Attributes:
        topics: what it reads and writes.
        site: its parts.
    """

    topics: MemoryTopics
    site: Site
    clients: list[TestClient] = field(default_factory=list)

    def visitor(self, address: str = "testclient") -> TestClient:
        """A browser that nobody has logged in with."""
        made = TestClient(
            application(self.site), base_url=HOST, follow_redirects=False, client=(address, 50000),
            raise_server_exceptions=False,
        )  # fmt: skip
        self.clients.append(made)
        return made

    def logged_in(self, name: str, role: Role = Role.analyst) -> "Browser":
        """A browser in which somebody is logged in."""
        self.site.accounts.put_user(name, role, PASSWORD)
        client = self.visitor()
        done = client.post("/login", data={"name": name, "password": PASSWORD})
        assert done.status_code == 303, done.text
        return Browser(client)

    def settle(self) -> None:
        """Waits until the projection has read all that is there."""
        for topic, log in list(self.topics.records.items()):
            if log:
                assert self.site.follower.wait_for_control(topic, len(log) - 1, seconds=10)


@dataclass
class Browser:
    """Somebody at work: forms are sent with what their page held."""

    client: TestClient

    def get(self, path: str) -> httpx.Response:
        """A page."""
        answer: httpx.Response = self.client.get(path)
        return answer

    def csrf(self, path: str = "/queue") -> str:
        """The token of a page's forms."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.client.get(path).text)
        assert found is not None
        return found[1]

    def version(self, case_id: str) -> str:
        """The version of a case that its page's forms carry."""
        found = re.search(r'name="version" value="(\d+)"', self.client.get(f"/case/{case_id}").text)
        assert found is not None
        return found[1]

    def act(self, case_id: str, act: str, **fields: object) -> httpx.Response:
        """A form of the case page, as it is now."""
        path = act if act in ("verdict", "snooze", "merge", "assign") else "act"
        form = {"csrf": self.csrf(), "version": self.version(case_id), "act": act, **fields}
        return self._posted(f"/case/{case_id}/{path}", form)

    def send(self, path: str, **fields: object) -> httpx.Response:
        """Any form, with the token."""
        return self._posted(path, {"csrf": self.csrf(), **fields})

    def _posted(self, path: str, form: dict[str, object]) -> httpx.Response:
        answer: httpx.Response = self.client.post(path, data=form)
        return answer


@contextmanager
def console(folder: Path, topics: MemoryTopics, **changes: object) -> Iterator[Console]:
    """A console whose log is followed for as long as the block lasts."""
    settings = Settings.load(
        transactions_topic=TOPICS.transactions, alerts_topic=TOPICS.alerts, decisions_topic=TOPICS.decisions,
        labels_topic=TOPICS.labels, cases_topic=TOPICS.cases, controls_topic=TOPICS.controls,
        models_topic=TOPICS.models, **{"console_data_dir": folder, "console_blind_share": 0.1, **changes},
    )  # fmt: skip
    site = make_site(
        settings, topics.reader(), topics, MemoryControls(topics), past=topics.reader, clock=TestClock(topics),
        registry=CollectorRegistry(),
        draws=random.Random(1),  # noqa: S311 - its first ten draws hand out no blind case
    )  # fmt: skip
    site.accounts._cost = 2  # scrypt's real cost is 0.1 s a log-in
    made = Console(topics, site)
    with following(site.follower):
        made.settle()
        yield made
    site.accounts.close()
