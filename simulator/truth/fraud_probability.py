"""The true probability of fraud, given what an ideal observer of the stream could know.

Let e be all that belongs to an attempt's episode up to that attempt, its kind included. P(fraud | e) is known in closed
form (`episodes`), because readings and signs were drawn from written probabilities; it is 0 for ordinary traffic.

- Where the kind is plain to see from the history (the third card on one device within minutes), the ideal observer
  knows e, and the true probability is P(fraud | e).
- Where it is not (a first order from a new phone), the observer sees only a signature s of facts that ordinary traffic
  shows as well (`facts`). By the tower rule P(fraud | s) = E[P(fraud | e) | s]: the mean of the known beliefs over all
  attempts of the same signature. No drawn reading enters, so nothing is fitted to the labels. Signatures with fewer
  than `LEAST` attempts are pooled with the other rare ones that agree one level coarser, so the mean stays exact.

The observer sees events, not labels: what chargebacks of the past say about a device is beyond it. And it knows the
generator, so no model that learns from finitely many labels reaches it.
"""

from typing import Final

import numpy as np
from sklearn.metrics import average_precision_score

from simulator.draws import Bools, Float64s
from simulator.people.attempts import Attempts
from simulator.truth.observables import signatures

LEAST: Final = 60
"""Attempts that a signature needs for a mean of its own."""


def true_probability(attempts: Attempts) -> Float64s:
    """P(fraud | what can be seen) per attempt, attempts in time order; float64 [n]."""
    probability = attempts.belief.copy()
    left = np.flatnonzero(~attempts.visible)
    for codes in signatures(attempts):
        cells, inverse, count = np.unique(codes[left], return_inverse=True, return_counts=True)
        mean = np.bincount(inverse, weights=attempts.belief[left], minlength=len(cells)) / np.maximum(count, 1)
        settled = count[inverse] >= LEAST
        probability[left[settled]] = mean[inverse[settled]]
        left = left[~settled]
    if len(left):
        probability[left] = attempts.belief[left].mean()
    return probability


def bayes_average_precision(fraud: Bools, probability: Float64s) -> float | None:
    """Average precision of ranking by the true probability: what no model can beat in expectation (None: no fraud)."""
    if not fraud.any():
        return None
    return float(average_precision_score(fraud, probability))
