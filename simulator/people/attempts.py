"""Payment attempts as columns: what is written of them, and what only the generator knows."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from fraud.units import DAY_US
from simulator.draws import Bools, Float64s, Int64s, choose, mix
from simulator.people.population import Merchants, People
from simulator.platforms import places

MISSING: Final = np.iinfo(np.int64).min
NONE: Final = -1
"""Stands for an absent index; 0 for an absent id."""

ORDINARY: Final = 0
"""The `kind` of ordinary traffic; fraud patterns and their look-alikes count from 1."""

TINY_LOG_PRICE: Final = (0.3, 0.7)
"""Mean and spread of the log price, in euros, of what costs next to nothing."""

HIGH_PRICE: Final = 1.0
"""A price is *high* above this log ratio to what the person usually pays at such a merchant."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """n attempts. Ids are 63-bit integers (0 = absent), categories indices into `places` (-1 = absent), times µs.

    The last block is latent: never written into events.

    Attributes:
        declined: what the issuer will say: 0 authorised, 1 soft decline, 2 hard decline.
        refunded: whether it will be refunded if paid.
        kind: 0 ordinary, else 1 + index of the pattern whose behaviour this is.
        episode: which episode of which kind; 0 for ordinary traffic.
        fraud: whether somebody else's card or account is used.
        belief: P(fraud | everything up to this attempt about its episode, its kind included), float64.
        visible: whether the kind is plain to see by now from the history; where not, `posterior` pools.
        high: whether the price is high.
        friendly: whether the owner of the card will deny an own purchase.
    """

    time: Int64s
    customer: Int64s
    guest: Bools
    card: Int64s
    bin: Int64s
    card_country: Int64s
    funding: Int64s
    wallet: Int64s
    device: Int64s
    session: Int64s
    ip: Int64s
    ip_country: Int64s
    asn: Int64s
    email: Int64s
    domain: Int64s
    phone: Int64s
    billing_country: Int64s
    billing_address: Int64s
    shipping_country: Int64s
    shipping_address: Int64s
    shipping_method: Int64s
    app: Bools
    by_merchant: Bools
    digital: Bools
    account_created: Int64s
    card_added: Int64s
    tz: Int64s
    merchant: Int64s
    goods: Int64s
    items: Int64s
    amount: Int64s
    order: Int64s
    attempt_no: Int64s
    declined: Int64s
    refunded: Bools
    kind: Int64s
    episode: Int64s
    fraud: Bools
    belief: Float64s
    visible: Bools
    high: Bools
    friendly: Bools

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: Int64s | Bools) -> Self:
        """The chosen attempts, in the given order."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def with_columns(self, **columns: npt.NDArray[Any]) -> Self:
        """The same attempts with some columns replaced."""
        return replace(self, **columns)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """All attempts of several parts, in order."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


def attempts_of(
    people: People,
    merchants: Merchants,
    rng: np.random.Generator,
    *,
    time: Int64s,
    merchant: Int64s,
    high: Bools | None = None,
) -> Attempts:
    """What one purchase by each person looks like when nothing is unusual.

    Args:
        people: n people, one per attempt (repeated where one buys often).
        merchants: the platform's merchants.
        rng: source of randomness.
        time: when; µs [n].
        merchant: at which merchant; [n].
        high: whether the price is high; None lets chance decide.
    """
    n = len(people)
    excess = _excess(rng, n, high)
    digital = merchants.digital[merchant]
    usual_mail = rng.random(n) < 0.97
    return Attempts(
        time=time,
        customer=np.where(people.guest, people.email, people.person),
        guest=people.guest,
        card=people.card,
        bin=people.bin,
        card_country=people.country,
        funding=people.funding,
        wallet=people.wallet,
        device=people.device,
        session=mix(people.device, time // 1_800_000_000),
        ip=people.ip,
        ip_country=people.country,
        asn=people.asn,
        email=np.where(usual_mail, people.email, mix(people.identity, 31)),
        domain=people.domain,
        phone=people.phone,
        billing_country=people.country,
        billing_address=people.address,
        shipping_country=np.where(digital, NONE, people.country),
        shipping_address=np.where(digital, 0, people.address),
        shipping_method=np.where(digital, NONE, choose(rng, (0.7, 0.18, 0.12), n)),
        app=people.app,
        by_merchant=np.zeros(n, np.bool_),
        digital=digital,
        account_created=np.where(people.guest, MISSING, people.account_created),
        card_added=np.where(
            people.guest, MISSING, np.minimum(people.account_created + people.card % (20 * DAY_US), time)
        ),
        tz=people.tz,
        merchant=merchant,
        goods=merchants.goods[merchant],
        items=np.where(digital, 1, 1 + rng.geometric(0.55, n)),
        amount=minor_units(people.country, merchants.log_price[merchant] + people.spend + excess, rng),
        order=mix(people.person, time),
        attempt_no=np.ones(n, np.int64),
        declined=np.zeros(n, np.int64),
        refunded=rng.random(n) < 0.03,
        kind=np.full(n, ORDINARY, np.int64),
        episode=np.zeros(n, np.int64),
        fraud=np.zeros(n, np.bool_),
        belief=np.zeros(n),
        visible=np.zeros(n, np.bool_),
        high=excess > HIGH_PRICE,
        friendly=np.zeros(n, np.bool_),
    )


def _excess(rng: np.random.Generator, count: int, high: Bools | None) -> Float64s:
    """Log ratio of prices to the usual; above `HIGH_PRICE` exactly where high."""
    plain = rng.normal(0, 0.5, count)
    if high is None:
        return plain
    beyond = HIGH_PRICE + np.abs(rng.normal(0, 0.45, count)) + 1e-6
    return np.where(high, beyond, np.where(plain > HIGH_PRICE, 2 * HIGH_PRICE - plain, plain))


def minor_units(country: Int64s, log_price: Float64s, rng: np.random.Generator) -> Int64s:
    """Prices in minor units of the country's currency; two in three end like shop prices do. int64 [n], at least 1."""
    scale = np.array([c.units * 10**c.digits for c in places.COUNTRIES])[country]
    amount = np.maximum(np.rint(np.exp(log_price) * scale), 1).astype(np.int64)
    whole = (amount // 100 + 1) * 100
    minor: Int64s = np.where((rng.random(len(amount)) < 0.66) & (amount >= 200), whole - 1, amount)
    return minor
