"""Who is let in, what a key may ask, and how many shops have series of their own."""

import pytest
from prometheus_client import CollectorRegistry

from gateway.checkout.admission import LEAST, START, Admission
from gateway.checkout.fallback import Fallback
from gateway.limits import RateLimits
from gateway.metrics import MOST_SHOPS, OTHERS, Metrics


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fill(admission: Admission, shop: str) -> int:
    """How many payments of a shop are let in before one is not."""
    count = 0
    while admission.admits(shop):
        admission.enter(shop)
        count += 1
    return count


def test_one_shop_gets_two_thirds_and_the_next_one_finds_room() -> None:
    admission = Admission(60, Clock())
    assert fill(admission, "flood") == 40
    assert fill(admission, "small") > 10
    assert admission.outstanding < 60
    admission.leave("flood")
    assert admission.outstanding == sum(admission._shops.values())


def test_the_bound_shrinks_with_slow_decisions_a_step_at_a_time_and_comes_back() -> None:
    clock = Clock()
    admission = Admission(512, clock)
    for _ in range(100):
        admission.late()
    assert admission.limit == START * 0.9, "one step: the others were let in before it"
    for _ in range(100):
        clock.now += 1
        admission.decided(0.2, deadline=0.25)
    assert admission.limit == LEAST
    while admission.admits("a"):
        admission.enter("a")
    for _ in range(50):
        admission.decided(0.01, deadline=0.25)
    assert admission.limit == LEAST + 50 or admission.outstanding * 2 <= admission.limit


def test_an_idle_gateway_does_not_raise_its_bound() -> None:
    admission = Admission(512, Clock())
    for _ in range(1_000):
        admission.decided(0.01, deadline=0.25)
    assert admission.limit == START


def test_what_nobody_waits_for_leaves_half_of_the_bound() -> None:
    admission = Admission(40, Clock())
    assert admission.spare == 20
    for _ in range(25):
        admission.enter("a")
    assert admission.spare == 0


def test_a_bucket_holds_two_seconds_and_fills_again() -> None:
    clock = Clock()
    limits = RateLimits(10.0, clock)
    assert [limits.take("k", None) for _ in range(20)] == [0.0] * 20
    assert limits.take("k", None) == pytest.approx(0.1)
    assert limits.take("other", None) == 0.0
    clock.now = 0.5
    assert [limits.take("k", None) for _ in range(5)] == [0.0] * 5
    assert limits.take("k", None) > 0
    assert limits.take("k", None, cost=1_000.0) == pytest.approx(2.0, abs=0.1), "more than it holds counts as full"


def test_the_fallback_is_read_as_it_is_declared() -> None:
    fallback = Fallback.parse("allow:50, challenge:500, review")
    assert [fallback.action(amount) for amount in (0, 50, 50.01, 500, 1e9)] == [
        "allow", "allow", "challenge", "challenge", "review",
    ]  # fmt: skip
    assert str(fallback) == "allow:50,challenge:500,review"
    assert Fallback.parse("block").action(0) == "block"


@pytest.mark.parametrize("text", ["", "allow:5", "allow,review", "allow:x,review", "allow:9,block:5,review", "yes"])
def test_a_fallback_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"action|amount"):
        Fallback.parse(text)


def test_shops_beyond_the_bound_share_a_series() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for number in range(3 * MOST_SHOPS):
        metrics.answered(f"shop-{number}", "decision")
    (family,) = (one for one in registry.collect() if one.name == "fraud_gateway_answers")
    shops = {sample.labels["shop"]: sample.value for sample in family.samples}
    assert len(shops) == MOST_SHOPS + 1
    assert shops[OTHERS] == 2 * MOST_SHOPS
