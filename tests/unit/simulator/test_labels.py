import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud.contracts.inbound import Label
from fraud.units import DAY_US
from runtime.event_tables import to_json
from simulator.config import LabelConfig, SimulationConfig
from simulator.draws import mix
from simulator.simulation import Simulation, simulate
from simulator.truth.incumbent import queue
from simulator.truth.labels import (
    CLEARED,
    LABEL_SCHEMA,
    UNAUTHORISED,
    Payments,
    analyst_labels,
    chargeback_days,
    reported_labels,
)

DIALS = LabelConfig()


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SimulationConfig(transactions=80_000, seed=3, base_rate=0.02))


def payments(n: int, *, fraud: bool, friendly: bool = False, paid: bool = True) -> Payments:
    ids = mix(np.arange(n, dtype=np.int64), 1)
    return Payments(ids, np.zeros(n, np.int64), np.full(n, fraud), np.full(n, friendly), np.full(n, paid))


def test_labels_follow_the_contract_in_order_of_arrival(simulation: Simulation) -> None:
    labels = simulation.labels
    assert labels.schema.equals(LABEL_SCHEMA)
    received = labels["received_at"].cast(pa.int64()).to_numpy()
    assert (np.diff(received) >= 0).all()
    assert pc.count_distinct(labels["label_id"]).as_py() == labels.num_rows
    for line in list(to_json(labels))[:500]:
        Label.model_validate_json(line)


def test_analysts_take_one_to_three_days_miss_some_and_cry_wolf_sometimes() -> None:
    n = 20_000
    rows, at = np.arange(n), np.full(n, 5 * DAY_US)
    frauds = analyst_labels(payments(n, fraud=True), rows, at, DIALS, seed=1)
    genuine = analyst_labels(payments(n, fraud=False), rows, at, DIALS, seed=1)
    assert (frauds.verdict == CLEARED).mean() == pytest.approx(0.08, abs=0.01)
    assert (genuine.verdict == UNAUTHORISED).mean() == pytest.approx(0.04, abs=0.01)
    days = (frauds.received - at) / DAY_US
    assert 1.0 <= days.min() < 1.1
    assert 2.9 < days.max() <= 3.0


def test_chargebacks_come_within_30_to_120_days_and_a_fifth_never() -> None:
    chargebacks, warnings = reported_labels(payments(50_000, fraud=True), DIALS, seed=2)
    assert len(chargebacks.transaction) / 50_000 == pytest.approx(0.8, abs=0.01)
    days = chargebacks.received / DAY_US
    assert np.quantile(days, 0.05) == pytest.approx(30, rel=0.03)
    assert np.quantile(days, 0.95) == pytest.approx(120, rel=0.03)
    assert len(warnings.transaction) / len(chargebacks.transaction) == pytest.approx(0.1, abs=0.02)
    assert chargeback_days(np.array([0.05, 0.95]), DIALS) == pytest.approx([30, 120])


def test_a_tenth_of_fraud_chargebacks_is_first_party(simulation: Simulation) -> None:
    labels = simulation.labels.to_pandas()
    coded = labels[(labels.source == "chargeback") & (labels.reason_code == "10.4")]
    truth = simulation.truth.to_pandas().set_index("transaction_id")
    assert (coded.verdict == "first_party").mean() <= 0.12
    assert set(truth.loc[coded[coded.verdict == "first_party"].transaction_id, "pattern"]) == {"friendly_fraud"}
    base = simulate(SimulationConfig(transactions=300_000, seed=3, days=90)).labels.to_pandas()
    coded = base[(base.source == "chargeback") & (base.reason_code == "10.4")]
    assert (coded.verdict == "first_party").mean() == pytest.approx(0.1, abs=0.04)


def test_nobody_charges_back_what_was_never_paid(simulation: Simulation) -> None:
    labels = simulation.labels.to_pandas()
    truth = simulation.truth.to_pandas().set_index("transaction_id")
    assert truth.loc[labels[labels.source == "chargeback"].transaction_id, "authorised"].all()
    chargebacks, warnings = reported_labels(payments(100, fraud=True, paid=False), DIALS, seed=2)
    assert not len(chargebacks.transaction)
    assert not len(warnings.transaction)


def test_analysts_label_only_what_was_queued_whatever_the_order(simulation: Simulation) -> None:
    ids = simulation.truth["transaction_id"].to_pylist()
    wanted = {ids[5]: 10 * DAY_US, ids[900]: 11 * DAY_US, ids[77]: 12 * DAY_US, "of another stream": 0}
    one = simulation.labels_for(wanted).to_pandas()
    other = simulation.labels_for(dict(reversed(wanted.items()))).to_pandas()
    assert one.equals(other)
    assert set(one[one.source == "analyst"].transaction_id) == {ids[5], ids[900], ids[77]}
    alone = simulation.labels_for({ids[5]: 10 * DAY_US}).to_pandas()
    mine = one[(one.source == "analyst") & (one.transaction_id == ids[5])].iloc[0]
    assert alone[alone.source == "analyst"].iloc[0].equals(mine)


def test_the_incumbent_queues_its_share_each_day_and_more_fraud_than_chance(simulation: Simulation) -> None:
    attempts = simulation.attempts
    rows = queue(attempts, 0.01)
    assert len(rows) == pytest.approx(800, rel=0.15)
    assert len(np.unique(attempts.time[rows] // DAY_US)) == simulation.config.days
    assert attempts.fraud[rows].mean() > 5 * attempts.fraud.mean()
