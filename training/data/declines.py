"""Which payments were declined, read off their customers' next payments: no label, no outcome, no waiting."""

from typing import Final

import numpy as np

from training.data.dataset import Dataset
from training.data.sample import Floats

COUNTER: Final = "customer_declines_30d"
REACH_US: Final = 30 * 86_400_000_000
"""Of the counter."""


def declined(data: Dataset) -> Floats:
    """1 where the customer's declines had risen by their next payment, 0 where not, float32 [n].

    NaN where nobody can tell: no customer, no next payment within the counter's reach, no such feature. An old decline
    that leaves the window just then hides a new one, which is rare.
    """
    found = np.full(len(data), np.nan, np.float32)
    if COUNTER not in data.names:
        return found
    counts = data.features[:, data.names.index(COUNTER)]
    # Stable: payments of a customer stay in the order of the log, in which their histories were read.
    order = np.argsort(data.customer, kind="stable")
    this, following = order[:-1], order[1:]
    same = (data.customer[this] == data.customer[following]) & (data.customer[this] != 0)
    near = data.time[following] - data.time[this] < REACH_US
    rows = same & near & ~np.isnan(counts[this]) & ~np.isnan(counts[following])
    found[this[rows]] = counts[following[rows]] > counts[this[rows]]
    return found
