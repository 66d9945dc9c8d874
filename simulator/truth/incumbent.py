"""The rules that a shop had before it had a model: they decide what its analysts get to see."""

import numpy as np

from fraud.units import DAY_US
from simulator.draws import Float64s, Int64s, uniform_of
from simulator.people.attempts import Attempts
from simulator.truth.observables import earlier, within_day


def rule_points(attempts: Attempts) -> Float64s:
    """Points for what looks suspicious on the face of it and for simple counts; float64 [n], attempts in time order."""
    a = attempts
    device = np.where(a.device == 0, a.session, a.device)
    points = 2.0 * (a.ip_country != a.card_country) + 1.5 * a.high + 0.5 * a.guest + 1.0 * (a.amount == 0)
    points += 1.0 * (a.shipping_address != a.billing_address) * ~a.digital
    points += 1.0 * (earlier(a.device) == 0)
    points += np.minimum(within_day(a.customer, a.time), 6) + 0.7 * np.minimum(within_day(device, a.time), 6)
    refused = np.where(a.declined > 0, device, a.order)
    points += np.minimum(within_day(refused, a.time), 4) * (a.declined > 0)
    return np.where(a.by_merchant, 0.0, points)


def queue(attempts: Attempts, share: float) -> Int64s:
    """Rows that reach the analysts: each day the highest points, as many as the share allows; int64, ascending."""
    points = rule_points(attempts) + uniform_of(attempts.order, 700)
    day = attempts.time // DAY_US
    order = np.lexsort((-points, day))
    first = np.flatnonzero(np.r_[True, day[order][1:] != day[order][:-1]])
    sizes = np.diff(np.r_[first, len(order)])
    rank = np.arange(len(order)) - np.repeat(first, sizes)
    return np.sort(order[rank < np.repeat(np.ceil(sizes * share), sizes)])
