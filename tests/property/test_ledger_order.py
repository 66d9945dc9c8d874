"""Any order of arrival, any duplication, gives one state."""

from itertools import product

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from training.labels.ledger import (
    DECISION_COLUMNS,
    LABEL_COLUMNS,
    OUTCOME_COLUMNS,
    SOURCES,
    VERDICTS,
    Ledger,
    Records,
    resolve_labels,
)

label_rows = st.lists(
    st.fixed_dictionaries(
        {
            "label_id": st.sampled_from("abcdefgh"),
            "transaction": st.integers(1, 3),
            "verdict": st.sampled_from(VERDICTS),
            "source": st.sampled_from(SOURCES),
            "occurred_at": st.integers(0, 3),
            "received_at": st.integers(0, 5),
            "supersedes": st.sampled_from(["", "", "a", "b", "c", "d"]),
        }
    ),
    min_size=1,
    max_size=10,
)
outcome_rows = st.lists(
    st.fixed_dictionaries(
        {
            "outcome_id": st.sampled_from("uvwxyz"),
            "transaction": st.integers(1, 3),
            "time": st.integers(0, 4),
            "kind": st.sampled_from(["authorised", "captured", "declined", "voided", "refunded"]),
            "amount": st.integers(1, 6),
        }
    ),
    max_size=6,
)
decision_rows = st.lists(
    st.fixed_dictionaries(
        {
            "transaction": st.integers(1, 3),
            "time": st.integers(0, 4),
            "action": st.sampled_from(["allow", "review", "block"]),
            "propensity": st.sampled_from([1.0, 0.99, 0.01]),
        }
    ),
    max_size=5,
)
Row = dict[str, object]


def frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows).astype(LABEL_COLUMNS)


def winner(rows: list[Row], at: int, transaction: int) -> str | None:
    """The rule of design §2, written as slowly and plainly as possible."""
    content = ("received_at", "transaction", "verdict", "source", "occurred_at", "supersedes")
    first: dict[object, Row] = {}
    for row in sorted(rows, key=lambda r: tuple(str(r[name]) for name in content)):
        if int(str(row["received_at"])) <= at:
            first.setdefault(row["label_id"], row)
    mine = [row for row in first.values() if row["transaction"] == transaction]
    named = {a["label_id"] for a, b in product(mine, mine) if b["supersedes"] == a["label_id"] and a is not b}
    standing = [row for row in mine if row["label_id"] not in named] or mine
    order = sorted(
        standing,
        key=lambda r: (SOURCES.index(str(r["source"])), -int(str(r["occurred_at"])), str(r["label_id"])),
    )
    return str(order[0]["label_id"]) if order else None


@settings(max_examples=150, deadline=None)
@given(label_rows, st.integers(0, 5))
def test_the_deciding_label_is_the_one_of_the_plain_rule(rows: list[Row], at: int) -> None:
    got = resolve_labels(frame(rows), at)
    expected = {t: w for t in (1, 2, 3) if (w := winner(rows, at, t)) is not None}
    assert dict(zip(got["transaction"].tolist(), got["label_id"].tolist(), strict=True)) == expected


@settings(max_examples=60, deadline=None)
@given(label_rows, outcome_rows, decision_rows, st.data())
def test_any_order_of_arrival_with_duplicates_gives_one_state(
    rows: list[Row], outcomes: list[Row], decisions: list[Row], data: st.DataObject
) -> None:
    def again(kind: list[Row]) -> list[Row]:
        twice = data.draw(st.lists(st.sampled_from(kind), max_size=4)) if kind else []
        return data.draw(st.permutations(kind + twice))

    def records(payments: pd.DataFrame, *kinds: list[Row]) -> Records:
        columns = ({"labels": LABEL_COLUMNS}, {"outcomes": OUTCOME_COLUMNS}, {"decisions": DECISION_COLUMNS})
        named = {name: pd.DataFrame(kind, columns=list(types)).astype(types)
                 for kind, one in zip(kinds, columns, strict=True) for name, types in one.items()}  # fmt: skip
        return Records.of(payments, **named)

    transactions = pd.DataFrame(
        {"transaction": np.array([1, 2, 3], np.uint64), "time": np.array([0, 1, 2]), "amount": np.array([5, 5, 5])}
    )
    shuffled = transactions.iloc[data.draw(st.permutations([0, 1, 2, 0]))]
    first = Ledger(records(transactions, rows, outcomes, decisions), maturity_days=0)
    second = Ledger(records(shuffled, again(rows), again(outcomes), again(decisions)), maturity_days=0)
    for at in range(6):
        one, two = first.as_of(at), second.as_of(at)
        pd.testing.assert_frame_equal(one.frame.sort_index(), two.frame.sort_index())
        assert one.unknown_labels == two.unknown_labels
