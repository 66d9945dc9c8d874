"""Puts a console together: from settings, or from parts that a test brings."""

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import structlog
import uvicorn
from prometheus_client import CollectorRegistry

from console.accounts.store import Accounts
from console.acts import Acts
from console.controls_writer import ControlActs, ControlsLog
from console.metrics import ConsoleMetrics
from console.past.backtests import Backtests, Past
from console.past.true_ids import payment_at
from console.projection.database import Readers, open_for_writing
from console.projection.follower import Follower
from console.projection.kafka_log import KafkaReader
from console.projection.log import LogReader, LogWriter
from console.projection.payments import Payments
from console.projection.projection import Projection, Topics
from console.settings import Settings
from console.web.app import application
from console.web.site import Site
from fraud.contracts.outbound import Announcement
from fraud.controls.language.vocabulary import Vocabulary
from fraud.privacy.card_numbers import tokeniser
from fraud.privacy.keys import CARD_NUMBERS, PSEUDONYMS, derived
from fraud.privacy.pseudonyms import Pseudonyms
from runtime.clock import SystemClock
from runtime.files import create_once
from runtime.http import Endpoint
from runtime.instance_lock import hold_instance_lock
from runtime.kafka.appender import Appender
from runtime.kafka.client import Cluster
from runtime.kafka.controls_log import ControlsWriter
from runtime.settings import revealed

STUCK_SECONDS = 60.0
_log = structlog.get_logger("console")


def topics_of(settings: Settings) -> Topics:
    """Which topic holds what."""
    return Topics(
        transactions=settings.transactions_topic,
        alerts=settings.alerts_topic,
        decisions=settings.decisions_topic,
        labels=settings.labels_topic,
        cases=settings.cases_topic,
        controls=settings.controls_topic,
        models=settings.models_topic,
    )


def payments_of(settings: Settings) -> Payments:
    """Masks and pseudonyms as the service's."""
    secret = revealed(settings.secret)
    if secret is None:
        return Payments()
    pseudonyms = Pseudonyms(derived(secret, PSEUDONYMS)) if settings.pseudonyms else None
    return Payments(tokeniser(derived(secret, CARD_NUMBERS)), pseudonyms)


def projection_file(settings: Settings) -> Path:
    """The projection's SQLite file."""
    return settings.console_data_dir / "projection.db"


def projection_on(settings: Settings, connection: sqlite3.Connection) -> Projection:
    """The settings' projection on its file."""
    return Projection(
        connection,
        topics_of(settings),
        payments_of(settings),
        blind_share=settings.console_blind_share,
        second_share=settings.console_second_share,
        review_minutes=settings.console_review_minutes,
        keep_us=int(settings.console_keep.total_seconds() * 1e6),
    )


def make_follower(settings: Settings, reader: LogReader, writer: LogWriter, clock: SystemClock) -> Follower:
    """The follower of the settings' projection; the file is made, or taken up where it ended."""
    connection = open_for_writing(projection_file(settings))
    projection = projection_on(settings, connection)
    return Follower(
        connection,
        projection,
        reader,
        writer,
        cases_topic=settings.cases_topic,
        labels_topic=settings.labels_topic,
        now_us=clock.now_us,
        monotonic=clock.monotonic,
    )


def make_site(
    settings: Settings,
    reader: LogReader,
    writer: LogWriter,
    controls: ControlsLog,
    *,
    past: Callable[[], LogReader],
    clock: SystemClock,
    registry: CollectorRegistry,
    draws: random.Random,
) -> Site:
    """All parts of a console; nothing runs yet.

    `past` opens a reader of the transactions topic; `draws` are those of `Acts`.
    """
    follower = make_follower(settings, reader, writer, clock)
    readers = Readers(projection_file(settings))
    metrics = ConsoleMetrics(registry)
    metrics.watch(readers, lambda: follower.behind, clock.now_us)
    key = settings.console_data_dir / "key"
    create_once(key, os.urandom(32))
    return Site(
        settings=settings,
        readers=readers,
        accounts=Accounts(settings.console_data_dir / "accounts.db"),
        follower=follower,
        acts=Acts(
            readers,
            follower,
            writer,
            topic=settings.cases_topic,
            now_us=clock.now_us,
            claim_seconds=int(settings.console_claim.total_seconds()),
            blind_share=settings.console_blind_share,
            draws=draws,
        ),
        control_acts=ControlActs(controls, follower, topic=settings.controls_topic),
        backtests=Backtests(
            readers,
            Past(
                settings.declared,
                payments_of(settings).token,
                past,
                topic=settings.transactions_topic,
                most=settings.console_backtest_records,
            ),
            clock.now_us,
        ),
        names=cache(lambda: _names(settings)),
        payment_at=lambda source: payment_at(source, settings.transactions_topic, past, payments_of(settings).token),
        announce=lambda said: _announce(writer, settings.models_topic, said),
        payments=payments_of(settings),
        metrics=metrics,
        key=key.read_bytes(),
        now_us=clock.now_us,
        monotonic=clock.monotonic,
    )


def _names(settings: Settings) -> Vocabulary:
    from fraud.controls.names import vocabulary_of  # with compiled code, which most pages do without

    return vocabulary_of(settings.platform, settings.declared.rates)


def _announce(writer: LogWriter, topic: str, said: Announcement) -> None:
    writer.append(topic, said.model, said.model_dump_json(exclude_none=True).encode())


@contextmanager
def following(follower: Follower) -> Iterator[None]:
    """Follows the log in a thread for as long as the block lasts; a thread that fails ends the process."""

    def run() -> None:
        try:
            follower.run()
        except Exception:  # noqa: BLE001 - the last resort: pages that stand still would look right
            _log.exception("stopped by an error of the program")
            os._exit(1)

    thread = threading.Thread(target=run, name="follower", daemon=True)
    thread.start()
    try:
        yield
    finally:
        follower.stop()
        thread.join(timeout=30)


def serve(settings: Settings) -> None:
    """Runs the console until SIGTERM or Ctrl-C.

    Raises:
        Fenced: another console uses the same folder.
        Misconfigured: an address cannot be had.
    """
    clock, registry, cluster = SystemClock(), CollectorRegistry(), Cluster.of(settings)
    writer, controls = Appender(cluster), ControlsWriter(cluster, settings.controls_topic)
    with hold_instance_lock(settings.console_data_dir, "console"):
        reader = KafkaReader(cluster, topics_of(settings).all())
        site = make_site(
            settings,
            reader,
            writer,
            controls,
            past=lambda: KafkaReader(cluster, [settings.transactions_topic]),
            clock=clock,
            draws=random.Random(),  # noqa: S311 - which slot is blind is no secret
            registry=registry,
        )
        follower = site.follower
        health = Endpoint(
            settings.console_http_host,
            settings.console_http_port,
            registry=registry,
            stuck=lambda: None if clock.monotonic() - follower.turned < STUCK_SECONDS else "the log is not followed",
            unready=lambda: follower.trouble,
            variables="FRAUD_CONSOLE_HTTP",
        )
        port = health.open()
        _log.info("listening", host=settings.console_host, port=settings.console_port, health=port)
        try:
            with following(follower):
                uvicorn.run(
                    application(site),
                    host=settings.console_host,
                    port=settings.console_port,
                    log_config=None,
                    access_log=False,
                    proxy_headers=False,
                    server_header=False,
                    timeout_graceful_shutdown=15,
                )
        finally:
            health.close()
            writer.close()
            controls.close()
            site.accounts.close()
