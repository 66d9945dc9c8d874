"""Three periods of a model that blocks, small: what each way of looking at its labels makes of its precision."""

import numpy as np
import pytest

from benchmarks.exploration import ALLOW, BLOCK, REVIEW, WAYS, Payments, Period, Plan, Shop, Way, figures, payments_of

PLAN = Plan(transactions=9_000, periods=3, period_days=40, warm_days=120, flag_share=0.05, epsilon=0.3)


@pytest.fixture(scope="module")
def payments() -> Payments:
    return payments_of(PLAN, 1)


@pytest.fixture(scope="module")
def shops(payments: Payments) -> dict[Way, tuple[Shop, list[Period]]]:
    made = {way: Shop(payments, PLAN, way) for way in WAYS}
    return {way: (shop, list(shop.run())) for way, shop in made.items()}


def test_blocked_payments_are_in_no_label_and_explored_ones_carry_their_propensity(
    shops: dict[Way, tuple[Shop, list[Period]]],
) -> None:
    shop, _ = shops["weighted"]
    ids = shop.payments.data.transaction
    assert not np.isin(shop.ledger().records.labels["transaction"], ids[shop.action == BLOCK]).any()
    explored = (shop.model_action == BLOCK) & (shop.action == ALLOW)
    assert 0.15 < explored.sum() / (shop.model_action == BLOCK).sum() < 0.45
    assert set(shop.propensity[explored]) == {PLAN.epsilon}
    assert set(shop.propensity[shop.action == REVIEW]) == {1.0}
    assert ((shops["naive"][0].action == BLOCK) == (shops["naive"][0].model_action == BLOCK)).all()


def test_weighing_comes_nearer_to_the_truth_than_silence(shops: dict[Way, tuple[Shop, list[Period]]]) -> None:
    last = {way: periods[-1] for way, (_, periods) in shops.items()}
    error = {way: abs(period.estimate.value - period.truth) for way, period in last.items()}
    assert last["naive"].estimate.value < last["naive"].truth
    assert last["weighted"].estimate.low <= last["weighted"].truth <= last["weighted"].estimate.high
    # Against leaving blocked payments out, so few frauds would be a matter of luck: `make bench-exploration` tells.
    assert error["weighted"] < error["naive"]


def test_the_figures_tell_error_and_coverage_of_each_way(shops: dict[Way, tuple[Shop, list[Period]]]) -> None:
    told = {figure.name: figure.value for figure in figures([{way: periods for way, (_, periods) in shops.items()}])}
    assert told["weighted_covered"] == 1.0
    assert told["naive_error"] > told["weighted_error"]
    assert told["seeds"] == 1
