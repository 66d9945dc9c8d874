"""Fields that tell fraud: values drawn from one of two written distributions, by the reading of the payment.

Each gives its evidence with the values, log P(value | fraud) / P(value | genuine), so that the true probability stays
exact. Given the reading, values depend on nothing else. A shift of the concept moves each distribution towards the
other: half way the field tells nothing, at 1 it tells the opposite.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.units import DAY_US
from simulator.draws import Bools, Float64s, Int64s, mix, normal_of, salt_of, uniform_of
from simulator.fraud_patterns.catalogue import ALL_PATTERNS, Odds
from simulator.own_fields.columns import Column, Numbers, Words, flag
from simulator.people.attempts import Attempts

OUTAGE_DAYS: Final = 3
OUTAGES: Final = 0.1
"""The processor's counts are missing for a tenth of such blocks of time."""

STOREFRONTS: Final = 40
HOT: Final = 3
HEAT: Final = 8.0
"""Each month thieves prefer other storefronts, so many of them, by such a factor."""
MONTH_US: Final = 30 * DAY_US

MAIL_PARTS: Final = ("name.name", "name", "initial.name", "name99", "digits", "random")
MAIL_ODDS: Final = (np.array([0.36, 0.22, 0.14, 0.16, 0.07, 0.05]), np.array([0.20, 0.15, 0.10, 0.21, 0.16, 0.18]))
SCREENS: Final = ("390x844", "360x800", "1920x1080", "1536x864", "1366x768", "1024x768", "800x600")
SCREEN_ODDS: Final = (
    np.array([0.27, 0.22, 0.22, 0.12, 0.12, 0.03, 0.02]),
    np.array([0.17, 0.20, 0.18, 0.11, 0.14, 0.10, 0.10]),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What fields are drawn for.

    Attributes:
        attempts: in time order.
        id: of each attempt, from which its draws come; int64 [n].
        salt: of the platform.
        begin: of the period, µs.
        concept: the concept shift at each attempt; float64 [n].
    """

    attempts: Attempts
    id: Int64s
    salt: int
    begin: int
    concept: Float64s

    def uniform(self, name: str) -> Float64s:
        """A draw of each attempt for a purpose; float64 [n] in [0, 1)."""
        return uniform_of(self.id, salt_of(self.salt, name))

    def odds(self, odds: Odds) -> tuple[Float64s, Float64s]:
        """A parameter of genuine payments and of frauds under each attempt's concept; float64 [n] each."""
        good, bad = odds
        return good + self.concept * (bad - good), bad + self.concept * (good - bad)


Told = tuple[Column, Float64s]
"""Values, and the evidence of each; float64 [n], 0 where missing."""


def counts(scene: Scene, name: str, mean: Odds) -> Told:
    """Geometric counts with such means, missing while the processor is out."""
    (good, bad), fraud = scene.odds(mean), scene.attempts.fraud
    rate = [value / (1 + value) for value in (good, bad)]
    k = np.floor(np.log1p(-scene.uniform(name)) / np.log(np.where(fraud, rate[1], rate[0])))
    evidence = k * np.log(rate[1] / rate[0]) + np.log((1 - rate[1]) / (1 - rate[0]))
    missing = _out(scene)
    return Numbers(k.astype(np.int32), missing), np.where(missing, 0.0, evidence)


def _out(scene: Scene) -> Bools:
    block = scene.attempts.time // (OUTAGE_DAYS * DAY_US)
    return uniform_of(block, salt_of(scene.salt, "outage")) < OUTAGES


def seconds(scene: Scene, name: str, median: Odds, spread: float) -> Told:
    """Log-normal durations; none where the merchant charges."""
    good, bad = scene.odds((np.log(median[0]), np.log(median[1])))
    noise = normal_of(scene.id, salt_of(scene.salt, name))
    log_seconds = np.where(scene.attempts.fraud, bad, good) + spread * noise
    # The evidence is of the value as it is written.
    written = np.maximum(np.round(np.exp(log_seconds), 1), 0.1)
    away = [(np.log(written) - middle) / spread for middle in (good, bad)]
    missing = scene.attempts.by_merchant
    return Numbers(written, missing), np.where(missing, 0.0, (away[0] ** 2 - away[1] ** 2) / 2)


def flags(scene: Scene, name: str, rate: Odds) -> Told:
    """Flags that are up with such probabilities; none where the merchant charges."""
    good, bad = scene.odds(rate)
    up = scene.uniform(name) < np.where(scene.attempts.fraud, bad, good)
    missing = scene.attempts.by_merchant
    evidence = np.where(up, np.log(bad / good), np.log((1 - bad) / (1 - good)))
    return flag(up, missing=missing), np.where(missing, 0.0, evidence)


def storefronts(scene: Scene, name: str) -> Told:
    """Ids of storefronts; which of them thieves prefer changes from month to month."""
    popular = 1 / (np.arange(STOREFRONTS) + 4.0)
    good = popular / popular.sum()
    codes, evidence = np.zeros(len(scene.id), np.int64), np.zeros(len(scene.id))
    uniform, months = scene.uniform(name), (scene.attempts.time - scene.begin) // MONTH_US
    for month in np.unique(months):
        rows = np.flatnonzero(months == month)
        order = np.argsort(uniform_of(np.arange(STOREFRONTS), salt_of(scene.salt, "hot", int(month))))
        hot = good * np.where(np.isin(np.arange(STOREFRONTS), order[:HOT]), HEAT, 1.0)
        bad = hot / hot.sum()
        # Every payment of a month has the concept of its time: mixtures of the two, as `Scene.odds` makes them.
        share = np.where(scene.attempts.fraud, 1 - scene.concept, scene.concept)[rows]
        edges = np.stack([np.cumsum(good), np.cumsum(bad)])
        chosen = _pick_of_two(uniform[rows], share, edges)
        codes[rows] = chosen
        concept = scene.concept[rows]
        fraud_like = (1 - concept) * bad[chosen] + concept * good[chosen]
        good_like = (1 - concept) * good[chosen] + concept * bad[chosen]
        evidence[rows] = np.log(fraud_like / good_like)
    ids = mix(np.arange(STOREFRONTS), salt_of(scene.salt, "storefronts")) % 9000 + 1000
    return Words(codes.astype(np.int16), [f"store-{number}" for number in ids]), evidence


def _pick_of_two(uniform: Float64s, share: Float64s, edges: npt.NDArray[np.float64]) -> Int64s:
    """Indices by a mixture of two distributions, `share` of the second: one number chooses both."""
    second = uniform < share
    within = np.where(second, uniform / np.maximum(share, 1e-12), (uniform - share) / np.maximum(1 - share, 1e-12))
    picked = [np.searchsorted(edge / edge[-1], within, side="right") for edge in edges]
    chosen: Int64s = np.minimum(np.where(second, picked[1], picked[0]), edges.shape[1] - 1)
    return chosen


def by_owner(ids: Int64s, thief: Bools, table: tuple[str, ...], odds: tuple[Float64s, Float64s], salt: int) -> Told:
    """A text that belongs to an id, whichever payment shows it; a thief's own ids have the second distribution.

    The evidence is that of the text if the id is a thief's or his look-alike's own; other ids tell nothing.
    """
    uniform, (good, bad) = uniform_of(ids, salt), odds
    picked = [np.searchsorted(np.cumsum(weights), uniform, side="right") for weights in odds]
    codes = np.minimum(np.where(thief, picked[1], picked[0]), len(table) - 1)
    missing = ids == 0
    evidence = np.where(missing, 0.0, np.log(bad / good)[codes])
    return Words(np.where(missing, -1, codes).astype(np.int16), table), evidence


def own_mail(attempts: Attempts) -> Bools:
    """Whether an attempt's e-mail is the episode's own and no known customer's; bool [n]."""
    return np.array([False, *(pattern.who != "customer" for pattern in ALL_PATTERNS)])[attempts.kind]


def own_device(attempts: Attempts) -> Bools:
    """Whether an attempt's device is the episode's own and no known customer's; bool [n]."""
    brought = {"new device", "one device", "few devices"}
    own = [pattern.who != "customer" or bool(pattern.traits & brought) for pattern in ALL_PATTERNS]
    known: Bools = np.array([False, *own])[attempts.kind] & (attempts.device != 0)
    return known
