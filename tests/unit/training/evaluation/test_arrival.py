"""What a shop could have known at a time, where labels are late: received, presumed, and said so."""

import numpy as np
import pandas as pd
import pytest

from training.data.dataset import END_OF_TIME, FRAUD, GENUINE, UNKNOWN, Dataset, Identity
from training.evaluation.arrival import Arrival, known_at
from training.labels.ledger import DAY_US, Ledger, Records

PAYMENTS = 1_000
DAYS = 100


def times() -> np.ndarray:
    return np.arange(PAYMENTS, dtype=np.int64) * DAYS * DAY_US // PAYMENTS


def frauds() -> np.ndarray:
    return np.asarray(np.arange(PAYMENTS) % 20 == 7)


def past() -> Dataset:
    ids, n = np.arange(1, PAYMENTS + 1, dtype=np.uint64), PAYMENTS
    return Dataset(
        identity=Identity("f", "h"),
        names=("x",),
        features=np.zeros((n, 1), np.float32),
        time=times(),
        amount=np.ones(n, np.int64),
        customer=ids,
        card=ids,
        transaction=ids,
        transaction_ids=ids.astype(str).astype(object),
        label=np.where(frauds(), FRAUD, GENUINE).astype(np.int8),
        received=np.zeros(n, np.int64),
        propensity=np.ones(n, np.float32),
        component=np.arange(n),
        silent=np.zeros(n, np.bool_),
        chosen=np.zeros(n, np.bool_),
        segments={},
    )


def ledger(delay_days: float, *, declined: int | None = None, reports: bool = True) -> Ledger:
    """A file as `import` writes it: frauds only, each with the declared delay."""
    rows = np.flatnonzero(frauds()) if reports else np.zeros(0, np.int64)
    received = times()[rows] + int(delay_days * DAY_US)
    labels = pd.DataFrame(
        {
            "label_id": [f"l{row}" for row in rows],
            "transaction": (rows + 1).astype(np.uint64),
            "verdict": "unauthorised",
            "source": "chargeback",
            "occurred_at": received,
            "received_at": received,
            "supersedes": "",
        }
    )
    payments = pd.DataFrame(
        {"transaction": np.arange(1, PAYMENTS + 1, dtype=np.uint64), "time": times(), "amount": 100}
    )
    outcomes = None
    if declined is not None:
        outcomes = pd.DataFrame(
            {"outcome_id": ["o"], "transaction": np.array([declined + 1], np.uint64),
             "time": [int(times()[declined])], "kind": ["declined"], "amount": [100]}
        )  # fmt: skip
    return Ledger(Records.of(payments, labels=labels if reports else None, outcomes=outcomes), 120.0)


def test_with_a_declared_delay_silence_teaches_once_the_reports_have_come() -> None:
    late = ledger(60)
    arrival = Arrival.of(late, END_OF_TIME)
    assert arrival.late_days == pytest.approx(60)
    nothing = known_at(past().between(None, 50 * DAY_US), late, 50 * DAY_US, arrival)
    assert not nothing.data.observed.any()
    known = known_at(past().between(None, 90 * DAY_US), late, 90 * DAY_US, arrival)
    old = known.data.time <= 30 * DAY_US
    assert (known.data.label[old] == np.where(frauds()[: len(old)][old], FRAUD, GENUINE)).all()
    assert (known.data.label[~old] == UNKNOWN).all()
    assert known.presumed == (old & ~frauds()[: len(old)]).sum()


def test_the_fraud_rate_is_not_thinned_by_payments_whose_reports_are_still_to_come() -> None:
    late = ledger(60)
    known = known_at(past().between(None, 90 * DAY_US), late, 90 * DAY_US, Arrival.of(late, END_OF_TIME))
    assert known.data.frauds / known.rows_counted == pytest.approx(frauds().mean(), rel=0.1)


def test_where_only_frauds_are_known_all_silence_is_presumed_genuine() -> None:
    late = ledger(10)
    chargebacks = Arrival(np.linspace(5, 200, 100), 120.0, 0.0)
    known = known_at(past().between(None, 50 * DAY_US), late, 50 * DAY_US, chargebacks)
    assert known.data.frauds > 0
    assert known.presumed == len(known.data) - known.data.frauds


def test_what_nobody_could_report_is_never_presumed() -> None:
    late = ledger(60, declined=3)
    known = known_at(past(), late, 99 * DAY_US, Arrival.of(late, END_OF_TIME))
    assert known.data.label[3] == UNKNOWN
    assert known.data.label[4] == GENUINE


def test_a_file_without_a_delay_is_told_what_that_means() -> None:
    arrival = Arrival.of(ledger(0), END_OF_TIME)
    assert any("as no chargeback does" in line for line in arrival.said())


def test_a_file_without_any_report_presumes_nothing_early() -> None:
    silent = ledger(0, reports=False)
    arrival = Arrival.of(silent, END_OF_TIME)
    assert arrival.said() == ("no fraud was ever reported",)
    assert not known_at(past(), silent, 99 * DAY_US, arrival).data.observed.any()
