"""What `auto` makes of evidence: a default that few frauds cannot shake, and the best of many."""

import re

import numpy as np
import pytest

from training.data.sample import Floats
from training.modelling.strategies.auto import CANDIDATES, DEFAULT, FEW_FRAUDS, NO_TRANSFER, decide

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


def barely_better(name: str) -> tuple[dict[str, list[Floats]], list[np.ndarray]]:
    """Evidence in which that candidate has one fraud more at the top than the default, and no other is any good."""
    scored, labels = evidence(1, 0.0)
    for other in CANDIDATES[1:]:
        scored[other] = [-values for values in scored[DEFAULT]]
    scored[name] = [logits.copy() for logits in scored[DEFAULT]]
    scored[name][0][0] += 10
    return scored, labels


def test_from_enough_frauds_on_no_transfer_is_chosen_however_little_it_is_better() -> None:
    scored, labels = barely_better(NO_TRANSFER)
    assert decide(scored, labels, FEW_FRAUDS, seed=1).strategy == NO_TRANSFER
    assert decide(scored, labels, FEW_FRAUDS - 1, seed=1).strategy == DEFAULT


def test_what_the_default_is_made_of_has_to_be_clearly_better_with_many_frauds_too() -> None:
    choice = decide(*barely_better(RIVAL), 10 * FEW_FRAUDS, seed=1)
    assert choice.strategy == DEFAULT
    assert "within luck and one standard error" in choice.why


def test_no_transfer_is_chosen_where_a_better_rival_is_not_better_enough() -> None:
    scored, labels = barely_better(NO_TRANSFER)
    # All of this rival's evidence are two frauds of each block: more on average, and much of it luck.
    for logits in scored[RIVAL]:
        logits[:7] = [10, 8, -10, -10, -10, 9, 9]
    choice = decide(scored, labels, FEW_FRAUDS, seed=1)
    evidences = dict(re.findall(r"(boosted|target_only) (0\.\d+)[,)]", choice.why))
    assert evidences["boosted"] > evidences["target_only"]
    assert choice.strategy == NO_TRANSFER
