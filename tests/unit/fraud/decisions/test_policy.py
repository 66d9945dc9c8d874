"""From scores to actions, by cost and capacity."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.decisions.policy import ACTIONS, CostModel, InvalidPolicy, Policy
from fraud.decisions.review_budget import HOURS, Capacity, ReviewBudget
from fraud.timestamps import parse_time

MICRO = 1_000_000
MONDAY = parse_time("2026-01-05T00:00:00Z")
HOUR = 3_600_000_000
SHARES = st.floats(0, 1)
MONEY = st.floats(0, 500)


def action(policy: Policy, score: float, amount: float) -> str:
    return ACTIONS[int(policy.decide([score], [int(amount * MICRO)]).action[0])]


def review_only(per_day: float, *, burst_hours: float = 24.0, weights: tuple[float, ...] = (1.0,) * HOURS) -> Policy:
    """A policy that reviews every likely fraud, while it may; then it allows."""
    capacity = Capacity(per_day=per_day, burst_hours=burst_hours, weights=weights)
    return Policy.from_costs(CostModel(), actions=("allow", "review"), review_capacity=capacity)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    shares = ("recovery", "margin", "review_miss", "review_wrong", "challenge_abandon", "challenge_pass")
    money = ("churn", "review_price", "challenge_fee")
    costs = CostModel(**{name: draw(SHARES) for name in shares} | {name: draw(MONEY) for name in money})
    return Policy.from_costs(costs, actions=("allow", *draw(st.sets(st.sampled_from(ACTIONS[1:])))))


@given(policies(), SHARES, st.floats(0, 1e6))
def test_no_possible_action_is_cheaper_than_the_chosen_one(policy: Policy, score: float, amount: float) -> None:
    decided = policy.decide([score], [int(amount * MICRO)])
    costs = dict(zip(ACTIONS, decided.cost[0], strict=True))
    chosen = ACTIONS[decided.action[0]]
    assert chosen in policy.actions
    assert costs[chosen] == min(costs[name] for name in policy.actions)


@given(policies(), SHARES, st.floats(0, 1e6))
def test_a_payment_is_allowed_below_its_threshold_and_only_there(policy: Policy, score: float, amount: float) -> None:
    decided = policy.decide([score], [int(amount * MICRO)])
    threshold = decided.threshold[0]
    if score < threshold - 1e-9:
        assert not decided.flagged[0]
    elif score > threshold + 1e-9:
        assert decided.flagged[0]


def test_actions_grow_stricter_with_the_score() -> None:
    assert [action(Policy.default(), score, 200) for score in (0.001, 0.05, 0.3, 0.99)] == list(ACTIONS)


def test_a_dear_mistake_moves_the_action() -> None:
    costly = Policy.from_costs(CostModel(churn=10_000))
    assert action(Policy.default(), 0.9, 50) == "block"
    assert action(costly, 0.9, 50) == "challenge"


def test_a_card_verification_of_zero_is_not_free_to_allow() -> None:
    assert action(Policy.default(), 0.9, 0) != "allow"


def test_nothing_is_flagged_below_the_floor() -> None:
    policy = Policy.from_costs(CostModel(), flag_from=0.5)
    assert action(policy, 0.49, 1000) == "allow"
    assert action(policy, 0.51, 1000) != "allow"
    assert policy.decide([0.4], [1000 * MICRO]).threshold[0] == 0.5


def test_reviews_past_the_capacity_take_the_next_cheapest_action() -> None:
    policy = review_only(3)
    decided = policy.decide([0.5] * 5, [1000 * MICRO] * 5, time_us=[MONDAY] * 5)
    assert [ACTIONS[a] for a in decided.action] == ["review"] * 3 + ["allow"] * 2


def test_capacity_comes_back_as_event_time_passes() -> None:
    policy = review_only(24)
    times = [MONDAY] * 30 + [MONDAY + 2 * HOUR] * 5
    decided = policy.decide([0.5] * 35, [1000 * MICRO] * 35, time_us=times)
    reviews = [ACTIONS[a] == "review" for a in decided.action]
    assert sum(reviews[:30]) == 24
    assert sum(reviews[30:]) == 2


def test_capacity_follows_the_hours_of_the_week() -> None:
    office = tuple(1.0 if 9 <= hour % 24 < 17 and hour < 120 else 0.0 for hour in range(HOURS))
    policy = review_only(8 * 5 / 7, burst_hours=0.1, weights=office)
    times = [MONDAY + minute * 60_000_000 for minute in range(24 * 60)]
    decided = policy.decide([0.5] * len(times), [1000 * MICRO] * len(times), time_us=times)
    hours = [minute // 60 for minute, a in enumerate(decided.action) if ACTIONS[a] == "review"]
    assert set(hours[1:]) <= set(range(9, 18))
    assert 7 <= len(hours) - 1 <= 8


@given(st.lists(st.tuples(SHARES, st.integers(0, 10**10)), min_size=1, max_size=30), st.integers(1, 29))
def test_any_batching_gives_the_same_actions(steps: list[tuple[float, int]], cut: int) -> None:
    policy = review_only(50, burst_hours=1)
    scores, gaps = zip(*steps, strict=True)
    times = MONDAY + np.cumsum(gaps)
    amounts = np.full(len(steps), 500 * MICRO)
    whole = policy.decide(scores, amounts, time_us=times)
    first = policy.decide(scores[:cut], amounts[:cut], time_us=times[:cut])
    second = policy.decide(scores[cut:], amounts[cut:], time_us=times[cut:], review_budget=first.review_budget)
    assert whole.action.tolist() == [*first.action, *second.action]
    assert whole.review_budget == second.review_budget


def test_a_late_event_does_not_turn_back_the_pacing() -> None:
    capacity = Capacity(per_day=24, burst_hours=1)
    _, review_budget = ReviewBudget().take(MONDAY + HOUR, capacity)
    possible, later = review_budget.take(MONDAY, capacity)
    assert not possible
    assert later.time == MONDAY + HOUR


def test_a_policy_survives_writing_and_carries_its_reasoning() -> None:
    policy = review_only(40)
    assert Policy.parse(policy.model_dump_json()) == policy
    assert "40 reviews a day" in policy.reasoning
    assert "review from" in policy.reasoning


def test_the_version_changes_with_what_decides_and_not_with_the_words() -> None:
    policy = Policy.default()
    assert policy.model_copy(update={"reasoning": "because"}).version == policy.version
    assert Policy.from_costs(CostModel(churn=9)).version != policy.version


@pytest.mark.parametrize(
    "changes",
    [
        {"costs": {"margin": 2}},
        {"costs": {"typo": 1}},
        {"levels": [0.8, 0.4, 0.1]},
        {"actions": ["block"]},
        {"base_currency": None},
        {"flag_from": float("nan")},
        {"review_capacity": {"per_day": 3, "weights": [1, 2]}},
        {"review_capacity": {"per_day": 0}},
    ],
)
def test_a_wrong_policy_file_is_refused_in_one_line(changes: dict[str, object]) -> None:
    content = json.loads(Policy.default().model_dump_json()) | changes
    with pytest.raises(InvalidPolicy, match=r"policy\.json") as caught:
        Policy.parse(json.dumps(content))
    assert "\n" not in str(caught.value)


def test_risk_levels_begin_where_the_policy_says() -> None:
    levels = [Policy.default().risk_level(score) for score in (0.0, 0.1, 0.4, 0.8, 1.0)]
    assert levels == ["low", "medium", "high", "critical", "critical"]


UNUSABLE = st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.5, 1.5])


@given(policies(), UNUSABLE, st.floats(0, 1e6))
def test_what_is_no_score_is_never_allowed_while_anything_else_can_be_done(
    policy: Policy, score: float, amount: float
) -> None:
    decided = policy.decide([score, 0.0], [int(amount * MICRO)] * 2)
    order = [name for name in ("review", "challenge", "block", "allow") if name in policy.actions]
    assert ACTIONS[decided.action[0]] == order[0]
    assert decided.unscored.tolist() == [True, False]
    assert decided.score[0] == decided.threshold[0], "which is a number within 0..1, and not below what is allowed"
    assert np.isfinite(decided.cost).all()


def test_payments_without_a_score_take_from_the_capacity_for_reviews_and_are_then_challenged() -> None:
    capacity = Capacity(per_day=2, burst_hours=24.0, weights=(1.0,) * HOURS)
    policy = Policy.from_costs(CostModel(), review_capacity=capacity)
    decided = policy.decide([float("nan")] * 4, [100 * MICRO] * 4, time_us=[MONDAY] * 4)
    assert [ACTIONS[number] for number in decided.action] == ["review", "review", "challenge", "challenge"]
