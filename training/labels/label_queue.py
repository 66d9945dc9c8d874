"""Which unlabelled payments to have reviewed, and with what probability each was chosen.

Uniform draws hold hardly a fraud, the highest scores alone teach nothing about what the model misses. So most of the
queue are top scores, some are drawn from what ranks next, where the model is least sure, and some from all the rest:

    top      the highest scores                              propensity 1
    near     drawn from the ranks below, to `NEAR_TO`        propensity drawn / so many
    random   drawn from everything else                      propensity drawn / so many

The reciprocals of the propensities make the reviewed payments a fair sample of all again, as long as the random part is
not empty (Horvitz and Thompson 1952, "A
generalization of sampling without replacement from a finite universe").
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

NEAR_TO: Final = 0.02
"""Payments ranked above this share are near the top; at least four times as many as are drawn from them."""

TOP, NEAR, RANDOM = range(3)
PARTS: Final = ("top", "near", "random")


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the queue; what is neither top nor near is random."""

    top: float = 0.6
    near: float = 0.25

    def __post_init__(self) -> None:
        if not (0 <= self.top <= 1 and 0 <= self.near <= 1 and self.top + self.near <= 1):
            raise ValueError(f"shares of {self.top:g} and {self.near:g} are no parts of one queue")

    def counts(self, count: int) -> tuple[int, int, int]:
        """How many of `count` each part gets; the random part takes what rounding leaves."""
        top, near = round(count * self.top), round(count * self.near)
        near = min(near, count - top)
        return top, near, count - top - near


@dataclass(frozen=True, slots=True)
class Queue:
    """q chosen payments, in an order that is drawn too: who stops half way has reviewed a fair half.

    Attributes:
        rows: intp [q], of the payments that were offered.
        part: uint8 [q], index into `PARTS`.
        propensity: float64 [q], probability with which each was chosen.
    """

    rows: npt.NDArray[np.intp]
    part: npt.NDArray[np.uint8]
    propensity: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def choose(score: npt.NDArray[np.float64], count: int, *, seed: int, shares: Shares | None = None) -> Queue:
    """Chooses payments to review.

    Args:
        score: of each payment that could be reviewed; float64 [n]. Equal scores rank by their place.
        count: how many to choose; all where there are not more.
        seed: of the draws.
        shares: of the parts.
    """
    n = len(score)
    top, near, random = (shares or Shares()).counts(min(count, n))
    ranked = np.argsort(-score, kind="stable")
    below = min(top + max(round(NEAR_TO * n), 4 * near), n - random) if near else top
    rng = np.random.default_rng(seed)
    strata = ((ranked[:top], top), (ranked[top:below], near), (ranked[below:], random))
    chosen = [rng.choice(stratum, size, replace=False) if size else stratum[:0] for stratum, size in strata]
    sizes = [len(rows) for rows in chosen]
    order = rng.permutation(sum(sizes))
    propensity = [size / max(len(stratum), 1) for stratum, size in strata]
    return Queue(
        np.concatenate(chosen).astype(np.intp)[order],
        np.repeat(np.array([TOP, NEAR, RANDOM], np.uint8), sizes)[order],
        np.repeat(np.array(propensity), sizes)[order],
    )
