"""What the loop shows of late reports."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from tests.support.shop_tables import DAY, T0, events_table, labels_table
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import Stream, read_stream
from training.labels.delay import EDGES, DelayCurve
from training.loop.ledger_view import LedgerView
from training.loop.messages import DECISIONS
from training.loop.metrics import LoopMetrics
from training.loop.monitoring.delays import AGES, reports

SOURCE = DelayCurve(hazard=(0.2,) * len(EDGES), unreported=0.1, frauds=500)


def view(folder: Path, now: int) -> LedgerView:
    pq.write_table(events_table(), folder / "events.parquet")
    pq.write_table(labels_table(), folder / "labels.parquet")
    stream: Stream = read_stream([folder / "events.parquet"], folder / "labels.parquet", FeatureContext())
    return LedgerView(now, 0, stream, pd.DataFrame(columns=list(DECISIONS)), stream.ledger.as_of(now), 0)


def test_shares_by_age_rise_and_the_corrected_rate_lies_above_what_was_reported(tmp_path: Path) -> None:
    shares, rates = reports(view(tmp_path, T0 + 18 * DAY), SOURCE)
    assert list(shares) == list(AGES)
    assert list(shares.values()) == sorted(shares.values())
    assert rates["reported"] == pytest.approx(1 / 6)
    assert rates["corrected"] > rates["reported"] * 1.1
    registry = CollectorRegistry()
    LoopMetrics(registry).set_reports(shares, rates)
    assert registry.get_sample_value("fraud_loop_reported_share", {"age_days": "90"}) == shares[90]
    assert registry.get_sample_value("fraud_loop_fraud_rate", {"kind": "corrected"}) == rates["corrected"]


def test_before_any_payment_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert reports(view(tmp_path, T0 - DAY), SOURCE) == ({}, {})
