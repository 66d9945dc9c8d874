"""Ordinary traffic: good customers, among them many who look bad.

Travellers, gifts to other addresses, campus and carrier addresses, shared family cards, new phones, movers, flash
sales, subscriptions, card verifications, soft-decline retries and guests: each is a plain rate here, and each feeds the
pool against which single suspicious facts are weighed (`posterior`).
"""

from typing import Final

import numpy as np

from fraud.units import DAY_US, HOUR_US
from simulator.draws import Bools, Float64s, Int64s, choose, mix, uniform_of
from simulator.people.attempts import MISSING, TINY_LOG_PRICE, Attempts, attempts_of, minor_units
from simulator.people.population import Merchants, People, address_in
from simulator.platforms import places
from simulator.platforms.platform import Platform

SOFT_DECLINES: Final = 0.045
HARD_DECLINES: Final = 0.012
RETRY: Final = 0.6
"""Share of soft declines that are tried again with the same order, up to `MAX_RETRIES` times."""
MAX_RETRIES: Final = 2
FLASH_SHARE: Final = 0.012
GIFT_SHARE: Final = 0.05
VERIFICATION_SHARE: Final = 0.02
TINY_SHARE: Final = 0.02
"""In-app purchases, stamps, single songs: what card testers hide among."""
SUBSCRIBER_SHARE: Final = 0.06
SPARE: Final = 1.01
"""Attempts drawn beyond what is needed, so that an exact number is left after retries."""


def ordinary(
    platform: Platform, people: People, merchants: Merchants, rng: np.random.Generator, count: int
) -> Attempts:
    """Draws exactly `count` attempts of good customers, retries included."""
    if count == 0:
        return _purchases(platform, people, merchants, rng, 1).take(np.zeros(0, np.int64))
    drawn = int(count * SPARE) + 1
    attempts = _purchases(platform, people, merchants, rng, drawn)
    attempts = Attempts.concatenate([attempts, *retries_of(attempts, platform, rng)])
    removable = np.flatnonzero((attempts.attempt_no == 1) & (attempts.declined == 0))
    surplus = len(attempts) - count
    if surplus > len(removable):
        return attempts.take(np.arange(count))
    keep = np.ones(len(attempts), np.bool_)
    keep[rng.choice(removable, surplus, replace=False)] = False
    return attempts.take(keep)


def active_people(people: People, rng: np.random.Generator, count: int) -> Int64s:
    """Indices of customers by how much they buy (log-normal); int64 [count]."""
    return choose(rng, np.exp(1.0 * _standard(people)), count)


def _standard(people: People) -> Float64s:
    """A standard normal number that belongs to each person (sum of four uniforms)."""
    total: Float64s = sum((uniform_of(people.person, 50 + i) for i in range(4)), np.zeros(len(people)))
    standard: Float64s = (total - 2.0) * np.sqrt(3.0)
    return standard


def _purchases(
    platform: Platform, people: People, merchants: Merchants, rng: np.random.Generator, count: int
) -> Attempts:
    who = people.take(active_people(people, rng, count))
    time = platform.times(rng, who.tz)
    favourite = who.favourites[np.arange(count), rng.integers(0, who.favourites.shape[1], count)]
    merchant = np.where(rng.random(count) < 0.6, favourite, merchants.draw(rng, count))
    time, merchant = _flash_sales(platform, merchants, rng, time=time, merchant=merchant)
    attempts = attempts_of(who, merchants, rng, time=time, merchant=merchant)
    attempts = _life_events(platform, who, attempts)
    attempts = _other_cards(who, attempts, rng)
    attempts = _gifts(platform, attempts, rng)
    attempts = _subscriptions(who, attempts, platform)
    attempts = _verifications(attempts, rng)
    return attempts.with_columns(declined=choose(rng, _decline_weights(), count))


def _decline_weights() -> tuple[float, float, float]:
    return (1 - SOFT_DECLINES - HARD_DECLINES, SOFT_DECLINES, HARD_DECLINES)


def _flash_sales(
    platform: Platform, merchants: Merchants, rng: np.random.Generator, *, time: Int64s, merchant: Int64s
) -> tuple[Int64s, Int64s]:
    """Moves some purchases into a few crowded hours of single merchants."""
    n = len(time)
    sales = max(1, int((platform.end - platform.begin) / DAY_US / 5))
    sale = rng.integers(0, sales, n)
    moved = rng.random(n) < FLASH_SHARE
    begins = rng.integers(platform.begin, max(platform.end - 3 * HOUR_US, platform.begin + 1), sales)
    crowded = np.minimum(begins[sale] + (rng.exponential(0.8, n) * HOUR_US).astype(np.int64), platform.end - 1)
    return np.where(moved, crowded, time), np.where(moved, merchants.draw(rng, sales)[sale], merchant)


def _life_events(platform: Platform, who: People, attempts: Attempts) -> Attempts:
    """New phones, renewed cards, moves and trips: each person's own dates, drawn from the person's identity."""
    span = platform.end - platform.begin
    year = 365 * DAY_US

    def since(salt: int, yearly: float) -> Bools:
        """Whether the person's event, of the given yearly rate, has happened by the attempt."""
        at = platform.begin + (-np.log1p(-uniform_of(who.identity, salt)) / yearly * year).astype(np.int64)
        return attempts.time >= at

    phone, renewed, moved = since(61, 0.45), since(62, 0.33), since(63, 0.12)
    trip_begin = platform.begin + (uniform_of(who.identity, 64) * span).astype(np.int64)
    away = (
        (attempts.time >= trip_begin) & (attempts.time < trip_begin + 9 * DAY_US) & (uniform_of(who.identity, 65) < 0.3)
    )
    abroad = (who.country + 1 + mix(who.identity, 66) % (len(places.COUNTRIES) - 1)) % len(places.COUNTRIES)
    second_screen = uniform_of(mix(who.identity, attempts.time), 67) < 0.25 * (uniform_of(who.identity, 68) < 0.5)
    device = np.where(phone, mix(who.identity, 69), who.device)
    address = np.where(moved, mix(who.identity, 70), who.address)
    return attempts.with_columns(
        device=np.where(second_screen, mix(who.identity, 71), device),
        card=np.where(renewed, mix(who.identity, 72), attempts.card),
        billing_address=address,
        shipping_address=np.where(attempts.shipping_address == 0, 0, address),
        ip=np.where(away, address_in(abroad, mix(who.identity, 73)), attempts.ip),
        ip_country=np.where(away, abroad, attempts.ip_country),
        asn=np.where(away, 3000 + abroad * 16, attempts.asn),
    )


def _other_cards(who: People, attempts: Attempts, rng: np.random.Generator) -> Attempts:
    """Second cards, and cards shared in a family: two neighbours in the population use one card."""
    n = len(attempts)
    second = rng.random(n) < 0.3
    shared = uniform_of(who.person, 80) < 0.02
    family_card = mix(mix(who.person, 81) % max(2, n // 40), 82)
    card = np.where(second, who.second_card, attempts.card)
    return attempts.with_columns(card=np.where(shared & (rng.random(n) < 0.5), family_card, card))


def _gifts(platform: Platform, attempts: Attempts, rng: np.random.Generator) -> Attempts:
    """Other shipping addresses: friends, offices, parcel lockers that many share."""
    n = len(attempts)
    gift = (rng.random(n) < GIFT_SHARE) & (attempts.shipping_address != 0)
    locker = mix(attempts.billing_country * 512 + rng.integers(0, 40, n), platform.salt ^ 83)
    friend = mix(attempts.customer, 84 + rng.integers(0, 5, n))
    return attempts.with_columns(
        shipping_address=np.where(gift, np.where(rng.random(n) < 0.3, locker, friend), attempts.shipping_address)
    )


def _subscriptions(who: People, attempts: Attempts, platform: Platform) -> Attempts:
    """Merchant-initiated monthly charges: subscribers' purchases at streaming shops fall on their day of the month."""
    subscriber = uniform_of(who.person, 85) < SUBSCRIBER_SHARE / 0.3
    charge = subscriber & np.isin(attempts.goods, places.RECURRING_GOODS) & ~who.guest
    month = 30 * DAY_US
    offset = (uniform_of(who.person, 86) * month).astype(np.int64)
    due = platform.begin + (attempts.time - platform.begin) // month * month + offset
    charge &= due < platform.end
    time = np.where(charge, due, attempts.time)
    return attempts.with_columns(
        time=time,
        card_added=np.minimum(attempts.card_added, time),
        by_merchant=charge,
        device=np.where(charge, 0, attempts.device),
        ip=np.where(charge, 0, attempts.ip),
        session=np.where(charge, 0, attempts.session),
    )


def _verifications(attempts: Attempts, rng: np.random.Generator) -> Attempts:
    """Zero amounts (a card is stored, a trial begins) and tiny ones."""
    n = len(attempts)
    which = np.where(attempts.by_merchant, 1.0, rng.random(n))
    zero, small = which < VERIFICATION_SHARE, which < VERIFICATION_SHARE + TINY_SHARE
    tiny = minor_units(attempts.billing_country, rng.normal(*TINY_LOG_PRICE, n), rng)
    return attempts.with_columns(
        amount=np.where(zero, 0, np.where(small, tiny, attempts.amount)),
        items=np.where(small, 1, attempts.items),
        card_added=np.where(zero & (attempts.card_added != MISSING), attempts.time, attempts.card_added),
        high=attempts.high & ~small,
    )


def retries_of(attempts: Attempts, platform: Platform, rng: np.random.Generator) -> list[Attempts]:
    """Further attempts of softly declined orders: same order, next `attempt_no`, some minutes later."""
    rounds: list[Attempts] = []
    for number in range(MAX_RETRIES):
        again = attempts.take(np.flatnonzero((attempts.declined == 1) & (rng.random(len(attempts)) < RETRY)))
        pause = (rng.exponential(4, len(again)) * 60_000_000).astype(np.int64) + 20_000_000
        time = np.where(again.by_merchant, again.time + DAY_US, again.time + pause)
        outcome = choose(rng, (0.6, 0.36, 0.04), len(again))
        again = again.with_columns(time=time, attempt_no=np.full(len(again), number + 2), declined=outcome)
        attempts = again.take(again.time < platform.end)
        rounds.append(attempts)
    return rounds
