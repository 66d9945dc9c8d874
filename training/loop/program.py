"""The loop as a program: settings → connections → turns, until it is told to stop."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from fraud.privacy.card_numbers import tokeniser
from runtime.clock import SystemClock
from runtime.errors import Misconfigured, Unavailable
from runtime.http import Endpoint
from runtime.kafka.client import Cluster, open_producer
from runtime.key_file import card_number_key
from runtime.shutdown import Shutdown
from training.data.feature_context import FeatureContext
from training.labels.store import DamagedLedger, Kind, LedgerStore
from training.loop.announce import KafkaAnnouncer
from training.loop.config import LoopConfig
from training.loop.feed import KafkaFeed, wall_time
from training.loop.metrics import LoopMetrics
from training.loop.runner import Loop
from training.loop.training_run import Trainer
from training.modelling.train_loop import Progress, quiet
from training.settings import Settings

GRACE_SECONDS: Final = 19.0
"""From the signal to the end of the process, whatever is at work; `Shutdown.enforced` leaves one more."""

log = structlog.get_logger()


def feature_context(settings: Settings) -> FeatureContext:
    """Features, rates and masking as the service has them.

    Raises:
        Misconfigured: the key of card numbers cannot be kept.
    """
    key = card_number_key(settings.secret, settings.loop_data_dir, variable="FRAUD_LOOP_DATA_DIR")
    return FeatureContext(settings.platform, settings.declared.rates, tokeniser(key))


def kinds_of(settings: Settings) -> dict[str, Kind]:
    """Topic -> what it holds."""
    return {
        settings.transactions_topic: "events",
        settings.decisions_topic: "decisions",
        settings.labels_topic: "labels",
    }


def connect(settings: Settings, registry: CollectorRegistry, *, progress: Progress = quiet) -> Loop:
    """The loop on Kafka, ready to turn.

    Raises:
        Unavailable: nobody answers, or a topic is missing.
        Misconfigured: wrong credentials, missing rights, or a file that cannot be used.
    """
    world = feature_context(settings)
    cluster = Cluster.of(settings)
    feed = KafkaFeed.connect(cluster, kinds_of(settings), world.token, clock=settings.loop_clock)
    held = len(feed.consumer.partitions_for_topic(settings.transactions_topic))
    if held != settings.platform.partitions:
        raise Misconfigured(
            f"topic {settings.transactions_topic} has {held} partitions, platform {settings.platform.name} declares "
            f"{settings.platform.partitions}: set partitions in the file that FRAUD_PLATFORM_FILE names"
        )
    with cluster.translated("connecting"):
        producer = open_producer({**cluster.config(), "acks": "all"})
    metrics = LoopMetrics(registry)
    return Loop(
        feed=replace(feed, faults=metrics.faults),
        store=LedgerStore(settings.ledger_dir),
        trainer=Trainer(settings.models_dir, world, LoopConfig.of(settings), progress),
        announcer=KafkaAnnouncer(producer, cluster, settings.models_topic),
        metrics=metrics,
        folder=settings.loop_data_dir,
    )


@dataclass(slots=True)
class Readiness:
    """What /readyz says: None once the loop is connected."""

    unready: str | None = "not connected to the broker yet"


def endpoint_of(settings: Settings, registry: CollectorRegistry, readiness: Readiness) -> Endpoint:
    """/metrics, /readyz, and /healthz: that the process answers. A turn lasts as long as training does: no limit."""
    return Endpoint(
        settings.loop_http_host,
        settings.loop_http_port,
        registry=registry,
        stuck=lambda: None,
        unready=lambda: readiness.unready,
        variables="FRAUD_LOOP_HTTP",
    )


def run(settings: Settings, *, once: bool, trust_labels: bool, tell: Callable[[str], None] | None) -> None:
    """Serves metrics, connects, and turns until told to stop.

    Args:
        settings: of the loop.
        once: one turn, then stop.
        trust_labels: take what the last run refused as poisoned for sound.
        tell: given one JSON line for every turn that did something.

    Raises:
        Misconfigured: trying again would not help.
        InvalidState: what the last start left cannot be read.
    """
    registry, readiness, pause = CollectorRegistry(), Readiness(), settings.loop_poll.total_seconds()
    ProcessCollector(registry=registry)
    server = endpoint_of(settings, registry, readiness)
    log.info("metrics", host=settings.loop_http_host, port=server.open())
    with closing(server), stopping() as stop:
        try:
            loop = wait_for(lambda: connect(settings, registry, progress=until(stop)), stop, pause)
            if loop is not None:
                readiness.unready = None
                if trust_labels:
                    loop.trust()
                turns(loop, settings, stop, once=once, tell=tell)
        except Stopped:
            log.info("stopped within a run", then="the next start takes it up again")


def turns(loop: Loop, settings: Settings, stop: Shutdown, *, once: bool, tell: Callable[[str], None] | None) -> None:
    """Turns until told to stop."""
    while not stop.requested:
        try:
            # Read before the pull: what arrives later has not been seen by this turn, and must be new to the next.
            wall = wall_time()
            records = loop.pull()
            now = wall if settings.loop_clock == "wall" else loop.stream_time
            if now is not None:
                done = loop.turn(now, records=records)
                loop.tidy(now)
                if tell is not None and (records or done.run or done.rolled_back):
                    document = asdict(done) | {"run": done.run.model_dump() if done.run else None}
                    tell(json.dumps(document))
        except Unavailable as error:
            log.warning("broker unavailable", error=str(error))
        except DamagedLedger as error:
            log.warning("ledger damaged", error=str(error))
        if once:
            return
        stop.wait(settings.loop_poll.total_seconds())


def wait_for(make: Callable[[], Loop], stop: Shutdown, pause: float) -> Loop | None:
    """Tries until the broker answers; None when told to stop first."""
    while not stop.requested:
        try:
            return make()
        except Unavailable as error:
            log.warning("broker unavailable", error=str(error), retry_in_s=pause)
            stop.wait(pause)
    return None


class Stopped(Exception):  # noqa: N818 - named for what it says
    """The program was told to stop while a run was at work."""


def until(stop: Shutdown) -> Progress:
    """A `Progress` that ends the run at its next step once the program is told to stop."""

    def check(_what: str, _share: float) -> None:
        if stop.requested:
            raise Stopped

    return check


@contextmanager
def stopping() -> Iterator[Shutdown]:
    """A stop that SIGTERM and SIGINT request.

    A run ends at its next step. What does not come to one in time, such as a fit of trees, is abandoned where it is: a
    turn may be killed at any instant and is taken up again, so that this too is a stop in order, with exit code 0.
    """
    stop = Shutdown(seconds=GRACE_SECONDS, monotonic=SystemClock().monotonic)
    stop.settled()

    def say() -> None:
        log.warning("stopped at the deadline", seconds=GRACE_SECONDS, then="the next start takes the turn up again")

    with stop.on_signals(), stop.enforced(say):
        yield stop
