"""How late frauds are reported, learnt from reports that have come so far."""

import numpy as np
import pandas as pd
import pytest

from training.labels.delay import EDGES, DelayCurve, Reports, exposure
from training.labels.ledger import DAY_US, DECISION_COLUMNS, LABEL_COLUMNS, Ledger, Records, empty


def reports(seed: int, *, frauds: int, days: int, median: float = 40.0, at: float | None = None) -> Reports:
    """Frauds of `days` days, each reported after a log-normal delay, as far as the reports have come by the end."""
    random = np.random.default_rng(seed)
    delay = median * np.exp(0.6 * random.normal(size=frauds))
    age = random.uniform(0, days, frauds) if at is None else np.full(frauds, at)
    seen = delay <= age
    none = np.zeros(int(seen.sum()), np.bool_)
    return Reports(delay[seen], age[seen], ~none, none, ~none)


def truth(days: float, median: float = 40.0) -> float:
    from scipy.stats import norm

    return float(norm.cdf(np.log(days / median) / 0.6))


def share(curve: DelayCurve, days: float) -> float:
    return float(curve.share(np.array([int(days * DAY_US)]))[0])


def test_closed_cohorts_give_the_share_reported_by_each_age() -> None:
    curve = DelayCurve.of(reports(1, frauds=20_000, days=0, at=400.0))
    assert [share(curve, day) for day in (10, 30, 60, 120)] == pytest.approx(
        [truth(day) for day in (10, 30, 60, 120)], abs=0.02
    )


def test_reports_that_are_still_to_come_do_not_make_it_look_early() -> None:
    some = reports(2, frauds=40_000, days=120)
    naive = float((some.delay_days <= 30).mean())
    assert naive > truth(30) + 0.05
    assert share(DelayCurve.of(some), 30) == pytest.approx(truth(30) / truth(120), abs=0.02)


def test_a_young_shop_has_the_sources_curve_and_in_time_its_own() -> None:
    source = DelayCurve.of(reports(3, frauds=5_000, days=0, at=400.0))
    assert DelayCurve.of(reports(4, frauds=0, days=10), source).hazard == source.hazard
    slower = {"frauds": 3_000, "days": 365, "median": 80.0}
    young = DelayCurve.of(reports(5, frauds=60, days=60, median=80.0), source)
    old = DelayCurve.of(reports(5, **slower), source)  # type: ignore[arg-type]  # built by name
    assert share(young, 90) == pytest.approx(truth(90), abs=0.1)
    assert share(old, 90) == pytest.approx(truth(90, median=80.0), abs=0.05)


def test_the_rate_over_its_exposure_is_the_true_one_where_counting_reports_is_three_times_too_low() -> None:
    curve = DelayCurve.of(reports(6, frauds=5_000, days=0, at=400.0))
    random = np.random.default_rng(7)
    age = random.uniform(0, 60, 200_000)
    known = (random.random(200_000) < 0.003) & (40 * np.exp(0.6 * random.normal(size=200_000)) <= age)
    at = 100 * DAY_US
    time = at - (age * DAY_US).astype(np.int64)
    assert known.mean() < 0.0011
    assert known.sum() / exposure(curve, time, at) == pytest.approx(0.003, rel=0.15)


def test_without_any_report_every_fraud_counts_as_known_at_once() -> None:
    curve = DelayCurve.at_once()
    assert exposure(curve, np.array([0, 5 * DAY_US]), 5 * DAY_US) == 2.0
    assert (
        DelayCurve.of(Reports.of(Ledger(Records.of(pd.DataFrame({"transaction": [], "time": [], "amount": []})))))
        == curve
    )


def labels(*rows: tuple[int, str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            {"label_id": f"l{i}", "transaction": t, "verdict": verdict, "source": source,
             "occurred_at": int(day * DAY_US), "received_at": int(day * DAY_US), "supersedes": ""}
            for i, (t, verdict, source, day) in enumerate(rows)
        ]
    )  # fmt: skip
    return frame[list(LABEL_COLUMNS)].astype(LABEL_COLUMNS)


def ledger(count: int, said: pd.DataFrame, blocked: tuple[int, ...] = ()) -> Ledger:
    payments = pd.DataFrame({"transaction": np.arange(count, dtype=np.uint64), "time": 0, "amount": 100})
    made = empty(DECISION_COLUMNS)
    if blocked:
        made = pd.DataFrame({"transaction": blocked, "time": 0, "action": "block", "propensity": 1.0})
    return Ledger(Records.of(payments, labels=said, decisions=made.astype(DECISION_COLUMNS)))


def test_the_first_report_counts_and_one_that_was_withdrawn_does_not() -> None:
    said = labels(
        (1, "unauthorised", "chargeback", 50), (1, "unauthorised", "analyst", 2), (2, "unauthorised", "analyst", 3),
        (2, "genuine", "dispute_outcome", 60), (3, "unauthorised", "chargeback", 90),
    )  # fmt: skip
    found = Reports.of(ledger(5, said), 80 * DAY_US)
    assert (found.delay_days.tolist(), found.banks.tolist(), found.analysts.tolist()) == ([2.0], [True], [True])


def test_two_lists_tell_how_many_are_on_neither() -> None:
    random = np.random.default_rng(8)
    count = 20_000
    bank, analyst = random.random(count) < 0.8, random.random(count) < 0.4
    known = bank | analyst
    old = np.full(int(known.sum()), 200.0)
    found = Reports(np.full(len(old), 10.0), old, bank[known], analyst[known], np.ones(len(old), np.bool_))
    assert DelayCurve.of(found).unreported == pytest.approx(0.2 * 0.6, abs=0.01)
    stopped = Reports(found.delay_days, old, found.banks, found.analysts, ~found.observed)
    assert DelayCurve.of(stopped).unreported == 0.0


def test_a_payment_that_was_blocked_tells_nothing_of_what_banks_report() -> None:
    said = labels((1, "unauthorised", "analyst", 2), (2, "unauthorised", "analyst", 2))
    assert Reports.of(ledger(4, said, blocked=(2,)), 10 * DAY_US).observed.tolist() == [True, False]


def test_a_curve_survives_its_file_and_never_falls() -> None:
    curve = DelayCurve.of(reports(9, frauds=300, days=200))
    assert DelayCurve.model_validate_json(curve.model_dump_json()) == curve
    shares = curve.share(np.arange(0, 500) * DAY_US)
    assert (np.diff(shares) >= 0).all()
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert len(curve.hazard) == len(EDGES)
