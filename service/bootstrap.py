"""The composition root: settings to a service. Tests come through here too, with adapters of their own."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from fraud.controls.names import vocabulary_of
from fraud.controls.rulebook import Rulebook
from fraud.decisions.exploration import Exploration
from fraud.decoding.decoder import Decoder
from fraud.explanations.reasons import ReasonBuilder
from fraud.features.catalogue import history_config
from fraud.features.encoder import FeatureSpec, Stage, features_fingerprint, spec_of
from fraud.fingerprint import fingerprint
from fraud.history.history import History, HistoryConfig, history_fingerprint
from fraud.privacy.card_numbers import tokeniser
from fraud.privacy.keys import (
    CARD_NUMBERS,
    EXPLORATION,
    HISTORIES,
    PSEUDONYMS,
    SNAPSHOTS,
    derived,
)
from fraud.privacy.pseudonyms import Pseudonyms
from runtime.clock import SystemClock
from runtime.http import Answer, Endpoint
from runtime.instance_lock import hold_instance_lock
from runtime.kafka.client import Cluster
from runtime.key_file import card_number_key
from runtime.settings import revealed
from runtime.shutdown import Shutdown
from service.adapters.kafka import warmup as fetch_warmup
from service.adapters.kafka.controls import ControlsFollower
from service.adapters.kafka.log import KafkaLog
from service.adapters.model_directory import Expected, ModelDirectory
from service.adapters.snapshots import SnapshotDirectory
from service.observability.entities import ENTITIES_PATH, EntityLookup
from service.observability.health import Health
from service.observability.log_sampling import SampledWarnings
from service.observability.metrics import Metrics
from service.outputs.dead_letters import DeadLetterCap, DeadLetters
from service.outputs.serializer import OutputSerializer
from service.pipeline import Pipeline
from service.ports import Clock, ControlsSource, Log, ModelSource, SnapshotStore
from service.process import tune_for_scoring
from service.recovery import HistoryRecovery
from service.runner import Runner
from service.settings import Settings
from service.topics import output_topics
from service.warmup import warm_up

LOADING: Final = 10
"""Times the liveness limit that the model directory may go without a look: loading takes its time beside scoring."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Domain:
    """The feature code that this process runs, and what names it."""

    spec: FeatureSpec
    config: HistoryConfig
    salt: int = 0

    @property
    def features_fingerprint(self) -> str:
        """Of the features: bundles must have been made for it."""
        return features_fingerprint(self.spec, self.config)

    @property
    def history_fingerprint(self) -> str:
        """Of the histories: snapshots must have been made for it."""
        return history_fingerprint(self.config)


@dataclass(frozen=True, slots=True)
class Adapters:
    """The outside world, as the service sees it."""

    log: Log
    models: ModelSource
    snapshots: SnapshotStore
    clock: Clock
    controls: ControlsSource


@dataclass(frozen=True, slots=True)
class Service:
    """A composed service; `runner` does the work, the rest is there to be looked at."""

    runner: Runner
    pipeline: Pipeline
    health: Health
    metrics: Metrics
    stop: Shutdown


def domain(settings: Settings) -> Domain:
    """The feature code that these settings ask for."""
    key = keyed(settings, HISTORIES)
    return Domain(
        spec_of(settings.platform),
        replace(history_config(settings.platform), recent_capacity=settings.dedupe_records),
        int.from_bytes(key[:8]) if key else 0,
    )


def kafka_log(settings: Settings) -> KafkaLog:
    """The log on Kafka."""
    return KafkaLog(
        Cluster.of(settings),
        input_topic=settings.transactions_topic,
        partitions=settings.platform.partitions,
        topics=output_topics(settings),
        group_id=settings.group_id,
        instance_id=settings.instance_id,
        exactly_once=settings.delivery == "exactly_once",
        batch_records=settings.batch_records,
        transaction_timeout_ms=_ms(settings.transaction_timeout.total_seconds()),
        session_timeout_ms=_ms(settings.session_timeout.total_seconds()),
        max_poll_interval_ms=_ms(settings.max_poll_interval.total_seconds()),
    )


def snapshot_directory(
    settings: Settings, code: Domain, *, wrote: Callable[[float], None], failed: Callable[[], None]
) -> SnapshotDirectory:
    """Where histories are kept."""
    return SnapshotDirectory(
        settings.snapshots_dir,
        topic=settings.transactions_topic,
        config=code.config,
        settings=snapshot_fingerprint(settings, code),
        wrote=wrote,
        failed=failed,
    )


def snapshot_fingerprint(settings: Settings, code: Domain) -> str:
    """16 hex digits that name all that decides what a history holds, beside the log and the feature code.

    The key stands for the tokens of card numbers and the salt of histories. With the group in it, one that was set back
    does not discard what another one keeps.
    """
    key = keyed(settings, SNAPSHOTS)
    return fingerprint(
        {
            "rates": settings.declared.rates.fingerprint,
            "attributes": (*code.spec.fields.values, *code.spec.fields.entities),
            "max_ahead": settings.max_ahead.total_seconds(),
            "key": key.hex() if key else None,
            "remembered": code.config.recent_capacity,
            "group": settings.group_id,
        }
    )


def expected(settings: Settings, code: Domain) -> Expected:
    """What a bundle must have been made for."""
    return Expected(
        features_fingerprint=code.features_fingerprint,
        platform=settings.platform,
        feature_names=tuple(code.spec.names),
        later=tuple(code.spec.later_than(Stage(settings.platform.stage))),
        key=revealed(settings.bundle_key),
    )


def decoder(settings: Settings, code: Domain, card_key: bytes | None = None) -> Decoder:
    """The reader of input records.

    Args:
        settings: what it shall be like.
        code: whose own fields it reads.
        card_key: of card numbers' tokens, see `card_key`; without it they are only equal within this process.
    """
    return Decoder(
        rates=settings.declared.rates,
        fields=code.spec.fields,
        max_ahead_us=int(settings.max_ahead.total_seconds() * 1e6),
        pan_token=tokeniser(card_key or keyed(settings, CARD_NUMBERS) or secrets.token_bytes(32)),
    )


def card_key(settings: Settings) -> bytes:
    """The key of card numbers' tokens: derived from the secret, or else kept beside the snapshots.

    Raises:
        Misconfigured: the folder cannot be written, or the file is no key.
    """
    return card_number_key(settings.secret, settings.snapshots_dir, variable="FRAUD_SNAPSHOTS_DIR")


def keyed(settings: Settings, purpose: bytes) -> bytes | None:
    """A key for one purpose, derived from the secret; None without one."""
    secret = revealed(settings.secret)
    return None if secret is None else derived(secret, purpose)


def pseudonyms(settings: Settings) -> Pseudonyms | None:
    """The same in logs and in alerts; None without a secret."""
    key = keyed(settings, PSEUDONYMS)
    return None if key is None else Pseudonyms(key)


def build_pipeline(
    settings: Settings,
    code: Domain,
    monotonic: Callable[[], float],
    *,
    card_key: bytes | None = None,
    beat: Callable[[], None] = lambda: None,
) -> Pipeline:
    """The pipeline, without any partition yet; for the key see `decoder`, `beat` is called between a batch's steps."""
    reader = decoder(settings, code, card_key)
    return Pipeline(
        decoder=reader,
        spec=code.spec,
        dead_letters=DeadLetters(settings.transactions_topic, reader.pan_token),
        serializer=OutputSerializer(
            topic=settings.transactions_topic,
            stage=settings.platform.stage,
            reason_builder=ReasonBuilder(code.spec),
            fingerprint=code.features_fingerprint,
            decisions=settings.decisions == "all",
            pseudonyms=pseudonyms(settings) if settings.pseudonyms else None,
            token=reader.pan_token,
        ),
        exploration=_exploration(settings),
        lots=keyed(settings, EXPLORATION),
        rulebook=rulebook(settings),
        monotonic=monotonic,
        beat=beat,
        set_aside=settings.set_aside,
    )


def compose(
    settings: Settings,
    adapters: Adapters,
    metrics: Metrics,
    config: HistoryConfig | None = None,
    *,
    card_key: bytes | None = None,
) -> Service:
    """Puts a service together; connects nothing.

    Args:
        settings: what it shall be like.
        adapters: what it shall stand on.
        metrics: what it shall count with.
        config: of histories; the default one outside tests.
        card_key: see `decoder`.
    """
    clock, code = adapters.clock, domain(settings)
    code = code if config is None else replace(code, config=config)
    health = Health(clock.monotonic, settings.liveness.total_seconds())
    pipeline = build_pipeline(settings, code, clock.monotonic, card_key=card_key, beat=health.beat)
    stop = Shutdown(seconds=settings.shutdown.total_seconds(), monotonic=clock.monotonic)
    recovery = HistoryRecovery(
        log=adapters.log, snapshots=adapters.snapshots, pipeline=pipeline, config=code.config, salt=code.salt
    )
    runner = Runner(
        log=adapters.log,
        pipeline=pipeline,
        models=adapters.models,
        snapshots=adapters.snapshots,
        recovery=recovery,
        metrics=metrics,
        warnings=SampledWarnings(pseudonyms(settings), clock.monotonic),
        health=health,
        clock=clock,
        stop=stop,
        controls=adapters.controls,
        snapshot_seconds=settings.snapshot_interval.total_seconds(),
        cap=DeadLetterCap() if settings.deadletter_cap else None,
        topic=settings.transactions_topic,
        set_aside=settings.set_aside,
    )
    return Service(runner, pipeline, health, metrics, stop)


def serve(settings: Settings) -> None:
    """Runs the service on Kafka until it is told to stop.

    Raises:
        ServiceError: whatever stops it otherwise.
    """
    code, clock, registry = domain(settings), SystemClock(), CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = Metrics(registry)
    models = ModelDirectory(
        settings.models_dir,
        expected(settings, code),
        batch_records=settings.batch_records,
        poll_seconds=settings.models_poll.total_seconds(),
        swapped=lambda result: metrics.models.swaps.labels(result).inc(),
    )
    metrics.models.unwatched.set_function(models.unwatched)
    snapshots = snapshot_directory(
        settings, code, wrote=metrics.history.snapshot_seconds.set, failed=metrics.history.snapshot_failures.inc
    )
    log = kafka_log(settings)
    controls = ControlsFollower(Cluster.of(settings), settings.controls_topic, clock.monotonic)
    adapters = Adapters(log, models, snapshots, clock, controls)
    service = compose(settings, adapters, metrics, card_key=card_key(settings))
    endpoint = Endpoint(
        settings.http_host,
        settings.http_port,
        registry=registry,
        stuck=lambda: service.health.stuck() or models.stuck(service.health.limit * LOADING),
        unready=lambda: service.health.unready,
        below={ENTITIES_PATH: entity_answers(settings, code, service.pipeline, log, clock)},
    )
    with service.stop.on_signals(), service.stop.enforced(lambda: _log.error("stopped past the deadline")):
        port = endpoint.open()
        _log.info("starting", http_port=port, instance=settings.instance_id, delivery=settings.delivery)
        try:
            with hold_instance_lock(settings.snapshots_dir, settings.instance_id):
                models.open()
                fetch_warmup.warm_up()
                warm_up(service.pipeline, models.current(), code.config)
                tune_for_scoring()
                service.runner.run()
        finally:
            models.close()
            controls.close()
            log.close()
            endpoint.close()
    _log.info("stopped")


def entity_answers(
    settings: Settings, code: Domain, pipeline: Pipeline, log: Log, clock: Clock
) -> Callable[[str], Answer]:
    """What answers `/entities/KIND/ID`; compiled on an empty history, for the first question comes in mid-stream."""
    lookup = EntityLookup(
        decoder(settings, code),
        settings.platform.base_currency,
        partitions=pipeline.partitions,
        lag=log.lag,
        clock=clock,
    )
    lookup.warm(History(replace(code.config, recent_capacity=1 << 10)))
    return lookup.answer


def rulebook(settings: Settings) -> Rulebook:
    """An empty rulebook for this platform."""
    names = vocabulary_of(settings.platform, settings.declared.rates)
    return Rulebook(names, lots=settings.secret is not None)


def _exploration(settings: Settings) -> Exploration | None:
    """Each partition has its share of the budget: they do not know of each other."""
    key = keyed(settings, EXPLORATION)
    if key is None or not settings.explore_share:
        return None
    return Exploration(key, settings.explore_share, settings.explore_budget / settings.platform.partitions)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
