"""The true probability of fraud, given what an ideal observer of the stream could know.

Let e be all that belongs to an attempt's episode up to that attempt, its kind included. P(fraud | e) is known in closed
form (`runs`), because readings and signs were drawn from written probabilities; of ordinary traffic it is the
written probability of a lone fraud (`lone`).

- Where the kind is plain to see from the history (the third card on one device within minutes), the ideal observer
  knows e, and the true probability is P(fraud | e).
- Where it is not (a first order from a new phone), the observer sees only a signature s of facts that ordinary traffic
  shows as well (`observables`). By the tower rule P(fraud | s) = E[P(fraud | e) | s]: the mean of the known beliefs
  over all attempts of the same signature. No drawn reading enters, so nothing is fitted to the labels. Signatures with
  fewer than `LEAST` attempts are pooled with the other rare ones that agree one level coarser, so the mean stays exact.

Own fields add to both what Bayes' rule makes of their written distributions (`with_own_fields`).

The observer sees events, not labels: what chargebacks of the past say about a device is beyond it. And it knows the
generator, so no model that learns from finitely many labels reaches it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import average_precision_score

from simulator.draws import Bools, Float64s, Int64s, mix
from simulator.people.attempts import Attempts
from simulator.truth.observables import earlier, signatures

LEAST: Final = 60
"""Attempts that a signature needs for a mean of its own."""

PLAIN: Final = -1
"""The pool of an attempt whose kind is plain to see."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the own fields tell: log P(value | fraud) / P(value | genuine), 0 where a value tells nothing.

    Attributes:
        payment: of values that each payment has for itself; float64 [n].
        owned: of values that belong to an id: (evidence if the id is the episode's own, the id, whether it is), each of
            shape [n]. An id that is not the episode's own tells nothing.
    """

    payment: Float64s
    owned: tuple[tuple[Float64s, Int64s, Bools], ...]


def true_probability(attempts: Attempts, pool: Int64s) -> Float64s:
    """P(fraud | what can be seen without own fields) per attempt; float64 [n]. `pool` is of `pools`."""
    probability = attempts.belief.copy()
    hidden = pool != PLAIN
    sums = np.bincount(pool[hidden], weights=attempts.belief[hidden])
    probability[hidden] = (sums / np.maximum(np.bincount(pool[hidden]), 1))[pool[hidden]]
    return probability


def with_own_fields(attempts: Attempts, pool: Int64s, evidence: Evidence) -> Float64s:
    """P(fraud | what can be seen, own fields included) per attempt, attempts in time order; float64 [n].

    Where the kind is plain, all values of the episode so far count, one of an id once. Elsewhere the observer knows
    this payment's values only, and not whether an id is the episode's own. With B_t and G_t the sums of belief and of
    its complement over the attempts of one signature whose own ids are those of t, r the likelihood ratio of the
    payment's values and m_k that of the k-th id's, if it is own,

        P(fraud | s, values) = r Σ_t B_t Π_{k in t} m_k / (r Σ_t B_t Π_{k in t} m_k + Σ_t G_t)
    """
    probability = np.empty(len(attempts))
    plain = np.flatnonzero(pool == PLAIN)
    belief = attempts.belief[plain]
    # Earlier attempts of an episode may be pooled themselves; their values count all the same.
    odds = belief * np.exp(_so_far(attempts, evidence)[plain])
    probability[plain] = odds / np.maximum(odds + 1 - belief, 1e-300)
    hidden = np.flatnonzero(pool != PLAIN)
    own = sum((own.astype(np.int64) << k for k, (_, _, own) in enumerate(evidence.owned)), np.zeros(len(attempts), int))
    kinds = 1 << len(evidence.owned)
    cell = pool[hidden] * kinds + own[hidden]
    size = (int(pool.max(initial=0)) + 1) * kinds
    fraud = np.bincount(cell, weights=attempts.belief[hidden], minlength=size).reshape(-1, kinds)
    genuine = np.bincount(cell, weights=1 - attempts.belief[hidden], minlength=size).reshape(-1, kinds)
    numerator = np.zeros(len(hidden))
    for t in range(kinds):
        told = sum((e[hidden] for k, (e, _, _) in enumerate(evidence.owned) if t >> k & 1), evidence.payment[hidden])
        numerator += fraud[pool[hidden], t] * np.exp(told)
    probability[hidden] = numerator / (numerator + genuine.sum(axis=1)[pool[hidden]])
    return probability


def _so_far(attempts: Attempts, evidence: Evidence) -> Float64s:
    """Evidence of an episode's values up to each attempt; float64 [n], 0 for ordinary traffic."""
    total = evidence.payment.copy()
    for told, ids, own in evidence.owned:
        total += np.where(own & (earlier(mix(ids, attempts.episode)) == 0), told, 0.0)
    order = np.argsort(attempts.episode, kind="stable")
    episode, arranged = attempts.episode[order], total[order]
    sums = np.cumsum(arranged)
    first = np.flatnonzero(np.r_[True, episode[1:] != episode[:-1]])
    before = (sums - arranged)[first]
    result = np.empty(len(order))
    result[order] = sums - np.repeat(before, np.diff(np.r_[first, len(order)]))
    return np.where(attempts.episode == 0, 0.0, result)


def pools(attempts: Attempts) -> Int64s:
    """Number of the pool whose mean belief is an attempt's probability, `PLAIN` where its kind is plain; int64 [n]."""
    pool = np.full(len(attempts), PLAIN, np.int64)
    left, used = np.flatnonzero(~attempts.visible), 0
    for codes in signatures(attempts):
        cells, inverse, count = np.unique(codes[left], return_inverse=True, return_counts=True)
        settled = count[inverse] >= LEAST
        pool[left[settled]] = used + inverse[settled]
        left, used = left[~settled], used + len(cells)
    pool[left] = used
    return pool


def bayes_average_precision(fraud: Bools, probability: Float64s) -> float | None:
    """Average precision of ranking by the true probability: what no model can beat in expectation (None: no fraud)."""
    if not fraud.any():
        return None
    return float(average_precision_score(fraud, probability))
