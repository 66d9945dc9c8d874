"""What labels and silence teach: presumed genuine payments, and rates corrected for late reports."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.shop_tables import DAY, T0, events_table, labels_table
from training.data.dataset import Dataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import from_stream, read_stream
from training.data.training_rows import fraud_rate, training_rows
from training.labels.delay import EDGES, DelayCurve

LATE = DelayCurve(hazard=(0.15,) * 10 + (0.0,) * (len(EDGES) - 10), unreported=0.2, frauds=100)
"""What is ever reported comes within 30 days; a fifth never does."""


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Fifteen days of a shop whose labels are all chargebacks."""
    folder = tmp_path_factory.mktemp("shop")
    pq.write_table(events_table(), folder / "events.parquet")
    pq.write_table(labels_table(), folder / "labels.parquet")
    stream = read_stream([folder / "events.parquet"], folder / "labels.parquet", FeatureContext())
    return from_stream(stream, FeatureContext(), as_of=T0 + 18 * DAY)


def test_a_shop_whose_labels_are_all_fraud_learns_from_its_silence(young: Dataset) -> None:
    assert set(young.label.tolist()) == {1, -1}
    taught = training_rows(young, LATE, T0 + 18 * DAY, seed=1)
    assert (taught.sample.frauds, len(taught.sample), taught.labelled) == (10, 60, 10)
    presumed = taught.sample.label == 0
    weight, age = taught.sample.weight[presumed], T0 + 18 * DAY - taught.sample.time[presumed]
    assert (taught.sample.weight[~presumed] == 1).all()
    assert (np.diff(weight[np.argsort(age)]) >= 0).all()
    assert 0 < weight.min() < weight.max() < 0.7


def test_silence_teaches_nothing_before_the_first_fraud_is_known(young: Dataset) -> None:
    quiet = replace(young, label=np.full(len(young), -1, np.int8))
    assert len(training_rows(quiet, LATE, T0 + 18 * DAY, seed=1).sample) == 0


def test_what_nobody_could_have_reported_is_not_presumed_genuine(young: Dataset) -> None:
    blocked = replace(young, silent=young.silent & (np.arange(60) % 2 == 0))
    taught = training_rows(blocked, LATE, T0 + 18 * DAY, seed=1)
    assert np.isin(taught.transaction[taught.sample.label == 0], blocked.transaction[blocked.silent]).all()


def test_the_rate_of_fraud_counts_what_is_still_to_be_reported(young: Dataset) -> None:
    rate = fraud_rate(young, LATE, T0 + 18 * DAY)
    assert rate.reported == 60
    assert rate.frauds == 10
    assert rate.payments < 0.5 * 60
    assert rate.value == pytest.approx(10 / rate.payments)
    assert fraud_rate(young, DelayCurve.at_once(), T0 + 18 * DAY).value == pytest.approx(1 / 6)


def test_a_fraud_that_a_lottery_let_through_stands_for_those_it_did_not(young: Dataset) -> None:
    explored = replace(young, propensity=np.where(np.arange(60) == 0, 0.1, 1.0).astype(np.float32))
    assert fraud_rate(explored, LATE, T0 + 18 * DAY).frauds == pytest.approx(19)


def test_the_rate_is_the_recent_one_where_a_new_pattern_surely_changed_it(young: Dataset) -> None:
    late = replace(young, label=np.where(np.arange(60) >= 45, 1, 0).astype(np.int8))
    even = replace(young, label=np.where(np.arange(60) % 4 == 0, 1, 0).astype(np.int8))
    once = DelayCurve.at_once()
    assert fraud_rate(late, once, T0 + 18 * DAY).value == pytest.approx(0.5)
    assert fraud_rate(even, once, T0 + 18 * DAY).value == pytest.approx(0.25)
