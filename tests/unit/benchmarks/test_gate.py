"""The gate's Monte Carlo, short: what a year of weekly looks promotes by mistake, and what one look finds."""

import numpy as np

from benchmarks.gate import YEARS, Frauds, Plan, false_promotions, passes, share, year


def test_a_year_of_weekly_looks_at_equal_candidates_promotes_hardly_ever() -> None:
    years = false_promotions(YEARS["equal, 200 frauds a year"], years=12, seed=11)
    assert sum(one.promoted for one in years) <= 1
    assert all(one.due == 0 for one in years)


def test_a_slow_decline_is_not_followed() -> None:
    years = false_promotions(YEARS["declining, 200 frauds a year"], years=8, seed=12)
    assert not any(one.promoted for one in years)
    assert all(one.lost == 0 for one in years)


def test_a_clear_gain_is_found_and_the_more_surely_the_more_frauds_there_are() -> None:
    found = {count: np.mean([passes(count, 0.35, seed, learnt=(9, 9))[0] for seed in range(15)]) for count in (20, 300)}
    assert found[20] < found[300]
    assert found[300] > 0.9


def test_a_candidate_that_learnt_from_twice_the_frauds_is_at_least_due_where_it_looks_better() -> None:
    seen = [passes(50, 0.1, seed, learnt=(50, 25)) for seed in range(15)]
    assert np.mean([direct for direct, _ in seen]) < 0.3
    assert np.mean([either for _, either in seen]) > 0.5


def test_episodes_hold_a_few_frauds_each_and_the_same_seed_gives_the_same_year() -> None:
    frauds = Frauds.draw(400, 0, np.random.default_rng(1))
    assert 3 < len(frauds.hard) / 400 < 5
    plan = Plan(weekly=0.5)
    assert year(plan, 3) == year(plan, 3)
    assert share("x", [True, False]).value == 0.5
