"""From a configuration to attempts in time order: ordinary traffic, and the episodes of every pattern."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fraud.units import DAY_US
from simulator.config import InvalidSimulation, SimulationConfig
from simulator.draws import Bools, Float64s, Int64s, generator, uniform_of
from simulator.fraud_patterns.catalogue import COMPANY_GIFTS_SHARE, FRIENDLY_SHARE, MULES, PATTERNS, Pattern
from simulator.fraud_patterns.episodes import episodes
from simulator.fraud_patterns.lone import lone_frauds
from simulator.people.attempts import MISSING, Attempts
from simulator.people.behaviour import ordinary
from simulator.people.population import (
    Marketplace,
    age_at_first_purchase,
    common_identities,
    merchants_of,
    people_of,
)
from simulator.platforms.platform import EPOCH_ORDINAL, platform_of

ORDERS_PER_DAY: Final = 0.08
"""Purchases of a customer per day, on average; in short periods at least `LEAST_ORDERS` in all."""
LEAST_ORDERS: Final = 1.5
NEWCOMERS: Final = 0.35
"""Share of ordinary customers whose account is young at their first purchase of the period."""
NEWCOMER_HOURS: Final = 12.0
"""Median age of such an account then."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Episodes of one pattern in one stretch of time; `expected` is how many begin in it."""

    pattern: Pattern
    kind: int
    begin: int
    end: int
    expected: float


def attempts_of_stream(config: SimulationConfig) -> Attempts:
    """All attempts of a platform in time order, exactly `config.transactions`."""
    marketplace = _marketplace(config)
    suspicious = Attempts.concatenate([_episodes(config, marketplace, campaign) for campaign in campaigns(config)])
    suspicious = suspicious.take(np.arange(min(len(suspicious), config.transactions)))
    rng = generator(config.seed, config.platform, "ordinary")
    count = config.transactions - len(suspicious)
    plain = ordinary(marketplace.platform, marketplace.customers, marketplace.merchants, rng, count)
    plain = _opened_accounts(_deny_some(plain, rng))
    expected = config.transactions * fraud_rate(config) * config.lone_share
    plain = lone_frauds(plain, expected, concept_at(config, plain.time), seed=config.seed)
    attempts = Attempts.concatenate([plain, suspicious])
    return attempts.take(np.lexsort((attempts.attempt_no, attempts.order, attempts.time)))


def campaigns(config: SimulationConfig) -> Iterator[Campaign]:
    """Which patterns run when, and how often; a regime change and the mules' arrival cut the period.

    Raises:
        InvalidSimulation: what is absent is no pattern, or there is none left.
    """
    names = [pattern.name for pattern in PATTERNS]
    unknown = [name for name in config.absent if name not in names]
    if unknown or set(config.absent) == set(names):
        raise InvalidSimulation(f"absent: {unknown[:1] or 'everything'} cannot be; choose some of {', '.join(names)}")
    rate = fraud_rate(config)
    turn = abs(config.prior_shift)
    per_us = config.transactions / (config.days * DAY_US)
    for begin, end, concept in _regimes(config):
        frauds = per_us * (end - begin) * rate * (1 - config.lone_share)
        shifted = [
            replace(pattern.shifted(concept), prior=0.0) if pattern.name in config.absent else pattern.shifted(concept)
            for pattern in PATTERNS
        ]
        # A shift of the concept leaves each behaviour as frequent as it was; only the sum is scaled to the base rate.
        behaviours = [
            ((1 - turn) * plain.share + turn * PATTERNS[number - 3].share) / (plain.prior * plain.length[1])
            for number, plain in enumerate(PATTERNS)
        ]
        total = sum(n * p.prior * p.length[1] for n, p in zip(behaviours, shifted, strict=True))
        for kind, (number, pattern) in enumerate(zip(behaviours, shifted, strict=True), start=1):
            yield Campaign(pattern, kind, begin, end, frauds * number / total)
    platform = platform_of(config)
    arrival = min(max(_arrival(config, platform.end), platform.begin), platform.end)
    companies = per_us * COMPANY_GIFTS_SHARE / MULES.length[0]
    mules = per_us * rate * config.new_pattern_share / MULES.length[1]
    kind = len(PATTERNS) + 1
    before, after = arrival - platform.begin, platform.end - arrival
    yield Campaign(replace(MULES, prior=0.0), kind, platform.begin, arrival, before * companies)
    prior = mules / (mules + companies)
    yield Campaign(replace(MULES, prior=prior), kind, arrival, platform.end, after * (mules + companies))


def fraud_rate(config: SimulationConfig) -> float:
    """Expected share of fraudulent attempts, the mules' not counted."""
    return config.base_rate * 2**config.prior_shift


def concept_at(config: SimulationConfig, time: Int64s) -> Float64s:
    """The concept shift of the regime of each time, µs; float64 [n]."""
    regimes = _regimes(config)
    ends = np.array([end for _, end, _ in regimes[:-1]], np.int64)
    return np.array([concept for *_, concept in regimes])[np.searchsorted(ends, time, side="right")]


def _regimes(config: SimulationConfig) -> list[tuple[int, int, float]]:
    """(begin, end, concept shift) of each regime; µs."""
    platform = platform_of(config)
    share = 1.0 if config.regime_change_at is None else config.regime_change_at
    change = platform.begin + int(config.days * share) * DAY_US
    early, late = (platform.begin, change, config.concept_shift), (change, platform.end, config.regime_shift)
    return [regime for regime in (early, late) if regime[0] < regime[1]]


def _arrival(config: SimulationConfig, never: int) -> int:
    """Midnight of the mules' first day, or `never`; µs."""
    if config.new_pattern_start is None:
        return never
    return (config.new_pattern_start.toordinal() - EPOCH_ORDINAL) * DAY_US


def _marketplace(config: SimulationConfig) -> Marketplace:
    platform = platform_of(config)
    rng = generator(config.seed, config.platform, "population")
    merchants = merchants_of(platform, rng, int(40 + 0.9 * config.transactions**0.5))
    per_customer = max(LEAST_ORDERS, ORDERS_PER_DAY * config.days)
    count = int(config.transactions / per_customer) + 50
    shared = common_identities(platform, count)
    customers = people_of(platform, merchants, rng, count, purpose=1, shared=shared)
    return Marketplace(platform, merchants, customers)


def _episodes(config: SimulationConfig, marketplace: Marketplace, campaign: Campaign) -> Attempts:
    """Draws a campaign; a fractional expected number is rounded up or down by chance."""
    rng = generator(config.seed, config.platform, campaign.pattern.name, str(campaign.begin))
    count = int(campaign.expected + rng.random())
    return episodes(marketplace, campaign.pattern, campaign.kind, rng, count, begin=campaign.begin, end=campaign.end)


def _deny_some(attempts: Attempts, rng: np.random.Generator) -> Attempts:
    """Friendly fraud: owners of cards later deny an own purchase, more often a dear or a digital one."""
    weight = np.where(attempts.high, 3.0, 1.0) * np.where(attempts.digital, 2.0, 1.0)
    weight = np.where((attempts.declined == 0) & (attempts.amount > 0), weight, 0)
    mean = max(float(weight.mean()), 1e-9) if len(weight) else 1.0
    denied: Bools = rng.random(len(attempts)) < FRIENDLY_SHARE * weight / mean
    return attempts.with_columns(friendly=denied)


def _opened_accounts(attempts: Attempts) -> Attempts:
    """Some customers open their account shortly before their first purchase of the period."""
    customers, inverse = np.unique(attempts.customer, return_inverse=True)
    first: Int64s = np.full(len(customers), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse, attempts.time)
    opened = first[inverse] - age_at_first_purchase(attempts.customer, NEWCOMER_HOURS)
    newcomer = (uniform_of(attempts.customer, 90) < NEWCOMERS) & (attempts.account_created != MISSING)
    return attempts.with_columns(
        account_created=np.where(newcomer, opened, attempts.account_created),
        card_added=np.where(newcomer, opened + (first[inverse] - opened) // 3, attempts.card_added),
    )
