"""Merchants and people: who they are, before anybody buys anything."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from fraud.units import DAY_US
from simulator.draws import Bools, Float64s, Int64s, choose, mix
from simulator.platforms import places
from simulator.platforms.platform import Platform

BINS_PER_COUNTRY = 24
FAVOURITES = 4


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
    """n people as columns; ids are 63-bit integers that are written as text at the end."""

    person: Int64s
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


def people_of(
    platform: Platform, merchants: Merchants, rng: np.random.Generator, count: int, *, purpose: int, fresh: bool = False
) -> People:
    """Draws people of a platform.

    Args:
        platform: whose people.
        merchants: where they have their favourites.
        rng: source of randomness.
        count: how many.
        purpose: salt that keeps these people's ids apart from every other call's.
        fresh: people nobody has seen before: more of them are guests.
    """
    person = mix(np.arange(count, dtype=np.int64), platform.salt ^ (purpose << 33))
    country = choose(rng, platform.countries, count)
    guest = rng.random(count) < (0.65 if fresh else platform.guest)
    funding = choose(rng, (1 - platform.credit - platform.prepaid, platform.credit, platform.prepaid), count)
    age_days = rng.exponential(420, count) + 1
    app = rng.random(count) < platform.app
    network = rng.random(count)
    return People(
        person=person,
        guest=guest,
        country=country,
        tz=places.column(places.COUNTRIES, "tz_minutes").astype(np.int64)[country],
        card=mix(person, 1),
        second_card=np.where(rng.random(count) < 0.25, mix(person, 2), mix(person, 1)),
        bin=bins_in(country, choose(rng, 1 / (np.arange(BINS_PER_COUNTRY) + 1.5), count)),
        funding=funding,
        email=mix(person, 3),
        domain=choose(rng, 1 / (np.arange(len(places.DOMAINS)) + 1.0), count),
        phone=np.where(rng.random(count) < 0.8, mix(person, 4), 0),
        address=mix(person, 5),
        device=mix(person, 6),
        ip=_home_ips(platform, person, country, network),
        asn=_networks(country, network),
        app=app,
        wallet=np.where(rng.random(count) < platform.wallet, choose(rng, (0.6, 0.4), count), -1),
        account_created=(platform.begin - age_days * DAY_US).astype(np.int64),
        spend=rng.normal(0, 0.30, count),
        favourites=merchants.draw(rng, count * FAVOURITES).reshape(count, FAVOURITES),
    )


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
