"""Episodes: runs of attempts that belong together, fraudulent or the look-alike, drawn by one piece of machinery.

First the reading is drawn (fraud with the pattern's prior), then its signs with the probabilities of that reading. By
Bayes' rule the probability of fraud given the signs seen up to attempt j is known in closed form:

    logit p_j = logit prior + sum over signs log P(sign | fraud) / P(sign | twin)
              + sum over i < j log P(decline_i | fraud) / P(decline_i | twin) + log P(L >= j | fraud) / P(L >= j | twin)
"""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from fraud.units import DAY_US
from simulator.draws import Bools, Float64s, Int64s, choose, mix, salt_of, uniform_of
from simulator.fraud_patterns.catalogue import Odds, Pattern
from simulator.people.attempts import MISSING, NONE, TINY_LOG_PRICE, Attempts, attempts_of, minor_units
from simulator.people.behaviour import active_people
from simulator.people.population import Merchants, People, address_in, age_at_first_purchase, people_of
from simulator.platforms import places
from simulator.platforms.platform import Platform
from simulator.truth import observables as facts

RINGS: Final = 12
"""Reshipping rings of one seed, shared by all its platforms, and as many shared flats. Neither turns into the other:
who knows yesterday's labels of a device knows more than events alone can tell."""
RING_DEVICE_DAYS: Final = 24
RING_ADDRESS_DAYS: Final = 37
"""A ring drifts: each has its own day on which devices, and another on which addresses, are given up for new ones."""

SHARED: Final = 0.3
"""Share of episodes whose devices, cards and e-mails are those of an episode on every other platform of the seed."""
CONTESTED: Final = 0.3
"""Share of the shared ones that are the thief's on one platform and may be the owner's on another."""
YOUNG_HOURS: Final = 5.0
"""Median age of a newcomer's account at its first purchase, for both readings."""


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A platform, its merchants and its customers: where episodes happen."""

    platform: Platform
    merchants: Merchants
    customers: People


@dataclass(frozen=True, slots=True)
class Runs:
    """Episodes unrolled: per episode (length e) and per attempt (length n).

    Attributes:
        fraud: the reading; [e].
        foreign, high, night: the signs; [e].
        of: episode of each attempt; [n].
        step: 1, 2, ... within the episode; [n].
        declined: whether the issuer will refuse; [n].
        belief: P(fraud | seen up to and including this attempt); [n].
    """

    fraud: Bools
    foreign: Bools
    high: Bools
    night: Bools
    of: Int64s
    step: Int64s
    declined: Bools
    belief: Float64s


def runs_of(pattern: Pattern, rng: np.random.Generator, count: int) -> Runs:
    """Draws `count` episodes of a pattern: readings, signs, lengths, declines, and the belief they justify."""
    fraud = rng.random(count) < pattern.prior
    odds = np.full(count, np.log(max(pattern.prior, 1e-12)) - np.log(max(1 - pattern.prior, 1e-12)))
    signs: dict[str, Bools] = {}
    for name in ("foreign", "high", "night"):
        rates: Odds = getattr(pattern, name)
        signs[name] = rng.random(count) < np.where(fraud, rates[1], rates[0])
        odds += _evidence(signs[name], rates)
    tails: Float64s = np.stack([survival(pattern, mean) for mean in pattern.length])
    length = _lengths(tails, fraud, rng)
    of = np.repeat(np.arange(count), length)
    step = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length) + 1
    declined = rng.random(len(of)) < np.where(fraud[of], pattern.declines[1], pattern.declines[0])
    refused = before(of, _evidence(declined, pattern.declines))
    odds_now = odds[of] + refused + np.log(tails[1][step - 1]) - np.log(tails[0][step - 1])
    belief = 1 / (1 + np.exp(-odds_now))
    return Runs(fraud, signs["foreign"], signs["high"], signs["night"], of, step, declined, belief)


def _evidence(sign: Bools, rates: Odds) -> Float64s:
    good, bad = rates
    return np.where(sign, log(bad / good), log((1 - bad) / (1 - good)))


def survival(pattern: Pattern, mean: float) -> Float64s:
    """P(L >= j) for j = 1..most: certain up to `least`, geometric beyond it, cut at `most`; float64 [most]."""
    stop = 1 / (1 + max(mean - pattern.least, 0.01))
    j = np.arange(1, pattern.most + 1)
    tail: Float64s = (1 - stop) ** np.maximum(j - pattern.least, 0).astype(np.float64)
    return tail


def _lengths(tails: Float64s, fraud: Bools, rng: np.random.Generator) -> Int64s:
    """Lengths by inverting the survival function of each episode's reading."""
    u = rng.random(len(fraud))
    by_reading = [np.searchsorted(-tail, -u, side="right") for tail in tails]
    return np.maximum(np.where(fraud, by_reading[1], by_reading[0]), 1).astype(np.int64)


def before(of: Int64s, values: Float64s | Int64s) -> Float64s:
    """Sum of the earlier values of the same episode, per attempt; attempts of an episode are adjacent."""
    total = np.cumsum(values, dtype=np.float64) - values
    first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]]) if len(of) else np.zeros(0, np.int64)
    return total - np.repeat(total[first], np.diff(np.r_[first, len(of)]))


def episodes(
    marketplace: Marketplace, pattern: Pattern, kind: int, rng: np.random.Generator, count: int, *, begin: int, end: int
) -> Attempts:
    """Attempts of `count` episodes that begin within [begin, end); what falls beyond the platform's end is cut off."""
    runs = runs_of(pattern, rng, count)
    key, shared = _keys(marketplace.platform, runs, kind=kind, begin=begin)
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
    attempts = _shared(marketplace, attempts, pattern, runs, key=key, change=change)
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


def _keys(platform: Platform, runs: Runs, *, kind: int, begin: int) -> tuple[Int64s, Bools]:
    """A key for each attempt's episode, from which its ids are made, and whether other platforms have the same; [n].

    The r-th fraud of a behaviour on one platform and the r-th on another take one slot of the seed, and so do the r-th
    look-alikes. A contested slot belongs to one reading only, on each platform to whom a coin gives it. So no id comes
    twice on one platform, both readings share equally often, and nothing on one platform tells a shared id.
    """
    fraud = runs.fraud
    rank = np.where(fraud, np.cumsum(fraud), np.cumsum(~fraud))
    slot = mix(rank, salt_of(platform.ring_salt, "slot", kind, begin - platform.begin))
    contested = uniform_of(slot, 141) < CONTESTED
    thief_here = uniform_of(slot, platform.salt) < 0.5
    shared = (uniform_of(slot, 140) < SHARED) & (~contested | (thief_here == fraud))
    own = mix(np.arange(len(fraud)), salt_of(platform.salt, kind, begin))
    everywhere = mix(slot, np.where(contested, 144, 142 + fraud))
    return np.where(shared, everywhere, own)[runs.of], shared[runs.of]


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
    known = np.where(key != 0, mix(key, np.where(one, 0, runs.step)), 0)[runs.step == 1 if one else slice(None)]
    purpose = salt_of("newcomers", kind, begin) % (1 << 28) + 2
    people = people_of(
        marketplace.platform, marketplace.merchants, rng, len(known), purpose=purpose, shared=known, fresh=True
    )
    return people, runs.of if one else np.arange(len(known))


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


def _shared(
    marketplace: Marketplace,
    attempts: Attempts,
    pattern: Pattern,
    runs: Runs,
    *,
    key: Int64s,
    change: dict[str, Int64s],
) -> Attempts:
    """Devices, cards and addresses as the traits say, the same for both readings."""
    traits = pattern.traits
    device_group = address_group = key
    if "ring" in traits:
        ring = mix(key % RINGS * 2 + runs.fraud[runs.of], marketplace.platform.ring_salt)
        began = attempts.time[np.flatnonzero(runs.step == 1)][runs.of]
        device_group = mix(ring, _generation(ring, began, RING_DEVICE_DAYS))
        address_group = mix(ring, _generation(ring, began, RING_ADDRESS_DAYS))
    columns: dict[str, Int64s] = {}
    if "one device" in traits or "new device" in traits:
        columns["device"] = mix(device_group, 101 + change.get("device", np.zeros_like(key)))
    if "few devices" in traits:
        columns["device"] = mix(device_group, 110 + mix(attempts.customer, 3) % 3)
        columns["ip"] = address_in(attempts.ip_country, mix(device_group, 115 + mix(attempts.customer, 4) % 2))
    if "new address" in traits:
        columns["shipping_address"] = np.where(attempts.digital, 0, mix(address_group, 120))
    if "drop address" in traits:
        columns["shipping_address"] = np.where(
            attempts.digital, 0, mix(address_group, 121 + mix(attempts.customer, 5) % 2)
        )
    columns |= _cards(marketplace, attempts, pattern, runs, key=key, change=change)
    attempts = attempts.with_columns(**columns)
    return attempts.with_columns(session=mix(attempts.device, attempts.time // 1_800_000_000))


def _generation(ring: Int64s, time: Int64s, days: int) -> Int64s:
    """How often a ring has changed its things by a time, µs; the same on every platform."""
    life = days * DAY_US
    changes: Int64s = (time + (uniform_of(ring, 150 + days) * life).astype(np.int64)) // life
    return changes


def _cards(
    marketplace: Marketplace,
    attempts: Attempts,
    pattern: Pattern,
    runs: Runs,
    *,
    key: Int64s,
    change: dict[str, Int64s],
) -> dict[str, Int64s]:
    if "card each" in pattern.traits:
        return {"card": mix(key, 200 + runs.step)}
    if "one bin" in pattern.traits:
        bank = np.flatnonzero(runs.step == 1)[runs.of]
        return {"bin": attempts.bin[bank], "card_country": attempts.card_country[bank],
                "funding": attempts.funding[bank], "ip_country": attempts.card_country[bank]}  # fmt: skip
    if "known cards" in pattern.traits:
        victim = marketplace.customers.take(mix(attempts.customer, 9) % len(marketplace.customers))
        return {"card": victim.card, "bin": victim.bin, "card_country": victim.country, "funding": victim.funding,
                "ip_country": victim.country}  # fmt: skip
    if change:
        return {"card": np.where(change["card"] > 0, mix(key, 300 + change["card"]), attempts.card)}
    return {}


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
