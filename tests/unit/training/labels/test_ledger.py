"""Bitemporal labels: precedence, maturity, what is never a negative."""

import numpy as np
import pandas as pd
import pytest

from training.labels.ledger import (
    DAY_US,
    LABEL_COLUMNS,
    Ledger,
    Records,
    State,
    estimate_maturity_days,
    resolve_labels,
)

T0 = 1_700_000_000_000_000


def transactions(count: int, *, amount: int = 1_000) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "transaction": np.arange(1, count + 1, dtype=np.uint64),
            "time": np.full(count, T0, np.int64),
            "amount": np.full(count, amount, np.int64),
        }
    )


def label(
    transaction: int,
    verdict: str = "unauthorised",
    source: str = "chargeback",
    *,
    days: float = 40,
    occurred: float = 0,
    label_id: str = "",
    supersedes: str = "",
) -> dict[str, object]:
    return {
        "label_id": label_id or f"{transaction}-{verdict}-{source}-{days}",
        "transaction": np.uint64(transaction),
        "verdict": verdict,
        "source": source,
        "occurred_at": T0 + int(occurred * DAY_US),
        "received_at": T0 + int(days * DAY_US),
        "supersedes": supersedes,
    }


def labels(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).astype(LABEL_COLUMNS)


def outcomes(*rows: tuple[int, str, int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "outcome_id": [f"o{i}" for i in range(len(rows))],
            "transaction": np.array([row[0] for row in rows], np.uint64),
            "time": np.full(len(rows), T0, np.int64),
            "kind": [row[1] for row in rows],
            "amount": np.array([row[2] for row in rows], np.int64),
        }
    )


def states(ledger: Ledger, days: float) -> list[State]:
    return [State(value) for value in ledger.as_of(T0 + int(days * DAY_US)).frame.sort_index()["state"]]


def test_a_fraud_counts_from_the_moment_it_is_received() -> None:
    ledger = Ledger(Records.of(transactions(1), labels=labels(label(1, days=40))))
    assert states(ledger, 39.9) == [State.IMMATURE]
    assert states(ledger, 40) == [State.FRAUD]


def test_silence_is_genuine_only_once_mature() -> None:
    ledger = Ledger(Records.of(transactions(1)))
    assert states(ledger, 119) == [State.IMMATURE]
    assert states(ledger, 120) == [State.GENUINE]
    assert states(Ledger(Records.of(transactions(1)), maturity_days=7), 7) == [State.GENUINE]


def test_an_analysts_clearance_is_genuine_at_once_until_a_chargeback_contradicts_it() -> None:
    rows = labels(label(1, "genuine", "analyst", days=2), label(1, days=50))
    ledger = Ledger(Records.of(transactions(1), labels=rows))
    assert states(ledger, 3) == [State.GENUINE]
    assert states(ledger, 50) == [State.FRAUD]


def test_a_later_explicit_label_supersedes_a_stronger_source() -> None:
    rows = labels(
        label(1, "unauthorised", "chargeback", days=40, label_id="a"),
        label(1, "genuine", "analyst", days=60, label_id="b", supersedes="a"),
    )
    ledger = Ledger(Records.of(transactions(1), labels=rows))
    assert states(ledger, 59) == [State.FRAUD]
    assert states(ledger, 60) == [State.GENUINE]


def test_labels_that_supersede_each_other_fall_back_to_their_sources() -> None:
    rows = labels(
        label(1, "genuine", "analyst", label_id="a", supersedes="b"),
        label(1, "unauthorised", "chargeback", label_id="b", supersedes="a"),
    )
    assert resolve_labels(rows, T0 + 400 * DAY_US)["label_id"].tolist() == ["b"]


def test_one_transaction_cannot_supersede_the_label_of_another() -> None:
    rows = labels(label(1, label_id="a"), label(2, "genuine", "analyst", label_id="b", supersedes="a"))
    assert sorted(resolve_labels(rows, T0 + 400 * DAY_US)["label_id"]) == ["a", "b"]


@pytest.mark.parametrize("kind", ["declined", "voided"])
def test_what_never_went_through_is_unobserved_not_genuine(kind: str) -> None:
    ledger = Ledger(Records.of(transactions(1), outcomes=outcomes((1, kind, 1_000))))
    assert states(ledger, 400) == [State.UNOBSERVED]


def test_a_full_refund_is_unobserved_and_a_partial_one_is_not() -> None:
    rows = outcomes((1, "refunded", 600), (1, "refunded", 400), (2, "refunded", 999))
    ledger = Ledger(Records.of(transactions(2), outcomes=rows))
    assert states(ledger, 400) == [State.UNOBSERVED, State.GENUINE]


def test_a_decline_followed_by_an_authorisation_is_observed() -> None:
    ledger = Ledger(Records.of(transactions(1), outcomes=outcomes((1, "declined", 0), (1, "authorised", 1_000))))
    assert states(ledger, 400) == [State.GENUINE]


def test_a_blocked_payment_is_never_a_negative_but_may_be_a_fraud() -> None:
    decisions = pd.DataFrame(
        {
            "transaction": np.array([1, 2, 3], np.uint64),
            "time": T0,
            "action": ["block", "block", "allow"],
            "propensity": [1.0, 1.0, 0.01],
        }
    )
    rows = labels(label(1, "genuine", "analyst", days=2), label(2, "unauthorised", "analyst", days=2))
    ledger = Ledger(Records.of(transactions(3), decisions=decisions, labels=rows))
    assert states(ledger, 400) == [State.UNOBSERVED, State.FRAUD, State.GENUINE]
    assert ledger.as_of(T0).frame.loc[3, "propensity"] == 0.01


def test_first_party_disputes_are_excluded_and_service_disputes_are_genuine() -> None:
    rows = labels(label(1, "first_party", days=40), label(2, "service", days=40))
    assert states(Ledger(Records.of(transactions(2), labels=rows)), 41) == [State.EXCLUDED, State.GENUINE]


def test_labels_of_unknown_payments_are_kept_counted_and_used_when_the_payment_arrives() -> None:
    rows = labels(label(2, days=40))
    early = Ledger(Records.of(transactions(1), labels=rows)).as_of(T0 + 50 * DAY_US)
    assert early.unknown_labels == 1
    late = Ledger(Records.of(transactions(2), labels=rows)).as_of(T0 + 50 * DAY_US)
    assert late.unknown_labels == 0
    assert late.of(np.array([2, 1], np.uint64))["label"].tolist() == [1, -1]


def test_a_payment_that_the_ledger_does_not_know_is_immature() -> None:
    known = Ledger(Records.of(transactions(1))).as_of(T0 + 400 * DAY_US)
    assert known.of(np.array([99, 1], np.uint64))["label"].tolist() == [-1, 0]


def test_maturity_is_estimated_from_closed_cohorts_when_there_are_enough_frauds() -> None:
    received = T0 + np.linspace(0, 100 * DAY_US, 201).astype(np.int64)
    time = np.full(201, T0, np.int64)
    assert estimate_maturity_days(time, received, T0 + 181 * DAY_US) == pytest.approx(95)
    assert estimate_maturity_days(time, received, T0 + 179 * DAY_US) == 120
    assert estimate_maturity_days(time[:50], received[:50], T0 + 181 * DAY_US) == 120
