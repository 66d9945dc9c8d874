"""Lots, so that labels tell of what nobody would have looked at, or let through.

A small share of would-be blocks is let through: the truth about blocked payments stays in the labels. Where a lever
says so, a share of what is allowed is sent to review: the truth about it is known soon.

The draw is HMAC(secret, transaction_id): the same payment is always drawn alike, and nobody without the secret can pick
payments that pass. Each decision carries its propensity, the probability of what was done given what came before; later
evaluation weighs by its inverse (Horvitz and Thompson, 1952).
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import ACTIONS, ALLOW, REVIEW
from fraud.money import MICRO
from fraud.units import DAY_US

BLOCK: Final = ACTIONS.index("block")


@dataclass(frozen=True, slots=True)
class Spent:
    """Money let through on one day of event time.

    Attributes:
        day: days since 1970 UTC.
        micro: micro-units of the base currency.
    """

    day: int = 0
    micro: int = 0


@dataclass(frozen=True, slots=True)
class Explored:
    """What is done with n transactions, after exploration.

    Attributes:
        action: uint8 [n], index into `ACTIONS`.
        propensity: float64 [n], probability of that action; 1 where there was no choice.
        chosen: bool [n], the would-be blocks that are let through.
        spent: what the day has cost so far.
    """

    action: npt.NDArray[np.uint8]
    propensity: npt.NDArray[np.float64]
    chosen: npt.NDArray[np.bool_]
    spent: Spent


@dataclass(frozen=True, slots=True)
class Exploration:
    """How much to explore.

    Attributes:
        secret: key of the draw.
        share: ε, probability that a would-be block is let through; 0 never does.
        daily_budget: units of the base currency that may be let through on a day.
    """

    secret: bytes
    share: float
    daily_budget: float

    def apply(
        self,
        action: npt.NDArray[np.uint8],
        *,
        transaction_ids: Sequence[str],
        amount_micro: npt.NDArray[np.int64],
        time_us: npt.NDArray[np.int64],
        spent: Spent,
    ) -> Explored:
        """Explores n transactions in the given order, so that any batching gives the same.

        A would-be block that no longer fits the day's budget is blocked with certainty.
        """
        final = action.copy()
        propensity = np.ones(len(action))
        budget = round(self.daily_budget * MICRO)
        for row in np.flatnonzero(action == BLOCK).tolist() if self.share > 0 else ():
            day = max(spent.day, int(time_us[row]) // DAY_US)
            before = spent.micro if day == spent.day else 0
            amount = int(amount_micro[row])
            spent = Spent(day, before)
            if before + amount > budget:
                continue
            if self.draw(transaction_ids[row]) < self.share:
                final[row], propensity[row] = ALLOW, self.share
                spent = Spent(day, before + amount)
            else:
                propensity[row] = 1 - self.share
        return Explored(final, propensity, np.not_equal(final, action), spent)

    def draw(self, transaction_id: str) -> float:
        """Uniform in [0, 1), fixed for a transaction."""
        return _draw(self.secret, transaction_id.encode())


def sample_allowed(
    action: npt.NDArray[np.uint8],
    share: npt.NDArray[np.float64],
    *,
    transaction_ids: Sequence[str],
    secret: bytes,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Sends a share of the allowed payments to review: the actions, uint8 [n], and their propensities, float64 [n].

    Args:
        action: what would be done, uint8 [n].
        share: probability for each, float64 [n]; 0 never does.
        transaction_ids: of the payments.
        secret: key of the draw.
    """
    final, propensity = action.copy(), np.ones(len(action))
    for row in np.flatnonzero((action == ALLOW) & (share > 0)).tolist():
        chance = float(share[row])
        if _draw(secret, b"review\n" + transaction_ids[row].encode()) < chance:
            final[row], propensity[row] = REVIEW, chance
        else:
            propensity[row] = 1 - chance
    return final, propensity


def _draw(secret: bytes, what: bytes) -> float:
    return int.from_bytes(hmac.digest(secret, what, "sha256")[:6], "big") / 2**48
