"""Exploration: which would-be blocks are let through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.decisions.exploration import BLOCK, Exploration, Explored, Spent, sample_allowed
from fraud.decisions.policy import ACTIONS, ALLOW

MICRO = 1_000_000
DAY = 86_400_000_000


def apply(
    exploration: Exploration,
    n: int,
    *,
    amount: float = 10,
    time: int = 0,
    spent: Spent | None = None,
    action: int = BLOCK,
) -> Explored:
    return exploration.apply(
        np.full(n, action, np.uint8),
        transaction_ids=[f"tx-{i}" for i in range(n)],
        amount_micro=np.full(n, round(amount * MICRO)),
        time_us=np.full(n, time),
        spent=spent or Spent(),
    )


def test_about_the_asked_share_of_blocks_is_let_through() -> None:
    explored = apply(Exploration(b"k", 0.05, 1e9), 20_000)
    assert explored.chosen.mean() == pytest.approx(0.05, abs=0.005)
    assert (explored.action[explored.chosen] == ALLOW).all()
    assert (explored.action[~explored.chosen] == BLOCK).all()


def test_the_propensity_is_the_probability_of_what_was_done() -> None:
    explored = apply(Exploration(b"k", 0.05, 1e9), 2_000)
    assert set(explored.propensity[explored.chosen]) == {0.05}
    assert set(explored.propensity[~explored.chosen]) == {0.95}
    weights = explored.chosen / explored.propensity
    assert weights.mean() == pytest.approx(1.0, abs=0.25), "inverse propensities count every block once on average"


@pytest.mark.parametrize("action", [0, 1, 2])
def test_only_blocks_are_explored(action: int) -> None:
    explored = apply(Exploration(b"k", 1.0, 1e9), 10, action=action)
    assert not explored.chosen.any()
    assert (explored.propensity == 1).all()


def test_nothing_is_explored_by_default_share_zero() -> None:
    explored = apply(Exploration(b"k", 0.0, 1e9), 100)
    assert not explored.chosen.any()
    assert (explored.propensity == 1).all()


def test_the_money_let_through_on_a_day_is_capped_and_starts_anew_the_next() -> None:
    exploration = Exploration(b"k", 1.0, 95)
    first = apply(exploration, 20)
    assert first.chosen.sum() == 9
    assert first.spent == Spent(0, 90 * MICRO)
    assert (first.propensity[~first.chosen] == 1).all(), "without budget the block is certain"
    assert apply(exploration, 20, spent=first.spent).chosen.sum() == 0
    assert apply(exploration, 20, time=DAY, spent=first.spent).chosen.sum() == 9


def test_a_late_event_counts_to_the_newest_day() -> None:
    exploration = Exploration(b"k", 1.0, 95)
    assert apply(exploration, 20, time=0, spent=Spent(1, 90 * MICRO)).chosen.sum() == 0


def test_the_draw_depends_on_secret_and_transaction_only() -> None:
    first, second = Exploration(b"a", 0.5, 1), Exploration(b"b", 0.1, 9)
    ids = [f"tx-{i}" for i in range(50)]
    assert [first.draw(i) for i in ids] == [Exploration(b"a", 0.9, 5).draw(i) for i in ids]
    assert [first.draw(i) for i in ids] != [second.draw(i) for i in ids]
    assert all(0 <= first.draw(i) < 1 for i in ids)


@given(st.integers(1, 39), st.floats(0, 1), st.floats(0, 300))
def test_any_batching_explores_the_same(cut: int, share: float, budget: float) -> None:
    exploration = Exploration(b"k", share, budget)
    ids = [f"tx-{i}" for i in range(40)]
    action = np.full(40, BLOCK, np.uint8)
    amounts, times = np.arange(40) * MICRO, np.arange(40) * DAY // 15

    def run(rows: slice, spent: Spent) -> Explored:
        return exploration.apply(
            action[rows], transaction_ids=ids[rows], amount_micro=amounts[rows], time_us=times[rows], spent=spent
        )

    whole = run(slice(None), Spent())
    first = run(slice(cut), Spent())
    second = run(slice(cut, None), first.spent)
    assert whole.action.tolist() == [*first.action, *second.action]
    assert whole.propensity.tolist() == [*first.propensity, *second.propensity]
    assert whole.spent == second.spent


def test_a_share_of_what_is_allowed_is_sent_to_review_with_its_propensity() -> None:
    n = 5_000
    action = np.array([ACTIONS.index("allow")] * n + [BLOCK, ACTIONS.index("challenge")], np.uint8)
    share = np.array([0.1] * (n // 2) + [0.0] * (n // 2) + [0.1, 0.1])
    ids = [f"t{row}" for row in range(n + 2)]
    final, propensity = sample_allowed(action, share, transaction_ids=ids, secret=b"secret")
    sampled = final == ACTIONS.index("review")
    assert sampled[: n // 2].mean() == pytest.approx(0.1, abs=0.02)
    assert not sampled[n // 2 :].any()
    assert set(propensity[sampled]) == {0.1}
    assert set(propensity[: n // 2][~sampled[: n // 2]]) == {0.9}
    assert (propensity[n // 2 :] == 1).all()
    again, _ = sample_allowed(action[:7], share[:7], transaction_ids=ids[:7], secret=b"secret")
    assert (again == final[:7]).all()
