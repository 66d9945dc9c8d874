"""The composition root: settings to a gateway. Tests come through here too."""

import asyncio
import gc
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import structlog
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector

from gateway import entries as kept
from gateway.checkout.admission import Admission
from gateway.checkout.checkout import TICK_SECONDS, Checkout
from gateway.disputes.secrets import read_secrets
from gateway.http.app import create_app
from gateway.http.context import Deadlines, Gateway, Topics
from gateway.http.openapi import documents
from gateway.http.server import Tls, listening, server_of
from gateway.inbox import Inbox
from gateway.journal import Journal
from gateway.keys import KeyFile
from gateway.limits import RateLimits
from gateway.messages import Seen, seen
from gateway.metrics import Metrics
from gateway.outbox import Outbox
from gateway.settings import Settings
from runtime.clock import SystemClock
from runtime.errors import Misconfigured, Unavailable
from runtime.http import Endpoint
from runtime.kafka.client import Cluster
from runtime.kafka.delivery import Outgoing, Placed
from runtime.kafka.follower import Followed, Follower, Place

SWITCH_SECONDS: Final = 0.0005
"""How long a thread keeps the interpreter when others wait: a payment passes through four of them."""

CHORE_SECONDS: Final = 1.0
LOST_LOOP_SECONDS: Final = 30.0
ENTITY_SECONDS: Final = 2.0

_log = structlog.get_logger("gateway")


class Bridge:
    """Carries what the threads tell into the loop; see `gateway.outbox.Listener`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, checkout: Checkout) -> None:
        self._events: Inbox[Callable[[], None]] = Inbox(loop, _call_all)
        self._placed: Inbox[Placed] = Inbox(loop, checkout.placed)
        self._checkout = checkout
        self.placed: Callable[[Placed], None] = lambda placed: self._placed.put((placed,))

    def opened(self, generation: int, unsent: Sequence[int]) -> None:
        """See `Listener`."""
        self._events.put([lambda: self._checkout.opened(generation, unsent)])

    def lost(self) -> None:
        """See `Listener`."""
        self._events.put([self._checkout.lost])

    def seen(self, records: Sequence[Seen], positions: Mapping[Place, int]) -> None:
        """Hands on what the outputs say."""
        self._events.put([lambda: self._checkout.seen(records, positions)])


class Running:
    """A gateway at work: what `serve` starts and ends.

    Args:
        settings: what it shall be like.
        loop: that it runs in.
    """

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._clock = SystemClock()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.metrics = Metrics(self.registry)
        self.journal = Journal(settings.gateway_journal, loop).open()
        self._turned = self._clock.monotonic()
        self._linked = 0
        self.checkout = Checkout(
            journal=self.journal,
            send=self.send,
            admission=Admission(settings.gateway_in_flight, self._clock.monotonic),
            monotonic=self._clock.monotonic,
            most=settings.gateway_unsent,
            keep=settings.gateway_keep.total_seconds(),
            outage=max(1.0, 2 * settings.gateway_deadline.total_seconds()),
        )
        bridge = Bridge(loop, self.checkout)
        self._keys = KeyFile(settings.gateway_keys_file)
        self._keys.refresh()
        cluster = Cluster.of(settings)
        self._resume()
        outputs = (settings.decisions_topic, settings.alerts_topic, settings.dlq_topic)
        self._follower = Follower(
            cluster, outputs, positions=self.journal.wait(kept.positions), take=self._reader(bridge)
        )
        inputs = (settings.transactions_topic, settings.labels_topic, settings.disputes_topic)
        self._outbox = Outbox(cluster, self.journal, inputs, listener=bridge, ready=self._follower.started)
        self.gateway = self._parts()

    def send(self, generation: int, messages: Sequence[Outgoing]) -> None:
        """Hands messages to the outbox."""
        self._outbox.send(generation, messages)

    def _resume(self) -> None:
        since = self._clock.now_us() // 1000 - int(self._settings.gateway_keep.total_seconds() * 1000)
        self.checkout.resume(self.journal.wait(kept.undecided(since)))

    def _reader(self, bridge: Bridge) -> Callable[[list[Followed], Mapping[Place, int]], None]:
        settings = self._settings

        def take(records: Iterable[Followed], positions: Mapping[Place, int]) -> None:
            read = (
                seen(
                    record,
                    decisions=settings.decisions_topic,
                    alerts=settings.alerts_topic,
                    transactions=settings.transactions_topic,
                )
                for record in records
            )
            bridge.seen([one for one in read if one is not None], positions)

        return take

    def _parts(self) -> Gateway:
        settings = self._settings
        return Gateway(
            checkout=self.checkout,
            journal=self.journal,
            keys=self._keys,
            limits=RateLimits(settings.gateway_rate, self._clock.monotonic),
            metrics=self.metrics,
            clock=self._clock,
            rates=settings.declared.rates,
            max_ahead_us=int(settings.max_ahead.total_seconds() * 1e6),
            deadlines=Deadlines(
                settings.gateway_deadline.total_seconds(),
                settings.gateway_deadline_least.total_seconds(),
                settings.gateway_deadline_most.total_seconds(),
            ),
            fallback=settings.gateway_fallback,
            topics=Topics(settings.transactions_topic, settings.labels_topic, settings.disputes_topic),
            secrets=read_secrets(settings.gateway_webhooks_file),
            entities=entity_lookup(settings.gateway_scorer_url),
            documents=documents(),
        )

    def start(self) -> None:
        """Starts the threads."""
        self._follower.start()
        self._outbox.start()

    def unready(self) -> str | None:
        """Why no payment can be answered by a decision now."""
        return None if self.checkout.generation else "waiting for the broker"

    def stuck(self) -> str | None:
        """Why the loop does not turn."""
        silent = self._clock.monotonic() - self._turned
        return f"no turn of the loop for {silent:.0f} s" if silent > LOST_LOOP_SECONDS else None

    async def tick(self) -> None:
        """Has time pass, until cancelled."""
        chores_due = 0.0
        while True:
            due = self._clock.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            now = self._turned = self._clock.monotonic()
            lag = max(0.0, now - due)
            self.metrics.loop_lag.set(lag)
            self.checkout.turned(lag)
            self.checkout.tick()
            if now >= chores_due:
                chores_due = now + CHORE_SECONDS
                self._chores()

    def _chores(self) -> None:
        try:
            if self._keys.refresh():
                _log.info("keys read")
        except Misconfigured as error:
            _log.error("keys not read; the former ones stay", error=str(error))
        checkout, metrics = self.checkout, self.metrics
        metrics.at_scorer.set(checkout.admission.outstanding)
        metrics.limit.set(checkout.admission.limit)
        metrics.unsent.set(checkout.waiting)
        metrics.undecided.set(checkout.undecided)
        metrics.oldest.set(checkout.oldest)
        metrics.linked.inc(checkout.linked - self._linked)
        self._linked = checkout.linked
        keep_ms = int(self._settings.gateway_keep.total_seconds() * 1000)
        self.journal.note(kept.purge(self._clock.now_us() // 1000 - keep_ms))

    def close(self) -> None:
        """Stops the threads and closes the journal; what is not delivered stays there."""
        self._outbox.close(seconds=self._settings.gateway_shutdown.total_seconds() / 2)
        self._follower.close()
        self.journal.close()


async def serve(settings: Settings, make: Callable[[Settings, asyncio.AbstractEventLoop], Running] = Running) -> None:
    """Runs a gateway until it is told to stop.

    Args:
        settings: what it shall be like.
        make: what it is made by; another one in benchmarks.

    Raises:
        ServiceError: whatever stops it otherwise.
    """
    loop = asyncio.get_running_loop()
    running = make(settings, loop)
    tls = None
    if settings.gateway_tls_certfile is not None and settings.gateway_tls_keyfile is not None:
        tls = Tls(settings.gateway_tls_certfile, settings.gateway_tls_keyfile, settings.gateway_tls_client_ca)
    endpoint = Endpoint(
        settings.http_host,
        settings.http_port,
        registry=running.registry,
        stuck=running.stuck,
        unready=running.unready,
    )
    tick = loop.create_task(running.tick())
    try:
        server = server_of(
            create_app(running.gateway),
            tls=tls,
            connections=settings.gateway_connections,
            read_seconds=settings.gateway_read_timeout.total_seconds(),
            shutdown_seconds=settings.gateway_shutdown.total_seconds(),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
        with listening(settings.gateway_host, settings.gateway_port) as listener:
            ports = {"port": listener.getsockname()[1], "http_port": endpoint.open()}
            running.start()
            gc.collect()
            gc.freeze()
            sys.setswitchinterval(SWITCH_SECONDS)
            _log.info("starting", tls=tls is not None, **ports)
            await server.serve(sockets=[listener])
    finally:
        tick.cancel()
        running.close()
        endpoint.close()
    _log.info("stopped")


def run(settings: Settings) -> None:
    """Runs the gateway in this process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


def entity_lookup(url: str | None) -> Callable[[str, str], tuple[int, bytes]] | None:
    """A function that asks the scorer for an entity: status and JSON; None without its address."""
    if url is None:
        return None

    def look_up(kind: str, of: str) -> tuple[int, bytes]:
        asked = f"{url.rstrip('/')}/entities/{quote(kind, safe='')}/{quote(of, safe='')}"
        try:
            with urllib.request.urlopen(asked, timeout=ENTITY_SECONDS) as answer:  # noqa: S310 - the operator's address
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return error.code, b""
            raise Unavailable(f"asking the scorer: {error}") from None
        except OSError as error:
            raise Unavailable(f"asking the scorer: {error}") from None

    return look_up


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()
