"""What the simulated platforms share with real ones, as statistics of the known truth."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fraud.units import DAY_US, HOUR_US
from simulator.config import InvalidSimulation, SimulationConfig, preset
from simulator.fraud_patterns.catalogue import PATTERNS
from simulator.people.attempts import MISSING, Attempts
from simulator.simulation import Simulation, simulate

BASE = SimulationConfig(transactions=120_000, seed=11, base_rate=0.02)


@pytest.fixture(scope="module")
def crowded() -> Simulation:
    return simulate(BASE)


@pytest.fixture(scope="module")
def pair() -> tuple[Attempts, Attempts]:
    source, target = preset("positive", source=replace(BASE, seed=5))
    return simulate(source).attempts, simulate(target).attempts


def test_a_share_of_the_frauds_follows_no_pattern(crowded: Simulation) -> None:
    a = crowded.attempts
    lone = a.fraud & (a.kind == 0)
    assert lone.sum() == pytest.approx(BASE.transactions * BASE.base_rate * BASE.lone_share, rel=0.25)
    assert not (lone & a.friendly).any()
    assert not (lone & a.by_merchant).any()
    # Most are known customers, or guests, with a card and a device of their own.
    assert (lone & (a.account_created < a.time - 30 * DAY_US)).sum() > 0.3 * lone.sum()


def test_lone_frauds_show_their_signs_more_often_and_under_another_concept_less(crowded: Simulation) -> None:
    def foreign(a: Attempts) -> tuple[float, float]:
        ordinary = a.kind == 0
        sign = a.ip_country != a.card_country
        return float(sign[ordinary & a.fraud].mean()), float(sign[ordinary & ~a.fraud].mean())

    fraud, good = foreign(crowded.attempts)
    assert fraud > 2 * good
    fraud, good = foreign(simulate(replace(BASE, concept_shift=1.0)).attempts)
    assert fraud < good


def test_no_lone_share_means_no_fraud_in_ordinary_traffic() -> None:
    a = simulate(replace(BASE, transactions=20_000, lone_share=0.0)).attempts
    assert not a.fraud[a.kind == 0].any()
    assert a.fraud.any()


def test_single_stolen_cards_are_one_payment_each(crowded: Simulation) -> None:
    a = crowded.attempts
    single = a.kind == 1 + [p.name for p in PATTERNS].index("single_stolen_card")
    assert single.sum() == len(np.unique(a.episode[single]))
    assert 100 < a.fraud[single].sum() < 0.5 * single.sum()


def test_ages_of_young_accounts_have_no_edge_and_no_gap(crowded: Simulation) -> None:
    a = crowded.attempts
    age = (a.time - a.account_created)[a.account_created != MISSING] / HOUR_US
    edges = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    counts = np.histogram(age, edges)[0]
    assert counts.min() > 100
    steps = counts[1:] / counts[:-1]
    assert steps.min() > 0.5, "a gap, or the edge of a constant"
    assert steps.max() < 2.5


def test_a_young_account_is_rarely_a_pattern_and_a_pattern_often_no_young_account() -> None:
    a = simulate(SimulationConfig(transactions=150_000, seed=3)).attempts
    known = a.account_created != MISSING
    young = known & (a.time - a.account_created < 6 * HOUR_US)
    assert (a.kind[young] > 0).mean() < 0.2
    assert young[a.fraud].mean() < 0.2


def test_no_account_or_card_is_younger_than_its_payment(crowded: Simulation) -> None:
    a = crowded.attempts
    for since in (a.account_created, a.card_added):
        assert (since <= a.time).all()


@pytest.mark.parametrize("column", ["device", "email", "card"])
def test_what_a_thief_used_on_one_platform_is_seen_on_the_other(column: str, pair: tuple[Attempts, Attempts]) -> None:
    source, target = pair
    used = np.unique(getattr(source, column)[source.fraud])
    met = np.isin(getattr(target, column), used[used != 0])
    assert 0.05 < met[target.fraud].mean() < 0.35
    # It tells much, but its owner may be honest: victims, contested tools.
    assert 10 * target.fraud.mean() < target.fraud[met].mean() < 0.95


def test_some_honest_customers_are_known_to_both_platforms(pair: tuple[Attempts, Attempts]) -> None:
    source, target = (a.take(~a.fraud & (a.kind == 0)) for a in pair)
    known = np.isin(target.card, np.unique(source.card))
    assert 0.03 < known.mean() < 0.10
    assert not np.isin(target.customer[~target.guest], source.customer[~source.guest]).any()


def test_a_shared_card_has_the_same_bank_and_country_everywhere(pair: tuple[Attempts, Attempts]) -> None:
    source, target = (a.take(a.kind == 0) for a in pair)
    cards, where = np.unique(source.card, return_index=True)
    place = np.searchsorted(cards, target.card)
    place = np.minimum(place, len(cards) - 1)
    shared = cards[place] == target.card
    assert shared.sum() > 1_000
    for column in ("bin", "card_country", "funding"):
        same = getattr(target, column)[shared] == getattr(source, column)[where[place]][shared]
        assert same.mean() > 0.98, column  # a family's card is in two purses


def test_nothing_on_one_platform_tells_a_shared_episode(pair: tuple[Attempts, Attempts]) -> None:
    """Both readings share equally often, and no shared id comes twice on a platform."""
    source, target = pair
    shares = []
    for reading in (False, True):
        mine = np.unique(target.episode[(target.kind > 0) & (target.fraud == reading)])
        shares.append(np.isin(mine, source.episode).mean())
    assert shares[0] == pytest.approx(shares[1], abs=0.08)
    both = np.intersect1d(target.episode[target.fraud], target.episode[~target.fraud])
    assert both.tolist() in ([], [0])


def test_rings_give_up_devices_and_addresses(crowded: Simulation) -> None:
    a = crowded.attempts
    rows = a.kind == 1 + [p.name for p in PATTERNS].index("reshipping_ring")
    days = (a.time - a.time.min()) // DAY_US
    early, late = rows & (days < 30), rows & (days >= 90)
    for column in ("device", "shipping_address"):
        ids = getattr(a, column)
        first, last = (set(np.unique(ids[part])) - {0} for part in (early, late))
        assert len(first & last) < 0.1 * len(first), column
    # Within some days a ring is still itself.
    weeks = [set(np.unique(a.device[rows & (days >= 7 * k) & (days < 7 * k + 7)])) for k in range(8)]
    assert np.mean([len(a & b) / len(a) for a, b in pairwise(weeks)]) > 0.3


def test_the_milder_negative_preset_lies_between() -> None:
    concept = {name: preset(name, source=BASE)[1].concept_shift for name in ("neutral", "mild-negative", "negative")}
    assert concept["neutral"] < concept["mild-negative"] < concept["negative"]


def test_each_platform_of_a_pair_knows_a_pattern_that_the_other_has_never_seen() -> None:
    counts = [simulate(config).summary() for config in preset("positive", source=replace(BASE, transactions=60_000))]
    source, target = (summary.by_pattern for summary in counts)
    assert source["low_and_slow"] == target["bust_out"] == 0
    assert min(source["bust_out"], target["low_and_slow"], source["household_tablet"]) > 10
    # What is absent leaves its share of the frauds to the others.
    assert counts[0].base_rate == pytest.approx(BASE.base_rate, rel=0.2)


@pytest.mark.parametrize("absent", [("piracy",), tuple(pattern.name for pattern in PATTERNS)])
def test_what_cannot_be_absent_is_refused(absent: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSimulation, match="absent: "):
        simulate(replace(BASE, transactions=100, absent=absent))
