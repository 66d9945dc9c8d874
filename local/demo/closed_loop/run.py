"""A scenario run on a broker: the service goes live, and the loop turns once a step."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from fraud.models.serving import Slot
from local.demo.closed_loop.scenario import PlatformStream, Scenario
from local.demo.closed_loop.traffic import Traffic
from local.demo.outputs import IDLE_SECONDS, OutputMissing, Outputs, Reader, Topics
from local.ports import free_port
from local.programs import service_command
from local.service_process import ServiceProcess
from runtime import model_registry
from runtime.kafka.client import Cluster, open_producer
from training.loop.announce import KafkaAnnouncer
from training.loop.program import connect
from training.loop.runner import Loop, Turn
from training.settings import load_settings

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """A scenario that was run to its end.

    Attributes:
        scenario: sizes and days.
        stream: payments, labels and truth.
        outputs: what a read-committed consumer saw of the service.
        loop: as it stands at the end.
        sent: transactions that went in.
        trickled: those of them that were sent while a swap was awaited.
        now: the end, µs.
    """

    scenario: Scenario
    stream: PlatformStream
    outputs: Outputs
    loop: Loop
    sent: int
    trickled: int
    now: int


@contextmanager
def run_scenario(
    scenario: Scenario, stream: PlatformStream, servers: str, topics: Topics, *, folder: Path, say: Say
) -> Iterator[ScenarioRun]:
    """Runs a scenario to its end on a broker, without anybody's help; yields it while the loop can still be asked.

    Args:
        scenario: when what happens.
        stream: from `prepare`, in the same folder.
        servers: the broker.
        topics: names of topics that do not exist yet.
        folder: model directory, ledger, records and logs.
        say: called with each turn, in one line.

    Raises:
        ProgramFailed: the service died.
        OutputMissing: a payment was neither scored nor set aside.
    """
    environment = {
        "FRAUD_KAFKA_BOOTSTRAP_SERVERS": servers,
        "FRAUD_MODELS_DIR": str(folder / "models"),
        "FRAUD_SNAPSHOTS_DIR": str(folder / "snapshots"),
        "FRAUD_INSTANCE_ID": f"{topics.prefix}readapt",
        **topics.settings(),
    }
    service_command(environment, "topics")
    now = scenario.at(scenario.live)
    producer = open_producer({**Cluster(servers).config(), "acks": "all", "linger_ms": 20, "batch_size": 1 << 18})
    with closing(producer), looping(scenario, servers, topics, folder) as loop:
        traffic = Traffic(stream, scenario, producer, topics)
        traffic.send_payments(scenario.at(0), now)
        traffic.send_labels(now, set())
        say(line_of(turn(loop, now)))
        with (
            Reader(servers, topics) as reader,
            ServiceProcess(environment, port=free_port(), log=folder / "service.log") as service,
        ):
            service.ready()
            wait(reader, service, traffic.sent)
            traffic.skip_alerts(reader.outputs.alerts)
            for day in range(scenario.live, scenario.days, scenario.step):
                since, now = now, scenario.at(min(day + scenario.step, scenario.days))
                slot = model_registry.read_slots(loop.trainer.root).root[loop.features]
                traffic.send_payments(since, now, swapped=partial(serves, service, slot))
                wait(reader, service, traffic.sent)
                traffic.review(reader.outputs.alerts)
                traffic.send_labels(
                    now, {row.transaction_id for row in reader.outputs.decisions if row.action == "block"}
                )
                say(line_of(turn(loop, now)))
        yield ScenarioRun(scenario, stream, reader.outputs, loop, traffic.sent, traffic.trickled, now)


@contextmanager
def looping(scenario: Scenario, servers: str, topics: Topics, folder: Path) -> Iterator[Loop]:
    """The loop as `python -m training loop` makes it, with its log in a file."""
    settings = load_settings(
        kafka_bootstrap_servers=servers,
        models_dir=folder / "models",
        loop_data_dir=folder / "data",
        loop_clock="stream",
        loop_interval=timedelta(days=2 * scenario.step),
        loop_cooldown=timedelta(days=scenario.step),
        loop_watch=timedelta(days=scenario.step),  # a new champion is still watched at the next look
        loop_keep_versions=100,  # what served before the new pattern is asked again at the end
        loop_new_frauds=scenario.new_frauds,
        loop_strategy=scenario.strategy,
        loop_teachers=1,
        loop_alert_share=scenario.alert_share,
        # Half a year shows a few hundred frauds: too few to prove a model better, enough to follow what changes.
        loop_demand="no_worse",
        loop_margin=scenario.margin,
        loop_seed=scenario.seed,
        **{f"{name}_topic": getattr(topics, name) for name in ("transactions", "decisions", "labels", "models")},
    )
    with (folder / "loop.log").open("a", encoding="utf-8") as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=log), cache_logger_on_first_use=False)
        loop = connect(settings, CollectorRegistry())
        try:
            yield loop
        finally:
            loop.feed.close()
            if isinstance(loop.announcer, KafkaAnnouncer):
                loop.announcer.producer.close()
            structlog.reset_defaults()


def turn(loop: Loop, now: int) -> Turn:
    """One turn at a time of the scenario, as the program takes it."""
    done = loop.turn(now, records=loop.pull())
    loop.tidy(now)
    return done


def line_of(done: Turn) -> str:
    """A turn in one line."""
    day = datetime.fromtimestamp(done.now / 1e6, UTC).date().isoformat()
    text = "no run"
    if done.run is not None:
        text = f"run {done.run.run} ({done.run.why}): {done.run.decision}, {done.run.reason.partition(';')[0]}"
    return f"{day}  {text}" + (f"; rolled back: {done.rolled_back}" if done.rolled_back else "")


def serves(service: ServiceProcess, slot: Slot) -> bool:
    """Whether the service says on /metrics that it has this champion, and this shadow where there is one."""
    service.check()
    samples = (s for family in text_string_to_metric_families(service.get("/metrics")) for s in family.samples)
    loaded = {(s.labels["role"], s.labels["version"]) for s in samples if s.name == "fraud_model_info" and s.value == 1}
    shadow = set() if slot.shadow is None else {("shadow", str(slot.shadow))}
    return {("champion", str(slot.champion))} | shadow <= loaded


def wait(reader: Reader, service: ServiceProcess, sent: int) -> None:
    """Until everything that was sent has come out, and the alert of each flagged payment too."""
    reader.wait_for(sent, check=service.check, progress=lambda _: None)
    flagged = sum(row.action != "allow" for row in reader.outputs.decisions)
    deadline = time.monotonic() + IDLE_SECONDS
    while len(reader.outputs.alerts) < flagged:
        service.check()
        if time.monotonic() > deadline:
            raise OutputMissing(
                f"{flagged:,} payments were flagged, but only {len(reader.outputs.alerts):,} alerts came"
            )
        time.sleep(0.05)
