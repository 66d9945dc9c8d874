"""Runs of attempts that belong together: their reading, signs, lengths and declines, and the belief they justify.

First the reading is drawn (fraud with the pattern's prior), then its signs with the probabilities of that reading. By
Bayes' rule the probability of fraud given the signs seen up to attempt j is known in closed form:

    logit p_j = logit prior + sum over signs log P(sign | fraud) / P(sign | twin)
              + sum over i < j log P(decline_i | fraud) / P(decline_i | twin) + log P(L >= j | fraud) / P(L >= j | twin)
"""

from dataclasses import dataclass
from math import log

import numpy as np

from simulator.draws import Bools, Float64s, Int64s
from simulator.fraud_patterns.catalogue import Odds, Pattern


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
