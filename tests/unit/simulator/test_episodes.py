from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simulator.config import SimulationConfig
from simulator.draws import generator
from simulator.fraud_patterns.catalogue import MULES, PATTERNS, Pattern
from simulator.fraud_patterns.runs import before, runs_of, survival
from simulator.simulation import simulate


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
@pytest.mark.parametrize("concept", [0.0, 0.3, 1.0])
def test_belief_is_the_probability_of_fraud_at_every_step(pattern: Pattern, concept: float) -> None:
    runs = runs_of(pattern.shifted(concept), generator(1, pattern.name), 20_000)
    for step in (1, 2, 3, 5):
        rows = runs.step == step
        for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)):
            cell = rows & (runs.belief >= low) & (runs.belief < high)
            n = cell.sum()
            if n > 100:
                expected = runs.belief[cell].mean()
                spread = np.sqrt(expected * (1 - expected) / n)
                assert abs(runs.fraud[runs.of[cell]].mean() - expected) < 4 * spread + 0.002, (step, low)


def test_lengths_follow_their_survival_function() -> None:
    pattern = PATTERNS[0]
    runs = runs_of(pattern, generator(2), 30_000)
    length = np.bincount(runs.of)
    for reading, mean in enumerate(pattern.length):
        tail = survival(pattern, mean)
        mine = length[runs.fraud == bool(reading)]
        assert mine.min() >= pattern.least
        assert mine.max() <= pattern.most
        for j in (pattern.least, pattern.least + 1, pattern.least + 4):
            assert abs((mine >= j).mean() - tail[j - 1]) < 0.02


def test_before_sums_only_earlier_values_of_the_same_episode() -> None:
    of = np.array([0, 0, 0, 1, 2, 2])
    values = np.array([1.0, 2, 4, 8, 16, 32])
    assert before(of, values).tolist() == [0, 1, 3, 0, 0, 16]
    assert before(np.zeros(0, np.int64), np.zeros(0)).tolist() == []


def test_a_full_concept_shift_turns_every_sign_round_and_back_again() -> None:
    pattern = PATTERNS[0]
    turned = pattern.shifted(1.0)
    assert turned.declines == pytest.approx(pattern.declines[::-1])
    assert turned.length == pytest.approx(pattern.length[::-1])
    assert turned.prior == pytest.approx(pattern.other_prior)
    assert pattern.shifted(0.0).prior == pytest.approx(pattern.prior)


def test_shares_of_patterns_add_up() -> None:
    assert sum(pattern.share for pattern in PATTERNS) == pytest.approx(1.0)
    assert len({name for pattern in (*PATTERNS, MULES) for name in (pattern.name, pattern.twin)}) == 2 * (
        len(PATTERNS) + 1
    )


def test_after_two_declines_thieves_change_card_device_or_shop() -> None:
    attempts = simulate(SimulationConfig(transactions=60_000, base_rate=0.02, seed=4)).attempts
    sprees = attempts.take(attempts.kind == 1 + [p.name for p in PATTERNS].index("stolen_card_spree"))
    order = np.lexsort((sprees.time, sprees.episode))
    sprees = sprees.take(order)
    changed = stayed = 0
    for episode in np.unique(sprees.episode):
        rows = np.flatnonzero(sprees.episode == episode)
        refused = np.cumsum(sprees.declined[rows] > 0)
        for a, b in pairwise(rows):
            things = (sprees.card, sprees.device)
            moved = any(thing[a] != thing[b] for thing in things)
            if refused[a - rows[0]] < 2:
                assert not moved, "nobody changes card or device before two declines"
                stayed += 1
            changed += moved
    assert changed > 10
    assert stayed > 100


def test_cards_of_one_attacked_bank_share_its_bin() -> None:
    attempts = simulate(SimulationConfig(transactions=40_000, base_rate=0.02, seed=4)).attempts
    attacks = attempts.take(attempts.kind == 1 + [p.name for p in PATTERNS].index("bin_attack"))
    for episode in np.unique(attacks.episode):
        rows = attacks.episode == episode
        assert len(np.unique(attacks.bin[rows])) == 1
        assert len(np.unique(attacks.merchant[rows])) == 1
        assert len(np.unique(attacks.card[rows])) == rows.sum()


def test_a_pattern_that_is_never_fraud_has_no_belief() -> None:
    runs = runs_of(replace(MULES, prior=0.0), generator(3), 500)
    assert not runs.fraud.any()
    assert runs.belief.max() < 1e-6
