"""Levers stand in for the policy until they expire, however the log is cut into batches."""

import numpy as np
import pytest

from fraud.contracts.controls import PolicyLevers
from fraud.controls.effects import ALWAYS
from fraud.controls.levers import Lever, Levered, decide_under, with_levers
from fraud.decisions.policy import CostModel, Policy
from fraud.decisions.review_budget import Capacity, ReviewBudget
from fraud.money import MICRO

POLICY = Policy.from_costs(CostModel(), review_capacity=Capacity(per_day=48))
HOUR = 3_600_000_000
DAY_20000 = 20_000 * 24 * HOUR


def lever(name: str, span: tuple[int, int] = ALWAYS, **levers: object) -> Lever:
    return Lever(f"{name}@1", span, PolicyLevers.model_validate(levers))


def decide(levers: list[Lever], *, n: int = 40, budget: ReviewBudget | None = None, first: int = 0) -> Levered:
    rows = np.arange(first, first + n)
    return decide_under(
        levers,
        POLICY,
        0.05 + 0.02 * (rows % 10),
        np.full(n, 200 * MICRO),
        time_us=DAY_20000 + rows * HOUR // 10,
        review_budget=budget or ReviewBudget(),
    )


def test_a_lever_holds_by_event_time_and_the_policy_before_and_after() -> None:
    start, end = DAY_20000 + HOUR, DAY_20000 + 2 * HOUR
    levered = decide([lever("sale", (start, end), flag_from=0.9)])
    held = np.array([bool(names) for names in levered.names])
    assert held.tolist() == [10 <= row < 20 for row in range(40)]
    assert (levered.chosen.action[held] == 0).all()
    assert (levered.chosen.threshold[held] == 0.9).all()
    assert (levered.chosen.action[~held] > 0).any()


def test_of_two_levers_on_one_thing_the_later_holds_and_others_stay() -> None:
    levered = decide([lever("a", flag_from=0.9, explore_share=0.1), lever("b", flag_from=0.0)], n=1)
    assert levered.names == [("a@1", "b@1")]
    assert levered.chosen.threshold[0] < 0.9
    assert levered.explore_share.tolist() == [0.1]


@pytest.mark.parametrize("cut", [1, 7, 15, 39])
def test_batches_may_be_cut_anywhere(cut: int) -> None:
    levers = [lever("few", (DAY_20000 + HOUR, DAY_20000 + 3 * HOUR), review_capacity=1.0)]
    whole = decide(levers)
    head = decide(levers, n=cut)
    tail = decide(levers, n=40 - cut, first=cut, budget=head.chosen.review_budget)
    assert whole.chosen.action.tolist() == [*head.chosen.action.tolist(), *tail.chosen.action.tolist()]
    assert whole.chosen.review_budget == tail.chosen.review_budget
    assert (whole.chosen.action == 2).any()


def test_costs_are_changed_by_name_and_an_unknown_one_does_nothing() -> None:
    levered = with_levers(POLICY, PolicyLevers(costs={"churn": 99.0}))
    assert (levered.costs.churn, levered.costs.margin) == (99.0, POLICY.costs.margin)
    odd = decide([lever("odd", costs={"curn": 1.0}), lever("share", costs={"recovery": 7.0})])
    assert odd.uncomputed == {"odd@1": 40, "share@1": 40}
    assert set(odd.names) == {()}
    assert odd.chosen.action.tolist() == decide([lever("none", explore_share=0.5)]).chosen.action.tolist()
