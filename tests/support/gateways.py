"""A whole gateway but for Kafka: a scorer of its own takes what is sent and says what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from prometheus_client import CollectorRegistry

from fraud.money import Rates
from gateway import entries as kept
from gateway.checkout.admission import Admission
from gateway.checkout.checkout import Checkout
from gateway.checkout.fallback import Fallback
from gateway.disputes.secrets import Secret
from gateway.http.app import create_app
from gateway.http.context import Deadlines, Gateway, Topics
from gateway.http.openapi import documents
from gateway.journal import Journal
from gateway.keys import KeyFile, Scope, new_key
from gateway.limits import RateLimits
from gateway.messages import AlertIn, DeadLetterIn, DecisionIn, Reason, Seen, Source
from gateway.metrics import Metrics
from local.testbed.events import transaction
from runtime.clock import SystemClock
from runtime.kafka.delivery import Outgoing, Placed

NOW = datetime(2026, 1, 5, 10, 0, 1, tzinfo=UTC)


class FixedClock(SystemClock):
    """Wall time that stands still, and real seconds unless they stand still too."""

    def __init__(self, *, still: bool) -> None:
        self._still = still

    def now_us(self) -> int:
        return int(NOW.timestamp() * 1e6)

    def monotonic(self) -> float:
        return 0.0 if self._still else super().monotonic()


class Scorer:
    """Takes messages as Kafka would and decides payments: 900.00 is blocked with an alert, the rest allowed.

    Attributes:
        silent: takes them and says nothing.
        away: does not even take them.
        sent: all that was taken.
        refuses: ids that become dead letters.
    """

    def __init__(self) -> None:
        self.silent = False
        self.away = False
        self.sent: list[Outgoing] = []
        self.refuses: set[str] = set()
        self.checkout: Checkout

    def send(self, _generation: int, messages: Sequence[Outgoing]) -> None:
        if not self.away:
            asyncio.get_running_loop().call_soon(self._take, list(messages))

    def _take(self, messages: Sequence[Outgoing]) -> None:
        seen: list[Seen] = []
        for message in messages:
            place = Placed(message.number, 0, len(self.sent))
            self.sent.append(message)
            self.checkout.placed([place])
            seen += self.say(message, place.offset)
        if not self.silent:
            self.checkout.seen(seen, {})

    def say(self, message: Outgoing, offset: int) -> list[Seen]:
        event = msgspec.json.decode(message.value)
        if event.get("type") != "transaction":
            return []
        source = Source(0, offset)
        if event["transaction_id"] in self.refuses:
            return [DeadLetterIn(source, "conflict", "seen with other content")]
        flagged = event["amount"] == "900.00"
        decision = DecisionIn(
            event["transaction_id"], "block" if flagged else "allow", "block" if flagged else "allow", 0.9, 0.5, 3,
            "p1", NOW.isoformat(), source, alert_id="a1" if flagged else None, controls_offset=7,
        )  # fmt: skip
        alert = AlertIn(source, "high", (Reason("amount", "a large amount", 2.0),))
        return [alert, decision] if flagged else [decision]

    @property
    def ids(self) -> list[str]:
        """Of the payments taken."""
        events = [msgspec.json.decode(message.value) for message in self.sent]
        return [event["transaction_id"] for event in events if event.get("type") == "transaction"]


class Shop:
    """A gateway that a test talks to over HTTP."""

    def __init__(self, gateway: Gateway, scorer: Scorer, http: httpx.AsyncClient, key: str, keys: KeyFile) -> None:
        self.gateway = gateway
        self.scorer = scorer
        self.http = http
        self.key = key
        self.keys = keys

    def key_of(self, shop: str, *scopes: Scope, rate: float | None = None) -> str:
        """A new key."""
        text, key = new_key(shop, scopes or tuple(Scope), now=NOW, rate=rate)
        self.keys.save([*self.keys.load(), key])
        self.keys.refresh()
        return text

    async def post(self, path: str, body: object, *, key: str | None = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = {"authorization": f"Bearer {key or self.key}"} if key != "" else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, content=content, headers=given | named)

    async def pay(
        self, number: int = 0, *, key: str | None = None, deadline_ms: int = 2_000, **fields: object
    ) -> httpx.Response:
        event = transaction(number, **fields)
        return await self.post("/v1/payments", event, key=key, x_deadline_ms=str(deadline_ms))

    async def get(self, path: str, *, key: str | None = None) -> httpx.Response:
        return await self.http.get(path, headers={"authorization": f"Bearer {key or self.key}"})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Turns the clockwork until something holds."""
        for _ in range(2_000):
            self.gateway.checkout.tick()
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it never came")


@asynccontextmanager
async def shop(
    folder: Path,
    *,
    open_: bool = True,
    in_flight: int = 64,
    most: int = 1_000,
    secrets: dict[str, list[Secret]] | None = None,
    still: bool = False,
    keep: float = 86_400.0,
) -> AsyncIterator[Shop]:
    """A gateway with its journal in `folder`; a second one there finds what the first has left."""
    clock, scorer = FixedClock(still=still), Scorer()
    journal = Journal(folder / "journal.db", asyncio.get_running_loop()).open()
    checkout = scorer.checkout = Checkout(
        journal=journal,
        send=scorer.send,
        admission=Admission(in_flight, clock.monotonic),
        monotonic=clock.monotonic,
        most=most,
        keep=keep,
        outage=1.0,
    )
    checkout.resume(journal.wait(kept.undecided(0)))
    if open_:
        checkout.opened(1, [number for number, *_ in journal.wait(kept.unsent)])
    keys = KeyFile(folder / "keys.json")
    gateway = Gateway(
        checkout=checkout,
        journal=journal,
        keys=keys,
        limits=RateLimits(1_000.0, clock.monotonic),
        metrics=Metrics(CollectorRegistry()),
        clock=clock,
        rates=Rates.default("EUR"),
        max_ahead_us=3_600_000_000,
        deadlines=Deadlines(1.0, 0.02, 60.0),
        fallback=Fallback.parse("allow:50,challenge:500,review"),
        topics=Topics("in", "labels", "disputes"),
        secrets=secrets or {"stripe": [], "adyen": []},
        entities=None,
        documents=documents(),
    )
    transport = httpx.ASGITransport(create_app(gateway), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        made = Shop(gateway, scorer, http, "", keys)
        made.key = made.key_of("shop-1")
        yield made
    journal.close()
