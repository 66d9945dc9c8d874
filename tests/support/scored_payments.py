"""Scored payments with known labels, drawn."""

import numpy as np

from training.evaluation.scores import DAY_US, Scored


def scored(n: int = 4_000, *, seed: int = 1, skill: float = 2.0, rate: float = 0.05) -> Scored:
    """n payments of ten days, a share `rate` of them fraud, whose scores are `skill` higher in log-odds."""
    random = np.random.default_rng(seed)
    fraud = random.random(n) < rate
    logit = random.normal(size=n) + skill * fraud + np.log(rate)
    card = random.integers(1, n // 4, n).astype(np.uint64)
    return Scored(
        1 / (1 + np.exp(-logit)),
        fraud,
        np.sort(random.integers(0, 10 * DAY_US, n)),
        random.integers(1, 500, n) * 1_000_000,
        card,
        card,
    )
