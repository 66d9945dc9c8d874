"""Whether a candidate alerts about as often as it should: as the champion does, or as the policy expects.

What the policy expects follows from the rate of fraud, corrected for reports that are still to come: so often the
champion's ranking would alert if its scores stood at that rate. A champion that alerts too much is no measure for a
candidate that alerts as it should, nor is one that alerts too little.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit

from fraud.decisions.policy import Policy

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Payments as they come, labelled or not, to count alerts on: labelled ones were partly chosen by the champion.

    Attributes:
        amount: int64 [n], micro-units of the base currency.
        candidate: float64 [n], the candidate's scores.
        champion: float64 [n], the champion's.
        budget: share of payments that the shop wants to look at; so many alerts are neither too many nor too few.
        rate: ends of the interval of the rate of fraud, corrected for late reports; None where it is not known.
    """

    amount: npt.NDArray[np.int64]
    candidate: Floats
    champion: Floats
    budget: float | None = None
    rate: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """The alerts of a candidate, and between what they may lie."""

    alerts: int
    champion: int
    least: float
    most: float
    payments: int
    enough: bool

    @property
    def within(self) -> bool:
        """Whether they lie there; too few alerts say nothing."""
        return not self.enough or self.least <= self.alerts <= self.most

    @property
    def text(self) -> str:
        """In words."""
        change = self.alerts / self.champion - 1 if self.champion else float("inf") if self.alerts else 0.0
        return (
            f"{self.alerts} alerts where the champion raises {self.champion} ({change:+.0%}), "
            f"{self.least:.0f} to {self.most:.0f} are expected"
        )

    @property
    def numbers(self) -> Mapping[str, float]:
        """For the record; shares are of payments."""
        return {
            "alerts": self.alerts,
            "champion_alerts": self.champion,
            "least_share": self.least / max(self.payments, 1),
            "most_share": self.most / max(self.payments, 1),
        }


def volume(traffic: Traffic, candidate: Policy, champion: Policy, *, band: float, least: int) -> Volume:
    """The candidate's alerts against what is expected.

    Args:
        traffic: payments with both models' scores.
        candidate: decides what the candidate would flag.
        champion: the same for the champion.
        band: largest relative departure.
        least: alerts below which nothing is said.
    """
    new, old = (
        int(policy.decide(scores, traffic.amount).flagged.sum())
        for policy, scores in ((candidate, traffic.candidate), (champion, traffic.champion))
    )
    wanted = [float(old), *_expected(traffic, champion)]
    return Volume(
        new, old, min(wanted) * (1 - band), max(wanted) * (1 + band), len(traffic.amount), max(old, *wanted) >= least
    )


def _expected(traffic: Traffic, champion: Policy) -> list[float]:
    if traffic.budget is not None:
        return [traffic.budget * len(traffic.amount)]
    if traffic.rate is None or len(traffic.amount) == 0:
        return []
    moved = [at_rate(traffic.champion, rate) for rate in traffic.rate]
    return [float(champion.decide(scores, traffic.amount).flagged.sum()) for scores in moved]


def at_rate(scores: Floats, rate: float) -> Floats:
    """The same ranking with its mean score at another rate: all log-odds moved by one constant. Shape [n]."""
    odds = logit(np.clip(scores, 1e-9, 1 - 1e-9))
    shift = brentq(lambda by: float(expit(odds + by).mean()) - rate, -60, 60)
    return np.asarray(expit(odds + float(shift)), np.float64)
