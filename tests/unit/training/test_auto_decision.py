"""What `auto` makes of evidence: a default that few frauds cannot shake, and the best of many."""

import numpy as np
import pytest

from training.sample import Floats
from training.strategies.auto import CANDIDATES, DEFAULT, FEW_FRAUDS, decide

RIVAL = CANDIDATES[1]


def evidence(seed: int, lift: float) -> tuple[dict[str, list[Floats]], list[np.ndarray]]:
    """Three blocks of 200 rows with five frauds, ranked by the default, and by a rival that knows `lift` more."""
    random = np.random.default_rng(seed)
    labels = [(np.arange(200) < 5).astype(np.int8) for _ in range(3)]
    scored: dict[str, list[Floats]] = {name: [] for name in CANDIDATES}
    for label in labels:
        for name in CANDIDATES:
            known = 1.0 + lift * (name == RIVAL)
            scored[name].append((known * label + random.normal(size=200)).astype(np.float32))
    return scored, labels


def test_candidates_that_are_equal_hardly_ever_displace_the_default_while_frauds_are_few() -> None:
    chosen = [decide(*evidence(seed, 0.0), FEW_FRAUDS - 1, seed=seed).strategy for seed in range(40)]
    assert chosen.count(DEFAULT) >= 30


@pytest.mark.parametrize("seed", range(5))
def test_a_rival_that_is_clearly_better_is_chosen_with_few_frauds_too(seed: int) -> None:
    choice = decide(*evidence(seed, 4.0), FEW_FRAUDS - 1, seed=seed)
    assert choice.strategy == RIVAL
    assert f"{RIVAL} beats {DEFAULT}" in choice.why


def test_from_enough_frauds_on_the_best_one_is_chosen_however_little_it_is_better() -> None:
    scored, labels = evidence(1, 0.0)
    scored[RIVAL] = [logits.copy() for logits in scored[DEFAULT]]
    scored[RIVAL][0][0] += 10  # one fraud more at the top
    scored["target_only"] = [-np.asarray(values) for values in scored[DEFAULT]]
    assert decide(scored, labels, FEW_FRAUDS, seed=1).strategy == RIVAL
