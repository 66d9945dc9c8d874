"""Episodes: runs of attempts that belong together, fraudulent or the look-alike, drawn by one piece of machinery."""

from typing import Final

import numpy as np

from fraud.units import DAY_US
from simulator.draws import Bools, Int64s, choose, mix, salt_of, uniform_of
from simulator.fraud_patterns.belongings import keys_of, with_belongings
from simulator.fraud_patterns.catalogue import Pattern
from simulator.fraud_patterns.runs import Runs, before, runs_of
from simulator.people.attempts import MISSING, NONE, TINY_LOG_PRICE, Attempts, attempts_of, minor_units
from simulator.people.behaviour import active_people
from simulator.people.population import (
    Marketplace,
    Merchants,
    People,
    address_in,
    age_at_first_purchase,
    people_of,
)
from simulator.platforms import places
from simulator.platforms.platform import Platform
from simulator.truth import observables as facts

YOUNG_HOURS: Final = 5.0
"""Median age of a newcomer's account at its first purchase, for both readings."""


def episodes(
    marketplace: Marketplace, pattern: Pattern, kind: int, rng: np.random.Generator, count: int, *, begin: int, end: int
) -> Attempts:
    """Attempts of `count` episodes that begin within [begin, end); what falls beyond the platform's end is cut off."""
    runs = runs_of(pattern, rng, count)
    key, shared = keys_of(marketplace.platform, runs, kind=kind, begin=begin)
    people, person_of = _identities(
        marketplace, pattern, runs, rng, key=np.where(shared, key, 0), kind=kind, begin=begin
    )
    tz = people.tz[person_of[runs.step == 1]]
    time = _times(marketplace.platform, pattern, runs, rng, tz=tz, begin=begin, end=end)
    merchant, change = _shops(marketplace, pattern, runs, rng)
    attempts = attempts_of(
        people.take(person_of),
        marketplace.merchants,
        rng,
        time=time,
        merchant=merchant,
        high=runs.high[runs.of],
    )
    attempts = _accounts(attempts, pattern, key)
    attempts = with_belongings(marketplace, attempts, pattern, runs, key=key, change=change)
    attempts = _from_abroad(attempts, runs, key)
    attempts = _amounts(attempts, pattern, rng)
    soft = choose(rng, (0.55, 0.45), len(attempts)) + 1
    attempts = attempts.with_columns(
        declined=np.where(runs.declined, soft, 0),
        kind=np.full(len(attempts), kind, np.int64),
        episode=key,
        fraud=runs.fraud[runs.of],
        belief=runs.belief,
        visible=(runs.step >= pattern.visible_from) & (pattern.visible_from > 0),
        high=runs.high[runs.of] & (attempts.amount > 0),
    )
    return attempts.take(attempts.time < marketplace.platform.end)


def _identities(
    marketplace: Marketplace,
    pattern: Pattern,
    runs: Runs,
    rng: np.random.Generator,
    *,
    key: Int64s,
    kind: int,
    begin: int,
) -> tuple[People, Int64s]:
    """The people of the episodes, and which of them pays at each attempt; [n]. `key` is 0 where it is not shared."""
    if pattern.who == "customer":
        chosen = active_people(marketplace.customers, rng, len(runs.fraud))
        known = marketplace.customers.take(chosen)
        return known, runs.of
    one = pattern.who == "newcomer"
    shared = np.where(key != 0, mix(key, np.where(one, 0, runs.step)), 0)[runs.step == 1 if one else slice(None)]
    purpose = salt_of("newcomers", kind, begin) % (1 << 28) + 2
    people = people_of(
        marketplace.platform, marketplace.merchants, rng, len(shared), purpose=purpose, shared=shared, fresh=True
    )
    return people, runs.of if one else np.arange(len(shared))


def _times(
    platform: Platform, pattern: Pattern, runs: Runs, rng: np.random.Generator, *, tz: Int64s, begin: int, end: int
) -> Int64s:
    start = platform.times(rng, tz, night=runs.night)
    span = max(end - begin, 1)
    inside = begin + (start - platform.begin) // DAY_US * DAY_US % max(span // DAY_US * DAY_US, DAY_US)
    start = np.where((start >= begin) & (start < end), start, inside + start % DAY_US)
    pause = pattern.pause_s * np.exp(rng.normal(0, 0.8, len(runs.of))) * 1e6 + 6e6
    time: Int64s = start[runs.of] + before(runs.of, pause).astype(np.int64)
    return time


def _shops(
    marketplace: Marketplace, pattern: Pattern, runs: Runs, rng: np.random.Generator
) -> tuple[Int64s, dict[str, Int64s]]:
    """The merchant of each attempt, and how often card and device have been changed before it."""
    merchants, n = marketplace.merchants, len(runs.of)
    eligible = _eligible(merchants, pattern)
    if "one merchant" in pattern.traits:
        merchant = merchants.draw(rng, len(runs.fraud), eligible=eligible)[runs.of]
    else:
        merchant = merchants.draw(rng, n, eligible=eligible)
    if "reacts" not in pattern.traits:
        return merchant, {}
    refused = before(runs.of, runs.declined.astype(np.int64)).astype(np.int64)
    changes = refused // 2
    turned = np.r_[False, (changes[1:] > changes[:-1]) & (runs.of[1:] == runs.of[:-1])] if n else np.zeros(0, bool)
    what = rng.integers(0, 3, n)
    so_far = {
        name: (before(runs.of, (turned & (what == i)).astype(np.int64)) + (turned & (what == i))).astype(np.int64)
        for i, name in enumerate(("card", "device", "shop"))
    }
    stays = merchants.draw(rng, n, eligible=eligible)
    first = np.flatnonzero(runs.step == 1)[runs.of]
    return np.where(rng.random(n) < 0.5, stays, stays[np.minimum(first + so_far["shop"], n - 1)]), so_far


def _eligible(merchants: Merchants, pattern: Pattern) -> Bools:
    fits = np.ones(len(merchants.goods), np.bool_)
    if "gift cards" in pattern.traits:
        fits = merchants.goods == places.GIFT_CARDS
    elif "digital" in pattern.traits:
        fits = merchants.digital
    elif "resalable" in pattern.traits:
        fits = np.isin(merchants.goods, facts.RESALABLE)
    if "small merchant" in pattern.traits:
        fits &= merchants.weight < np.median(merchants.weight)
    if "drop address" in pattern.traits or "new address" in pattern.traits:
        fits &= ~merchants.digital
    return fits


def _accounts(attempts: Attempts, pattern: Pattern, key: Int64s) -> Attempts:
    """Most newcomers' accounts are young at their first purchase."""
    if pattern.who == "customer":
        return attempts
    first = np.full(len(attempts), np.iinfo(np.int64).max)
    owner = key if pattern.who == "newcomer" else attempts.customer
    _, inverse = np.unique(owner, return_inverse=True)
    np.minimum.at(first, inverse, attempts.time)
    age = age_at_first_purchase(owner, YOUNG_HOURS)
    opened = first[inverse] - age
    shift = (uniform_of(owner, 160) ** 3 * age).astype(np.int64)
    return attempts.with_columns(
        account_created=np.where(attempts.guest, MISSING, opened),
        card_added=np.where(attempts.guest, MISSING, opened + shift),
    )


def _from_abroad(attempts: Attempts, runs: Runs, key: Int64s) -> Attempts:
    """An address of another country than the card's, where the sign says so; from home where not."""
    foreign = runs.foreign[runs.of]
    other = (attempts.card_country + 1 + key % (len(places.COUNTRIES) - 1)) % len(places.COUNTRIES)
    country = np.where(foreign, other, attempts.card_country)
    return attempts.with_columns(
        ip_country=country,
        ip=np.where(country == attempts.ip_country, attempts.ip, address_in(country, mix(attempts.ip, 130))),
        asn=np.where(country == attempts.ip_country, attempts.asn, 3000 + country * 16 + key % 12),
        app=attempts.app & ~foreign,
    )


def _amounts(attempts: Attempts, pattern: Pattern, rng: np.random.Generator) -> Attempts:
    """Verifications cost nothing or next to nothing; gift cards have round values."""
    n = len(attempts)
    if "verification" in pattern.traits:
        tiny = minor_units(attempts.billing_country, rng.normal(*TINY_LOG_PRICE, n), rng)
        usual = rng.random(n) < 0.4
        small = np.where(rng.random(n) < 0.4, 0, tiny)
        return attempts.with_columns(amount=np.where(usual, attempts.amount, small), items=np.ones(n, np.int64))
    if "gift cards" in pattern.traits:
        units = np.array([max(10.0**c.digits, 1) * 10 ** np.round(np.log10(c.units)) for c in places.COUNTRIES])
        value = np.array([50, 100, 150, 200])[choose(rng, (0.3, 0.4, 0.15, 0.15), n)]
        amount = (value * units[attempts.billing_country]).astype(np.int64)
        return attempts.with_columns(amount=amount, shipping_method=np.full(n, NONE, np.int64))
    return attempts
