"""The closed loop in pieces: payments and labels sent, recall computed, the plot drawn."""

from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console

from local.demo.closed_loop.plot import draw, table
from local.demo.closed_loop.recall import DecidedPayments, Recall, by_step, most
from local.demo.closed_loop.scenario import DAY_US, NEW_PATTERN, PlatformStream, Scenario
from local.demo.closed_loop.traffic import Traffic
from local.demo.outputs import AlertRow, Topics
from simulator.config import SimulationConfig
from simulator.simulation import simulate
from simulator.truth.labels import LABEL_SCHEMA

SCENARIO = Scenario(transactions=400, days=40, live=10, pattern=20, step=10, seed=3)


@dataclass
class Sent:
    """A producer that keeps what it was given."""

    records: list[tuple[str, bytes]] = field(default_factory=list)

    def send(self, topic: str, *, key: bytes, value: bytes, timestamp_ms: int) -> "Sent":  # noqa: ARG002 - Kafka's signature
        self.records.append((topic, value))
        return self

    def get(self, timeout: float) -> None: ...

    def flush(self, timeout: float) -> None: ...

    def of(self, topic: str) -> list[bytes]:
        return [value for name, value in self.records if name == topic]


@pytest.fixture(scope="module")
def stream() -> PlatformStream:
    made = simulate(SimulationConfig(transactions=400, days=40, base_rate=0.02, seed=3))
    truth = made.truth.to_pandas().set_index("transaction_id")
    labels = pa.Table.from_pylist(
        [label(made.truth["transaction_id"][i].as_py(), day) for i, day in ((0, 5), (1, 25), (2, 25))], LABEL_SCHEMA
    )
    return PlatformStream(made.events, labels, truth, made.events["event_time"].cast(pa.int64()).to_numpy())


def label(transaction: str, day: float) -> dict[str, object]:
    at = SCENARIO.at(day)
    return {"schema_version": "1.0", "label_id": f"l-{transaction}", "transaction_id": transaction,
            "verdict": "unauthorised", "source": "chargeback", "occurred_at": at, "received_at": at}  # fmt: skip


def alert(transaction: str, action: str) -> AlertRow:
    return AlertRow(f"a-{transaction}", transaction, 0.9, action, "2025-01-20T00:00:00Z", [], {})


def test_every_payment_of_a_period_is_sent_once_and_the_rest_waits_for_the_swap(stream: PlatformStream) -> None:
    sent = Sent()
    traffic = Traffic(stream, SCENARIO, sent, Topics())
    looks = iter([False, True])
    traffic.send_payments(SCENARIO.at(0), SCENARIO.at(20), swapped=lambda: next(looks))
    trickled = traffic.trickled
    assert 0 < trickled <= 20
    traffic.send_payments(SCENARIO.at(20), SCENARIO.at(41))
    values = sent.of(Topics().transactions)
    assert len(values) == len(set(values)) == len(stream.events)
    assert (traffic.sent, traffic.trickled) == (400, trickled)


def test_what_was_blocked_is_never_charged_back_and_labels_come_when_they_are_received(stream: PlatformStream) -> None:
    sent = Sent()
    traffic = Traffic(stream, SCENARIO, sent, Topics())
    ids = stream.truth.index.tolist()
    traffic.send_labels(SCENARIO.at(10), set())
    assert len(sent.of(Topics().labels)) == 1
    traffic.send_labels(SCENARIO.at(30), {ids[1]})
    labels = sent.of(Topics().labels)
    assert len(labels) == 2
    assert ids[2].encode() in labels[-1]


def test_analysts_judge_each_new_alert_once_and_none_on_a_blocked_payment(stream: PlatformStream) -> None:
    sent = Sent()
    traffic = Traffic(stream, SCENARIO, sent, Topics())
    ids = stream.truth.index.tolist()
    alerts = [alert(ids[5], "review"), alert(ids[6], "review"), alert(ids[7], "block")]
    traffic.skip_alerts(alerts[:1])
    traffic.review(alerts)
    traffic.review(alerts)
    traffic.send_labels(SCENARIO.at(40), set())
    analyst = [value for value in sent.of(Topics().labels) if b'"analyst"' in value]
    assert len(analyst) == 1
    assert ids[6].encode() in analyst[0]


def payments_decided() -> DecidedPayments:
    """Old fraud is always caught; the new pattern, from day 20 on, only after day 30."""
    day = np.repeat(np.arange(10, 40), 4)
    kind = np.tile([0, 1, 2, 2], 30)
    new = (kind == 1) & (day >= 20)
    fraud = (kind == 0) | new
    rows = pd.DataFrame({"time": [SCENARIO.at(float(d)) for d in day], "fraud": fraud, "new": new, "version": 1})
    rows["flagged"] = fraud & (~new | (day >= 30))
    return DecidedPayments(rows, SCENARIO.at(20), SCENARIO.at(30), (SCENARIO.at(30),))


def test_recall_is_told_by_step_for_old_and_new_fraud_apart() -> None:
    decided = payments_decided()
    assert by_step(decided, decided.rows["new"], 10).to_dict() == {20: 0.0, 30: 1.0}
    assert by_step(decided, ~decided.rows["new"], 10).to_dict() == {10: 1.0, 20: 1.0, 30: 1.0}
    assert decided.recall(decided.rows["new"]) == 0.5


def test_so_many_payments_are_flagged_as_asked_for_even_with_equal_scores() -> None:
    assert most(np.array([0.5, 0.9, 0.5, 0.1]), 2).tolist() == [True, True, False, False]
    assert most(np.zeros(3), 0).tolist() == [False] * 3


def test_the_plot_is_drawn_for_files_and_for_terminals(tmp_path: Path) -> None:
    recall = Recall(
        recall_before=1.0, recall_during=0.0, recall_after=1.0, recall_oracle=1.0, after_to_oracle=1.0,
        recall_unadapted=0.1, days_to_learn=10.0, days_to_recover=20.0, alert_share=0.02, promotions=1,
        frauds_after=10, swapped_under=20, lost=0, doubled=0,
    )  # fmt: skip
    draw(payments_decided(), SCENARIO, recall, tmp_path / "deep" / "plot.png")
    assert (tmp_path / "deep" / "plot.png").read_bytes().startswith(b"\x89PNG")
    console = Console(width=120, record=True, file=StringIO())
    console.print(table(payments_decided(), SCENARIO))
    lines = console.export_text().splitlines()
    assert any(line.lstrip().startswith("20") and "0%" in line and "the new pattern begins" in line for line in lines)
    assert any(line.lstrip().startswith("30") and "100%" in line and "re-adapted" in line for line in lines)


def test_a_stream_reads_back_what_was_simulated_and_cuts_it_by_time(stream: PlatformStream) -> None:
    parts = [stream.between(SCENARIO.at(day), SCENARIO.at(day + 10)) for day in (0, 10, 20, 30)]
    assert sum(len(part) for part in parts) <= len(stream.events)
    assert pa.concat_tables(parts).equals(stream.events.slice(0, sum(len(part) for part in parts)))
    assert NEW_PATTERN not in set(stream.truth["pattern"])
    assert int(stream.time[0]) >= SCENARIO.at(0)
    assert SCENARIO.at(1) - SCENARIO.at(0) == DAY_US
