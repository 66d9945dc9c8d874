"""Weights of a stack: how much each member's score counts, learnt from cross-fitted evidence and shrunk.

    minimise over β ≥ 0, b    Σ_i CE(y_i, b + Σ_m β_m z_im) + κ Σ_m (β_m log(β_m / β⁰_m) − β_m + β⁰_m)

z are the members' scores on a common scale, β⁰ = s π: what is expected of the members before anything is seen, at the
slope s that fits the evidence best. A log-likelihood grows with the frauds and κ does not: a handful leaves the weights
nearly where they were, hundreds decide. The problem is convex. Wolpert 1992, "Stacked Generalization"; Breiman 1996,
"Stacked Regressions" (non-negative weights).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from training.modelling.strategies.task import Task

Doubles = npt.NDArray[np.float64]

SHRINKAGE: Final = 10.0
"""κ, in nats of log-likelihood: what moving a whole weight away from what was expected has to gain."""

OWN_WORTH: Final = 200.0
"""Labelled frauds at which trees on the target alone are expected to know as much as those that know the source."""

UNADAPTED_SHARE: Final = 0.1
USELESS: Final = 0.02
"""What is expected of members that know the source where it can teach nothing."""

USUAL_SLOPE: Final = 2.0
SMALLEST: Final = 1e-9


def expected(task: Task, names: list[str], *, useless: bool = False) -> dict[str, float]:
    """Each member's share before any evidence; they add up to 1.

    Nets have what they deserved on the source. Of the trees, those that know the source give way to those on the
    target alone as its frauds grow in number; among the former, trees that correct the source give way to trees that
    learn anew even earlier, as in `joint_distilled`. Two kinds of adapted nets share alike.

    Args:
        task: its labelled frauds and base.
        names: of the members.
        useless: the source can teach nothing.
    """
    frauds, trust, nets = task.target.frauds, task.trust, task.base.net_share
    own = frauds / (frauds + OWN_WORTH)
    if useless:
        own, nets = 1 - USELESS, USELESS * nets
    trees, adapted = 1 - nets, 1 - UNADAPTED_SHARE
    share = {
        "source": trees * (1 - own) * UNADAPTED_SHARE,
        "source_net": nets * UNADAPTED_SHARE,
        "joint": nets * adapted * (0.5 if "self_supervised" in names else 1.0),
        "self_supervised": nets * adapted * 0.5,
        "continued": trees * (1 - own) * adapted * (1 - trust),
        "pooled": trees * (1 - own) * adapted * trust / 2,
        "raw_pooled": trees * (1 - own) * adapted * trust / 2,
        "target": trees * own * 0.4,
        "raw_target": trees * own * 0.4,
        "forest": trees * own * 0.2,
        "net": nets,
    }
    total = sum(share[name] for name in names)
    return {name: share[name] / total for name in names}


def fit_weights(
    scores: Mapping[str, Doubles], label: npt.NDArray[np.int8], expectation: Mapping[str, float]
) -> dict[str, float]:
    """β of each member.

    Args:
        scores: member -> scores [n] on the common scale.
        label: 1 fraud, 0 genuine, [n].
        expectation: member -> π, adding up to 1.
    """
    names = list(scores)
    z = np.stack([scores[name] for name in names], axis=1)
    y = label.astype(np.float64)
    share = np.maximum([expectation[name] for name in names], SMALLEST)
    slope, height = _line(z @ share, y)
    start = slope * share

    def loss(given: Doubles) -> tuple[float, Doubles]:
        beta, b = given[:-1], given[-1]
        value, error = _cross_entropy(z @ beta + b, y)
        moved = np.log(beta / start)
        value += SHRINKAGE * float((beta * moved - beta + start).sum())
        return value, np.concatenate([z.T @ error + SHRINKAGE * moved, [error.sum()]])

    bounds = [(SMALLEST * 1e-3, None)] * len(names) + [(None, None)]
    found = minimize(loss, np.concatenate([start, [height]]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return dict(zip(names, found[:-1].tolist(), strict=True))


def _line(z: Doubles, y: Doubles) -> tuple[float, float]:
    """Slope and height of one score; the slope is drawn towards a usual one as if by a few frauds."""

    def loss(given: Doubles) -> tuple[float, Doubles]:
        value, error = _cross_entropy(given[0] * z + given[1], y)
        away = given[0] - USUAL_SLOPE
        return value + away**2 / 8, np.array([z @ error + away / 4, error.sum()])

    rate = float(y.mean())
    start = np.array([USUAL_SLOPE, np.log(rate / (1 - rate))])
    slope, height = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.1, 20.0), (None, None)]).x
    return float(slope), float(height)


def _cross_entropy(logits: Doubles, y: Doubles) -> tuple[float, Doubles]:
    """(sum over rows, its derivative by each logit)."""
    return float((np.logaddexp(0, logits) - y * logits).sum()), expit(logits) - y
