"""Observables of each attempt, measured on the finished stream: the signature by which `fraud_probability` pools.

Only earlier attempts count, so every fact could be known when the attempt is made.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.units import DAY_US, HOUR_US
from simulator.draws import Bools, Float64s, Int64s, mix
from simulator.people.attempts import Attempts
from simulator.platforms import places

SEVERAL: Final = 3
TINY_EUROS: Final = 4.0
RESALABLE: Final = tuple(i for i, goods in enumerate(places.GOODS) if goods.name in places.RESALABLE)


def signatures(attempts: Attempts) -> npt.NDArray[np.int64]:
    """Coarse-to-fine codes of each attempt's facts, attempts in time order; int64 [levels, n].

    Level 0 is the finest. Each coarser level is a function of the finer one.
    """
    a = attempts
    seen = earlier(a.customer)
    known = seen > 0
    new_device = (earlier(mix(a.device, a.customer)) == 0) & (a.device != 0)
    new_card = earlier(mix(a.card, a.customer)) == 0
    elsewhere = new_card & (earlier(a.card) > 0)
    shared_device = new_device & (earlier(a.device) > 0)
    drop = (earlier(mix(a.shipping_address, a.customer)) == 0) & (a.shipping_address != 0)
    gift = a.shipping_address != a.billing_address
    foreign = a.ip_country != a.card_country
    recent = np.minimum(within_day(a.customer, a.time), 2)
    local_hour = (a.time // HOUR_US + a.tz // 60) % 24
    price = np.where(a.amount == 0, 0, np.where(euros(a) < TINY_EUROS, 1, 2))
    coarse = _code((np.minimum(seen, 1), 2), (new_device & known, 2), (drop & gift & ~a.digital, 2))
    middle = _code((coarse, 8), (foreign, 2), (a.high, 2), (elsewhere, 2))
    detailed = _code((middle, 64), (recent, 3), (shared_device, 2), (price, 3), (np.isin(a.goods, RESALABLE), 2))
    fine = _code((detailed, 2304), (a.digital, 2), (local_hour < 5, 2), (seen >= SEVERAL, 2), (a.guest, 2))
    return np.stack([fine, detailed, middle, coarse])


def _code(*digits: tuple[Int64s | Bools, int]) -> Int64s:
    """Mixed-radix number from (value, radix) pairs; int64 [n]."""
    code = np.zeros(len(digits[0][0]), np.int64)
    for value, radix in digits:
        code = code * radix + value.astype(np.int64)
    return code


def euros(attempts: Attempts) -> Float64s:
    """Amounts in euros, roughly; float64 [n]."""
    scale = np.array([country.units * 10**country.digits for country in places.COUNTRIES])
    amounts: Float64s = attempts.amount / scale[attempts.billing_country]
    return amounts


def earlier(keys: Int64s) -> Int64s:
    """How often each key has occurred before; int64 [n]."""
    order = np.argsort(keys, kind="stable")
    arranged = keys[order]
    first = np.flatnonzero(np.r_[True, arranged[1:] != arranged[:-1]])
    counts = np.arange(len(keys)) - np.repeat(first, np.diff(np.r_[first, len(keys)]))
    result = np.empty(len(keys), np.int64)
    result[order] = counts
    return result


def within_day(keys: Int64s, time: Int64s) -> Int64s:
    """How many events of the same key happened in the 24 hours before; int64 [n]. Times are µs, in any order."""
    order = np.lexsort((time, keys))
    since = time[order] - time.min(initial=np.iinfo(np.int64).max)
    place = np.unique(keys[order], return_inverse=True)[1].astype(np.int64)
    place = place * (int(since.max(initial=0)) + 2 * DAY_US) + since
    result = np.empty(len(order), np.int64)
    result[order] = np.arange(len(order)) - np.searchsorted(place, place - DAY_US, side="left")
    return result
