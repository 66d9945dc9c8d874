"""The closed loop, unattended, on a real broker in simulated time: `make loop-test`.

A shop goes live; months later a fraud pattern appears that nobody has labels for. Analysts judge only what raised an
alert, chargebacks come weeks later, payments that were blocked report nothing. The loop is the real one, on the topics;
the service is its own process and is never restarted. Nobody decides anything by hand.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
import plotext
import pyarrow as pa
import pyarrow.parquet as pq
from kafka import KafkaProducer
from matplotlib.figure import Figure as Plot
from prometheus_client import CollectorRegistry
from rich.console import Console

from benchmarks.report import Figure, report
from deploy.demo.__main__ import free_port
from deploy.demo.programs import Service, service_command, train
from deploy.demo.stream import Outputs, Reader, Topics, send
from deploy.demo.world import messages
from deploy.kafka.broker import LocalBroker
from fraud.risk import RiskTables
from training.datasets import count_risk, from_stream
from training.loop.adaptation import find_base, teach
from training.loop.cli import connect
from training.loop.config import LoopConfig
from training.loop.cycle import Trainer
from training.loop.record import all_records
from training.loop.runner import Loop
from training.loop.view import View
from training.model import predict
from training.settings import load_settings
from training.simulate import labels_to_json

FOLDER: Final = Path("build/loop")
DAY_US: Final = 86_400_000_000
START: Final = datetime(2025, 1, 6, tzinfo=UTC)
NEW_PATTERN: Final = "gift_card_mule"
LABELS: Final = "fraud.labels.v1"
ALERT_SHARE: Final = 0.02
console = Console(stderr=True, width=120)


@dataclass(frozen=True)
class Plan:
    """How much, and when; days since the start."""

    transactions: int = 90_000
    days: int = 300
    live: int = 180
    pattern: int = 210
    step: int = 10
    source: int = 60_000
    strategy: str = "l2sp"
    seed: int = 11


@dataclass(frozen=True, slots=True)
class World:
    """The target's stream: events and reports in order, and the truth."""

    events: pa.Table
    labels: pa.Table
    truth: pd.DataFrame

    def between(self, since: int, until: int) -> pa.Table:
        """Events of a period, in log order."""
        time = self.events["event_time"].cast(pa.int64()).to_numpy()
        return self.events.slice(*_span(time, since, until))


def prepare(plan: Plan) -> World:
    """Simulates both platforms and pre-trains on the source."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    log, models = FOLDER / "training.log", FOLDER / "models"
    size = ["--days", str(plan.days), "--seed", str(plan.seed), "--base-rate", "0.012"]
    pattern = (START + timedelta(days=plan.pattern)).date().isoformat()
    new = ["--new-pattern-start", pattern, "--new-pattern-share", "0.8"]
    for platform, count, more in (("source", plan.source, []), ("target", plan.transactions, new)):
        out = ["--platform", platform, "--transactions", str(count), "--out", str(FOLDER / platform)]
        train("simulate", *out, *size, *more, log=log)
    source = ["--source", str(FOLDER / "source" / "events.parquet"), "--teachers", "1", "--max-source-rows", "30000"]
    train("pretrain", *source, "--models", str(models), log=log)
    target = FOLDER / "target"
    truth = pd.read_parquet(target / "truth.parquet").set_index("transaction_id")
    return World(pq.read_table(target / "events.parquet"), pq.read_table(target / "labels.parquet"), truth)


class Shop:
    """The world around the loop: payments come, analysts judge alerts, banks report."""

    def __init__(self, world: World, plan: Plan, servers: str) -> None:
        self.world, self.plan, self.servers = world, plan, servers
        self.random = np.random.default_rng(plan.seed)
        self.producer = KafkaProducer(bootstrap_servers=servers, acks="all")
        self.waiting = _frame(world.labels)
        # Before the service went live its analysts judged what their old rules put before them; from then on, alerts.
        live = pd.Timestamp(START) + pd.Timedelta(days=plan.live)
        old = (self.waiting["source"] != "analyst") | (self.waiting["received_at"] < live)
        self.waiting = self.waiting[old]
        self.sent = self.judged = 0

    def pay(self, since: int, until: int) -> None:
        """Sends the payments of a period."""
        part = self.world.between(since, until)
        send(self.servers, Topics().transactions, messages(part))
        self.sent += int((np.array(part["type"].to_pylist()) == "transaction").sum())

    def judge(self, outputs: Outputs) -> None:
        """Analysts look at new alerts: 1 to 3 days later, 8 % misses, 4 % false confirmations."""
        new = outputs.alerts[self.judged :]
        self.judged += len(new)
        if not new:
            return
        ids = [alert.transaction_id for alert in new]
        fraud = self.world.truth.loc[ids, "is_fraud"].to_numpy(bool)
        said = np.where(self.random.random(len(new)) < np.where(fraud, 0.92, 0.04), "unauthorised", "genuine")
        delay = pd.to_timedelta(self.random.uniform(1, 3, len(new)), unit="D").round("us")
        at = pd.to_datetime([alert.event_time for alert in new], format="ISO8601", utc=True) + delay
        made = pd.DataFrame({"label_id": [f"analyst-{i}" for i in ids], "transaction_id": ids, "verdict": said})
        made = made.assign(source="analyst", occurred_at=at, received_at=at, schema_version="1.0")
        self.waiting = pd.concat([self.waiting, made.reindex(columns=self.waiting.columns)], ignore_index=True)

    def tell(self, now: int, blocked: set[str]) -> None:
        """Sends the labels that were received by now; what was blocked cannot be charged back."""
        due = self.waiting["received_at"] <= pd.Timestamp(now, unit="us", tz="UTC")
        lost = due & self.waiting["transaction_id"].isin(blocked) & (self.waiting["source"] != "analyst")
        rows = self.waiting[due & ~lost].sort_values("received_at")
        table = pa.Table.from_pandas(rows, schema=self.world.labels.schema, preserve_index=False)
        for key, value in zip(rows["transaction_id"], labels_to_json(table), strict=True):
            self.producer.send(LABELS, key=key.encode(), value=value, timestamp_ms=now // 1000)
        self.producer.flush(timeout=60)
        self.waiting = self.waiting[~due]


def run(plan: Plan) -> list[Figure]:
    """The whole story; its figures."""
    world = prepare(plan)
    start = int(START.timestamp() * 1e6)
    with LocalBroker() as broker:
        environment = {
            "FRAUD_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "FRAUD_MODELS_DIR": str(FOLDER / "models"),
            "FRAUD_SNAPSHOTS_DIR": str(FOLDER / "snapshots"),
        }
        service_command(environment, "topics")
        shop = Shop(world, plan, broker.bootstrap_servers)
        settings = load_settings(
            kafka_bootstrap_servers=broker.bootstrap_servers,
            models_dir=FOLDER / "models",
            loop_data_dir=FOLDER / "data",
            loop_clock="stream",
        )
        loop = connect(settings, CollectorRegistry())
        config = LoopConfig(
            strategy=plan.strategy, teachers=1, alert_share=ALERT_SHARE, interval=2 * plan.step * DAY_US,
            cooldown=plan.step * DAY_US, new_frauds=40, seed=plan.seed, baselines=False,
        )  # fmt: skip
        loop.trainer = Trainer(settings.models_dir, loop.trainer.world, config)
        now = start + plan.live * DAY_US
        shop.pay(start, now)
        shop.tell(now, set())
        turn(loop, now)
        with (
            Reader(broker.bootstrap_servers, Topics()) as reader,
            Service(environment, port=free_port(), log=FOLDER / "service.log") as service,
        ):
            service.wait_until_ready()
            reader.wait_for(shop.sent, check=service.check, progress=lambda _: None)
            shop.judged = len(reader.outputs.alerts)  # the backlog's alerts are nobody's work
            for day in range(plan.live, plan.days, plan.step):
                since, now = now, min(start + (day + plan.step) * DAY_US, start + plan.days * DAY_US)
                shop.pay(since, now)
                reader.wait_for(shop.sent, check=service.check, progress=lambda _: None)
                shop.judge(reader.outputs)
                shop.tell(now, {row.transaction_id for row in reader.outputs.decisions if row.action == "block"})
                turn(loop, now)
            outputs = reader.outputs
        return figures(plan, world, outputs, loop, sent=shop.sent, now=now)


def turn(loop: Loop, now: int) -> None:
    """One turn, told on the terminal."""
    done = loop.turn(now, records=loop.pull())
    said = f"run {done.run.run}: {done.run.decision}, {done.run.reason[:90]}" if done.run else "no run"
    console.print(f"{_iso(now)}  {said}" + (f", rolled back: {done.rolled_back}" if done.rolled_back else ""))


def figures(plan: Plan, world: World, outputs: Outputs, loop: Loop, *, sent: int, now: int) -> list[Figure]:
    """What came out of it."""
    start = int(START.timestamp() * 1e6)
    rows = pd.DataFrame([(d.transaction_id, d.action != "allow", d.model_version) for d in outputs.decisions])
    rows.columns = pd.Index(["transaction_id", "flagged", "version"])
    rows = rows.join(world.truth[["is_fraud", "pattern", "event_time"]], on="transaction_id")
    rows["time"] = rows["event_time"].astype("datetime64[us, UTC]").astype("int64")
    begins = start + plan.pattern * DAY_US
    view = loop.reader.read(now, window=loop.trainer.config.window, maturity_days=None)
    learnt = learnt_at(view, loop, world, begins)
    mule = rows["pattern"] == NEW_PATTERN
    after = rows["time"] >= learnt
    fraud = rows["is_fraud"].astype(bool)
    before = fraud & rows["time"].between(start + plan.live * DAY_US, begins)
    oracle = oracle_recall(view, loop, rows, learnt)
    draw(rows, start, plan, learnt)

    def share(chosen: "pd.Series[bool]") -> float:
        return float(rows.loc[chosen, "flagged"].mean())

    scored = len(rows) + len(outputs.dead_letters)
    return [
        Figure("recall_before", share(before), "share"),
        Figure("recall_during", share(mule & ~after), "share"),
        Figure("recall_after", share(mule & after), "share"),
        Figure("recall_oracle", oracle, "share"),
        Figure("after_to_oracle", share(mule & after) / max(oracle, 1e-9), "ratio"),
        Figure("days_to_recover", (learnt - begins) / DAY_US, "days"),
        Figure("lost", sent - scored, "payments"),
        Figure("doubled", int(rows["transaction_id"].duplicated().sum()), "decisions"),
        Figure("alert_share", float(rows.loc[rows["time"] >= start + plan.live * DAY_US, "flagged"].mean()), "share"),
        Figure("promotions", float(rows["version"].nunique() - 1), "count"),
        Figure("new_pattern_frauds_after", float((mule & after).sum()), "payments"),
    ]


def learnt_at(view: View, loop: Loop, world: World, begins: int) -> int:
    """When the first version was promoted that had three or more frauds of the new pattern to learn from."""
    mules = world.truth.index[world.truth["pattern"] == NEW_PATTERN]
    data = from_stream(view.stream, loop.trainer.world, risk=RiskTables())
    hashed = data.transaction[np.isin(data.transaction_ids.astype(str), mules.to_numpy(str))]
    for record in all_records(loop.folder):
        if record.decision == "promote" and record.at_us > begins:
            known = view.stream.ledger.as_of(record.at_us).of(hashed)
            if int((known["label"] == 1).sum()) >= 3:
                return record.at_us
    return view.now


def oracle_recall(view: View, loop: Loop, rows: pd.DataFrame, learnt: int) -> float:
    """Recall of a model that learnt from every label received by then, on what came after, at the same budget."""
    trainer = loop.trainer
    risk = count_risk(view.stream, trainer.config.risk, until=learnt)
    data = from_stream(view.stream, trainer.world, risk=risk)
    past = data.between(None, learnt).with_labels(view.stream.ledger, learnt)
    ahead = data.between(learnt, None)
    if len(ahead) == 0:
        return float("nan")
    config = replace(trainer.config, baselines=False)
    lesson = teach(find_base(trainer.root, None)[1], past, past.take(np.arange(1)), config, seed=config.seed)
    logits: npt.NDArray[np.float32] = predict(lesson.candidate.scorer, ahead.features)
    flagged = logits >= np.quantile(logits, 1 - ALERT_SHARE)
    mules = rows.loc[rows["pattern"] == NEW_PATTERN, "transaction_id"]
    return float(flagged[np.isin(ahead.transaction_ids.astype(str), mules.to_numpy(str))].mean())


def draw(rows: pd.DataFrame, start: int, plan: Plan, learnt: int) -> None:
    """Recall by week, as a PNG and on the terminal."""
    week = (rows["time"] - start) // (7 * DAY_US)
    fraud = rows["is_fraud"].astype(bool)
    lines = {"every fraud": fraud, "the new pattern": fraud & (rows["pattern"] == NEW_PATTERN)}
    plot = Plot(figsize=(8, 4), layout="constrained")
    axes = plot.subplots()
    plotext.clear_figure()
    for name, chosen in lines.items():
        recall = rows[chosen & (week >= plan.live // 7)].groupby(week)["flagged"].mean()
        axes.plot(recall.index * 7, recall.to_numpy(), marker="o", label=name)
        plotext.plot((recall.index * 7).tolist(), recall.tolist(), label=name)
    for day, what in ((plan.pattern, "new pattern"), ((learnt - start) / DAY_US, "re-adapted")):
        axes.axvline(day, linestyle="--", color="0.5")
        axes.text(day, 1.02, what, ha="center")
        plotext.vline(day)
    axes.set(xlabel="day", ylabel="recall at the alert budget", ylim=(0, 1.1))
    axes.legend(frameon=False)
    Path("build/bench").mkdir(parents=True, exist_ok=True)
    plot.savefig("build/bench/loop.png", dpi=120)
    plotext.plot_size(100, 20)
    plotext.title("recall at the alert budget, by day")
    console.print(plotext.build(), highlight=False, markup=False)


def _frame(labels: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = labels.to_pandas()
    return frame


def _span(time: npt.NDArray[np.int64], since: int, until: int) -> tuple[int, int]:
    """Position and length of a period in a log that is ordered but for a few late events."""
    first = int(np.argmax(time >= since)) if (time >= since).any() else len(time)
    last = int(np.argmax(time >= until)) if (time >= until).any() else len(time)
    return first, last - first


def _iso(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).date().isoformat()


@click.command()
@click.option("--transactions", default=Plan.transactions, show_default=True)
@click.option("--strategy", default=Plan.strategy, show_default=True)
@click.option("--seed", default=Plan.seed, show_default=True)
def main(*, transactions: int, strategy: str, seed: int) -> None:
    """Run the closed loop and report how far recall came back."""
    plan = Plan(transactions=transactions, strategy=strategy, seed=seed)
    made: Sequence[Figure] = run(plan)
    report("loop-test", made, title="the closed loop: a new pattern, labels, re-adaptation")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.loop")
