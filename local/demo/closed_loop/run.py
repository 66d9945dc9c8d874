"""The story itself: go live, take step after step, and let the loop do what it does."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from local.demo.closed_loop.scenario import DAY_US, Plan, World
from local.demo.closed_loop.traffic import Shop
from local.demo.outputs import IDLE_SECONDS, Lost, Outputs, Reader, Topics
from local.ports import free_port
from local.programs import service_command
from local.service_process import ServiceProcess
from training.commands.loop import connect
from training.loop.announce import KafkaAnnouncer
from training.loop.config import HOUR_US, LoopConfig
from training.loop.runner import Loop, Turn
from training.loop.training_run import Trainer
from training.registry import versions as registry
from training.settings import load_settings

DAY_HOURS: Final = DAY_US / HOUR_US
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    Attributes:
        plan: how it was meant.
        world: where.
        outputs: what a read-committed consumer saw of the service.
        loop: as it stands at the end.
        sent: transactions that went in.
        trickled: those of them that were sent while a swap was awaited.
        now: the end, µs.
    """

    plan: Plan
    world: World
    outputs: Outputs
    loop: Loop
    sent: int
    trickled: int
    now: int


@contextmanager
def played(plan: Plan, world: World, servers: str, topics: Topics, *, folder: Path, tell: Tell) -> Iterator[Story]:
    """Plays the story to its end on a broker, without anybody's help; yields it while the loop can still be asked.

    Args:
        plan: when what happens.
        world: from `prepare`, in the same folder.
        servers: the broker.
        topics: names of topics that do not exist yet.
        folder: model directory, ledger, records and logs.
        tell: told of each turn, in one line.

    Raises:
        ProgramFailed: the service died.
        Lost: a payment was neither scored nor set aside.
    """
    environment = {
        "FRAUD_KAFKA_BOOTSTRAP_SERVERS": servers,
        "FRAUD_MODELS_DIR": str(folder / "models"),
        "FRAUD_SNAPSHOTS_DIR": str(folder / "snapshots"),
        "FRAUD_INSTANCE_ID": f"{topics.prefix}readapt",
        **topics.settings(),
    }
    service_command(environment, "topics")
    now = plan.at(plan.live)
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=20, batch_size=1 << 18)
    with closing(producer), looping(plan, servers, topics, folder) as loop:
        shop = Shop(world, plan, producer, topics)
        shop.pay(plan.at(0), now)
        shop.tell(now, set())
        tell(said(turn(loop, now)))
        with (
            Reader(servers, topics) as reader,
            ServiceProcess(environment, port=free_port(), log=folder / "service.log") as service,
        ):
            service.ready()
            wait(reader, service, shop.sent)
            shop.skip(reader.outputs.alerts)
            for day in range(plan.live, plan.days, plan.step):
                since, now = now, plan.at(min(day + plan.step, plan.days))
                champion = registry.champion(loop.trainer.root, loop.features)
                shop.pay(since, now, swapped=partial(serves, service, champion))
                wait(reader, service, shop.sent)
                shop.judge(reader.outputs.alerts)
                shop.tell(now, {row.transaction_id for row in reader.outputs.decisions if row.action == "block"})
                tell(said(turn(loop, now)))
        yield Story(plan, world, reader.outputs, loop, shop.sent, shop.trickled, now)


@contextmanager
def looping(plan: Plan, servers: str, topics: Topics, folder: Path) -> Iterator[Loop]:
    """The loop as `python -m training loop` makes it, with its log in a file."""
    settings = load_settings(
        kafka_bootstrap_servers=servers,
        models_dir=folder / "models",
        loop_data_dir=folder / "data",
        loop_clock="stream",
        loop_interval_hours=2 * plan.step * DAY_HOURS,
        loop_cooldown_hours=plan.step * DAY_HOURS,
        loop_watch_hours=plan.step * DAY_HOURS,  # a new champion is still watched at the next look
        loop_keep_versions=100,  # what served before the new pattern is asked again at the end
        loop_new_frauds=plan.new_frauds,
        loop_strategy=plan.strategy,
        loop_teachers=1,
        loop_alert_share=plan.alert_share,
        loop_margin=plan.margin,
        loop_seed=plan.seed,
        **{f"{name}_topic": getattr(topics, name) for name in ("transactions", "decisions", "labels", "models")},
    )
    with (folder / "loop.log").open("a", encoding="utf-8") as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=log), cache_logger_on_first_use=False)
        loop = connect(settings, CollectorRegistry())
        config = replace(LoopConfig.of(settings), baselines=plan.baselines)
        loop.trainer = Trainer(settings.models_dir, loop.trainer.context, config)
        try:
            yield loop
        finally:
            loop.feed.close()
            if isinstance(loop.announcer, KafkaAnnouncer):
                loop.announcer.producer.close()
            structlog.reset_defaults()


def turn(loop: Loop, now: int) -> Turn:
    """One turn at a time of the story, as the program takes it."""
    done = loop.turn(now, records=loop.pull())
    loop.tidy(now)
    return done


def said(done: Turn) -> str:
    """A turn in one line."""
    day = datetime.fromtimestamp(done.now / 1e6, UTC).date().isoformat()
    told = "no run"
    if done.run is not None:
        told = f"run {done.run.run} ({done.run.why}): {done.run.decision}, {done.run.reason.partition(';')[0]}"
    return f"{day}  {told}" + (f"; rolled back: {done.rolled_back}" if done.rolled_back else "")


def serves(service: ServiceProcess, version: int | None) -> bool:
    """Whether the service says on /metrics that this version is its champion."""
    service.check()
    samples = (s for family in text_string_to_metric_families(service.get("/metrics")) for s in family.samples)
    wanted = {"version": str(version), "role": "champion"}
    return any(s.name == "fraud_model_info" and s.labels == wanted and s.value == 1 for s in samples)


def wait(reader: Reader, service: ServiceProcess, sent: int) -> None:
    """Until everything that was sent has come out, and the alert of each flagged payment too."""
    reader.wait_for(sent, check=service.check, progress=lambda _: None)
    flagged = sum(row.action != "allow" for row in reader.outputs.decisions)
    deadline = time.monotonic() + IDLE_SECONDS
    while len(reader.outputs.alerts) < flagged:
        service.check()
        if time.monotonic() > deadline:
            raise Lost(f"{flagged:,} payments were flagged, but only {len(reader.outputs.alerts):,} alerts came")
        time.sleep(0.05)
