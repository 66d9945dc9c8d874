"""A platform: what a configuration means in numbers. Covariate shift is resolved here and nowhere else."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fraud.units import DAY_US, HOUR_US
from simulator.config import SimulationConfig
from simulator.draws import Float64s, Int64s, choose, generator, salt_of
from simulator.platforms import places

EPOCH_ORDINAL: Final = 719_163
"""`date(1970, 1, 1).toordinal()`."""

_HOURS_HOME: Final = (1, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 14, 13, 13, 14, 15, 17, 20, 22, 22, 18, 11, 4)
_HOURS_AWAY: Final = (4, 2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 11, 16, 15, 11, 10, 11, 12, 14, 18, 22, 24, 20, 11)


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything about who buys what, when and how; what fraud looks like stands in `fraud_patterns`.

    Attributes:
        salt: separates this platform's ids from every other's.
        ring_salt: the same for all platforms of one seed: reshipping rings work on each.
        begin, end: the period in µs since 1970 UTC; `end` is exclusive.
        countries, goods: weights over `places.COUNTRIES` and `places.GOODS`.
        price_scale: multiplies every price.
        guest, app, wallet, prepaid, credit: shares.
        hours: weight of each local hour; float64 [24].
        days: weight of each day of the period; float64 [days].
    """

    salt: int
    ring_salt: int
    begin: int
    end: int
    countries: Float64s
    goods: Float64s
    price_scale: float
    guest: float
    app: float
    wallet: float
    prepaid: float
    credit: float
    hours: Float64s
    days: Float64s

    def times(self, rng: np.random.Generator, tz_minutes: Int64s, *, night: np.ndarray | None = None) -> Int64s:
        """Times of purchases by people in given time zones; µs [n], within the period.

        Args:
            rng: source of randomness.
            tz_minutes: offset of each person's clock from UTC; [n].
            night: bool [n]; True draws from 0-5 h local time instead of the usual hours, False never does.
        """
        n = len(tz_minutes)
        hour = choose(rng, self.hours, n)
        if night is not None:
            awake = choose(rng, np.where(np.arange(24) < 5, 0.0, self.hours), n)
            hour = np.where(night, rng.integers(0, 5, n), awake)
        local = choose(rng, self.days, n) * DAY_US + hour * HOUR_US + rng.integers(0, HOUR_US, n)
        span = self.end - self.begin
        return self.begin + (local - tz_minutes * 60_000_000) % span


def platform_of(config: SimulationConfig) -> Platform:
    """Resolves the covariate dial into a platform."""
    shift = config.covariate_shift
    begin = (config.start.toordinal() - EPOCH_ORDINAL) * DAY_US

    def between(home: float, away: float) -> float:
        return (1 - shift) * home + shift * away

    def weights(rows: tuple[places.Country, ...] | tuple[places.Goods, ...]) -> Float64s:
        return (1 - shift) * places.column(rows, "home") + shift * places.column(rows, "away")

    return Platform(
        salt=salt_of(config.seed, config.platform),
        ring_salt=salt_of(config.seed, "rings"),
        begin=begin,
        end=begin + config.days * DAY_US,
        countries=weights(places.COUNTRIES),
        goods=weights(places.GOODS),
        price_scale=float(np.exp(between(0, 0.7))),
        guest=between(0.30, 0.18),
        app=between(0.30, 0.70),
        wallet=between(0.15, 0.40),
        prepaid=between(0.05, 0.15),
        credit=between(0.45, 0.60),
        hours=(1 - shift) * np.array(_HOURS_HOME, np.float64) + shift * np.array(_HOURS_AWAY, np.float64),
        days=_season(config, generator(config.seed, config.platform, "season")),
    )


def _season(config: SimulationConfig, rng: np.random.Generator) -> Float64s:
    """Weight of each day: weekday, year (its peak moves with the platform), growth, and a few noisy promotions."""
    day = np.arange(config.days)
    weekday = (config.start.weekday() + day) % 7
    of_year = (config.start.timetuple().tm_yday + day) / 365.25
    peak = 0.92 - 0.5 * config.covariate_shift
    year = 1 + 0.25 * np.cos(2 * np.pi * (of_year - peak))
    week = np.where(weekday >= 5, 1.15 + 0.3 * config.covariate_shift, 1.0)
    promotion = np.where(rng.random(config.days) < 0.03, 1.8, 1.0)
    weights: Float64s = year * week * promotion * np.exp(0.0005 * day)
    return weights
