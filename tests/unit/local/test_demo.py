from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from local.demo.claims import ClaimFailed, DemoReport, demo_report
from local.demo.outputs import AlertRow, DecisionRow, Outputs
from local.demo.platforms import among
from local.load import Message

TRUTH = pd.DataFrame(
    {"transaction_id": ["a", "b", "c"], "is_fraud": [True, False, True], "probability": [0.9, 0.1, 0.2]}
)


def outputs() -> Outputs:
    decisions = [DecisionRow(name, score, action, 7) for name, score, action in
                 (("a", 0.9, "block"), ("b", 0.5, "review"), ("c", 0.1, "allow"))]  # fmt: skip
    alerts = [AlertRow(f"alert-{row.transaction_id}", row.transaction_id, row.score, row.action, "", [], {})
              for row in decisions if row.action != "allow"]  # fmt: skip
    return Outputs(decisions=decisions, alerts=alerts, dead_letters=[("not_json", b"{")])


def judge(found: Outputs, *, sent: int = 4) -> DemoReport:
    times = np.array([1.0, 3.0])
    return demo_report(
        sent=sent, malformed=1, outputs=found, truth=TRUTH, judged={"a", "b", "c"}, latencies_ms=times,
        events_per_second=5.0,
    )  # fmt: skip


def test_the_demo_report_counts_and_measures_what_came_out() -> None:
    said = judge(outputs())
    assert (said.transactions, said.scored, said.alerts, said.dead_letters) == (4, 3, 2, 1)
    assert (said.precision, said.recall) == (0.5, 0.5)
    assert said.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert said.bayes_average_precision == 1.0
    assert (said.latency_p50_ms, said.model_version) == (2.0, 7)


def test_a_lost_event_breaks_the_demo() -> None:
    with pytest.raises(ClaimFailed, match="5 transactions went in, 4 came out"):
        judge(outputs(), sent=5)


def test_a_doubled_decision_breaks_the_demo() -> None:
    found = outputs()
    with pytest.raises(ClaimFailed, match="scored twice"):
        judge(replace(found, decisions=[*found.decisions, found.decisions[0]]), sent=5)


def test_a_flagged_decision_without_its_alert_breaks_the_demo() -> None:
    found = outputs()
    with pytest.raises(ClaimFailed, match="2 flagged decisions, but 1 alerts"):
        judge(replace(found, alerts=found.alerts[:1]))


def test_no_alert_at_all_breaks_the_demo() -> None:
    with pytest.raises(ClaimFailed, match="not one alert"):
        judge(replace(outputs(), alerts=[]))


def test_bad_messages_stand_among_the_good_ones_and_count() -> None:
    good = [Message(b"k", str(i).encode(), i, counts=True, transaction_id=str(i)) for i in range(6)]
    mixed = list(among(iter(good), [b"x", b"y"], every=3))
    assert [message.value for message in mixed] == [b"0", b"1", b"2", b"x", b"3", b"4", b"5", b"y"]
    assert all(message.counts for message in mixed)
