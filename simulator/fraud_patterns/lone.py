"""Fraud that follows no pattern: ordinary payments, by known customers or guests, that somebody else made.

Here the payment comes first and the reading after it: an order x is fraud with the written probability

    q(x) = expected frauds · w(x) / Σ w,    log w(x) = (1 - 2 · concept) · Σ of the weights of the signs that it shows

so q is P(fraud | payment) itself, and nothing but the signs tells such a fraud from its neighbours.
"""

from typing import Final

import numpy as np

from simulator.draws import Float64s, salt_of, uniform_of
from simulator.people.attempts import Attempts
from simulator.truth.observables import RESALABLE

FOREIGN: Final = 1.6
HIGH: Final = 1.2
RESALE: Final = 0.7
ELSEWHERE: Final = 0.8
"""Weights of a foreign address, a high price, goods that can be sold on, and delivery elsewhere."""
MOST: Final = 0.5


def lone_frauds(attempts: Attempts, expected: float, concept: Float64s, *, seed: int) -> Attempts:
    """The same ordinary attempts, some of them fraud.

    Args:
        attempts: ordinary traffic; all attempts of an order share the reading.
        expected: how many are fraud, on average.
        concept: the concept shift at each; float64 [n].
        seed: of the simulation.
    """
    a = attempts
    signs = FOREIGN * (a.ip_country != a.card_country) + HIGH * a.high + RESALE * np.isin(a.goods, RESALABLE)
    signs += ELSEWHERE * ((a.shipping_address != a.billing_address) & ~a.digital)
    weight = np.where(a.by_merchant, 0.0, np.exp((1 - 2 * concept) * signs))
    belief = np.minimum(weight * expected / max(float(weight.sum()), 1e-9), MOST)
    fraud = uniform_of(a.order, salt_of(seed, "lone")) < belief
    return a.with_columns(fraud=fraud, belief=belief, friendly=a.friendly & ~fraud)
