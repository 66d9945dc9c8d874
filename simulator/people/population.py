"""Merchants and people: who they are, before anybody buys anything."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from fraud.units import DAY_US, HOUR_US
from simulator.draws import Bools, Float64s, Int64s, choose, mix, normal_of, pick, uniform_of
from simulator.platforms import places
from simulator.platforms.platform import Platform

BINS_PER_COUNTRY: Final = 24
FAVOURITES: Final = 4
COMMON: Final = 0.06
"""Share of customers who shop at every platform of the seed, with the same cards, devices and addresses."""
SLEEPERS: Final = 0.2
"""Share of newcomers whose account is old when they first use it."""
AGE_SPREAD: Final = 2.2
"""Of the log of a young account's age at its first purchase: from minutes to months, without a gap."""


@dataclass(frozen=True, slots=True)
class Merchants:
    """m merchants of a platform: index into `places.GOODS`, log of the typical price in euros, popularity."""

    goods: Int64s
    log_price: Float64s
    weight: Float64s

    def draw(self, rng: np.random.Generator, count: int, *, eligible: Bools | None = None) -> Int64s:
        """Merchants by popularity, optionally among the eligible only (all, when none is)."""
        weight = self.weight if eligible is None or not eligible.any() else np.where(eligible, self.weight, 0)
        return choose(rng, weight, count)

    @property
    def digital(self) -> Bools:
        """Whether a merchant sells nothing that is shipped."""
        return np.array([goods.digital for goods in places.GOODS])[self.goods]


def merchants_of(platform: Platform, rng: np.random.Generator, count: int) -> Merchants:
    """Draws merchants; at least one of each category, popularity by Zipf's law."""
    goods = choose(rng, platform.goods, count)
    goods[: len(places.GOODS)] = np.arange(len(places.GOODS))
    typical = np.log(places.column(places.GOODS, "price") * platform.price_scale)
    weight: Float64s = 1.0 / (np.arange(count, dtype=np.float64) + 8.0) ** 0.9
    return Merchants(goods, typical[goods] + rng.normal(0, 0.35, count), weight[rng.permutation(count)])


@dataclass(frozen=True, slots=True)
class People:
    """n people as columns; ids are 63-bit integers that are written as text at the end.

    `person` belongs to the platform; `identity`, from which cards, devices, e-mails and addresses are made, may be the
    same on every platform of the seed.
    """

    person: Int64s
    identity: Int64s
    guest: Bools
    country: Int64s
    tz: Int64s
    card: Int64s
    second_card: Int64s
    bin: Int64s
    funding: Int64s
    email: Int64s
    domain: Int64s
    phone: Int64s
    address: Int64s
    device: Int64s
    ip: Int64s
    asn: Int64s
    app: Bools
    wallet: Int64s
    account_created: Int64s
    spend: Float64s
    favourites: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Int64s | Bools) -> Self:
        """The chosen people, in the given order."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A platform, its merchants and its customers: where episodes happen."""

    platform: Platform
    merchants: Merchants
    customers: People


def people_of(
    platform: Platform,
    merchants: Merchants,
    rng: np.random.Generator,
    count: int,
    *,
    purpose: int,
    shared: Int64s,
    fresh: bool = False,
) -> People:
    """Draws people of a platform.

    Args:
        platform: whose people.
        merchants: where they have their favourites.
        rng: source of randomness.
        count: how many.
        purpose: salt that keeps these people's ids apart from every other call's.
        shared: the identity of those who are known on other platforms too, 0 for all others; int64 [count].
        fresh: people nobody has seen before: more of them are guests.
    """
    person = mix(np.arange(count, dtype=np.int64), platform.salt ^ (purpose << 33))
    identity = np.where(shared != 0, shared, person)
    guest = rng.random(count) < (0.65 if fresh else platform.guest)
    age_days = rng.exponential(420, count)
    app = rng.random(count) < platform.app
    network = rng.random(count)
    country, rank, funding, domain = _passport(platform, rng, shared)
    return People(
        person=person,
        identity=identity,
        guest=guest,
        country=country,
        tz=places.column(places.COUNTRIES, "tz_minutes").astype(np.int64)[country],
        card=mix(identity, 1),
        second_card=np.where(rng.random(count) < 0.25, mix(identity, 2), mix(identity, 1)),
        bin=bins_in(country, rank),
        funding=funding,
        email=mix(identity, 3),
        domain=domain,
        phone=np.where(rng.random(count) < 0.8, mix(identity, 4), 0),
        address=mix(identity, 5),
        device=mix(identity, 6),
        ip=_home_ips(platform, identity, country, network),
        asn=_networks(country, network),
        app=app,
        wallet=np.where(rng.random(count) < platform.wallet, choose(rng, (0.6, 0.4), count), -1),
        account_created=(platform.begin - age_days * DAY_US).astype(np.int64),
        spend=rng.normal(0, 0.30, count),
        favourites=merchants.draw(rng, count * FAVOURITES).reshape(count, FAVOURITES),
    )


def common_identities(platform: Platform, count: int) -> Int64s:
    """Who of the customers is known on every platform of the seed; int64 [count], 0 for those who are not."""
    identity = mix(np.arange(count, dtype=np.int64), platform.ring_salt ^ 11)
    return np.where(uniform_of(identity, 12) < COMMON, identity, 0)


def _passport(platform: Platform, rng: np.random.Generator, shared: Int64s) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Country, rank of the bank, funding and mail domain: a shared identity has the same on every platform."""
    weights: tuple[tuple[npt.ArrayLike, npt.ArrayLike], ...] = (
        (platform.countries, places.column(places.COUNTRIES, "home")),
        (1 / (np.arange(BINS_PER_COUNTRY) + 1.5),) * 2,
        ((1 - platform.credit - platform.prepaid, platform.credit, platform.prepaid), (0.5, 0.45, 0.05)),
        (1 / (np.arange(len(places.DOMAINS)) + 1.0),) * 2,
    )
    drawn = [
        np.where(shared != 0, pick(uniform_of(shared, 13 + number), everywhere), choose(rng, here, len(shared)))
        for number, (here, everywhere) in enumerate(weights)
    ]
    return drawn[0], drawn[1], drawn[2], drawn[3]


def age_at_first_purchase(owner: Int64s, median_hours: float) -> Int64s:
    """How old a newcomer's account is when it is first used: log-normal, and some sleep for long; µs [n]."""
    young = np.exp(np.log(median_hours) + AGE_SPREAD * normal_of(owner, 17))
    old = -np.log1p(-uniform_of(owner, 18)) * 200 * 24
    hours = np.where(uniform_of(owner, 19) < SLEEPERS, old, young)
    return (hours * HOUR_US).astype(np.int64) + 60_000_000


def bins_in(country: Int64s, rank: Int64s) -> Int64s:
    """Six-digit BINs; the same banks on every platform. [n] -> int64 [n] in 400000..559999."""
    return 400_000 + mix(country * BINS_PER_COUNTRY + rank, 77) % 160_000


def _home_ips(platform: Platform, person: Int64s, country: Int64s, network: Float64s) -> Int64s:
    """IPv4 as an integer: 55 % own line, 35 % one of a carrier's shared addresses, 10 % a campus or an office."""
    own = mix(person, 7)
    carrier = mix(country * 64 + person % 24, platform.salt ^ 8)
    campus = mix(country * 64 + person % 12, platform.salt ^ 9)
    return address_in(country, np.select([network < 0.55, network < 0.90], [own, carrier], campus))


def address_in(country: Int64s, entropy: Int64s) -> Int64s:
    """An IPv4 address that belongs to a country: the first byte names it."""
    return ((20 + country * 9) << 24) | (entropy & 0xFFFFFF)


def _networks(country: Int64s, network: Float64s) -> Int64s:
    """Autonomous systems: a few per country, by kind of line."""
    return 3000 + country * 16 + (network * 12).astype(np.int64)
