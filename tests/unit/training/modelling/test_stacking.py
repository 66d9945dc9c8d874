"""Weights of a stack stay as expected while frauds are few and follow the evidence when they are many."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import toy_models as toy
from training.modelling.base import Base
from training.modelling.strategies.stack.stacking import expected, fit_weights

EXPECTED = {"good": 0.1, "poor": 0.6, "noise": 0.3}


def scores(frauds: int, *, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A hundred payments for each fraud, ranked well, poorly and not at all."""
    random = np.random.default_rng(seed)
    label = (np.arange(100 * frauds) < frauds).astype(np.int8)
    known = {"good": 3.0, "poor": 0.5, "noise": 0.0}
    return {name: lift * label + random.normal(size=len(label)) for name, lift in known.items()}, label


def shares(frauds: int, *, seed: int) -> dict[str, float]:
    weights = fit_weights(*scores(frauds, seed=seed), EXPECTED)
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_frauds_decide(seed: int) -> None:
    found = shares(400, seed=seed)
    assert found["good"] > 0.75
    assert found["noise"] < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_evidence_moves_the_weights_the_further_the_more_frauds_there_are(seed: int) -> None:
    found = [shares(frauds, seed=seed)["good"] for frauds in (3, 30, 300)]
    assert EXPECTED["good"] < found[0] < found[1] < found[2]


@pytest.mark.parametrize("seed", range(5))
def test_a_handful_of_frauds_does_not_lead_to_noise(seed: int) -> None:
    """Members that know equally much keep what was expected of them, however luck ranked six frauds."""
    random = np.random.default_rng(seed)
    label = (np.arange(600) < 6).astype(np.int8)
    equal = {name: 2.0 * label + random.normal(size=600) for name in EXPECTED}
    weights = fit_weights(equal, label, EXPECTED)
    for name, share in EXPECTED.items():
        assert weights[name] / sum(weights.values()) == pytest.approx(share, abs=0.15)


def test_no_weight_is_negative_where_a_member_ranks_the_wrong_way_round() -> None:
    found, label = scores(100, seed=1)
    weights = fit_weights(found | {"poor": -found["good"]}, label, EXPECTED)
    assert min(weights.values()) >= 0
    assert weights["poor"] < 0.01 * weights["good"]


def test_trees_on_the_target_alone_gain_with_its_frauds(base: Base) -> None:
    names = ["source", "source_net", "joint", "continued", "pooled", "raw_pooled", "target", "raw_target", "forest"]
    few, many = (expected(toy.target_task(base, labels=count), names) for count in (300, 8_000))
    assert sum(few.values()) == pytest.approx(1)
    own = [share["target"] + share["raw_target"] + share["forest"] for share in (few, many)]
    assert own[0] < 0.05
    assert own[1] > 0.25
    assert few["continued"] > many["continued"]


def test_nothing_is_expected_of_a_source_that_can_teach_nothing(base: Base) -> None:
    share = expected(toy.target_task(base), ["source", "joint", "pooled", "target"], useless=True)
    assert share["target"] > 0.9


def test_nets_have_the_share_that_they_deserved_on_the_source(base: Base) -> None:
    task = toy.target_task(replace(base, net_share=0.15))
    share = expected(task, ["source_net", "joint", "continued", "pooled", "raw_pooled", "source", "target"])
    assert share["joint"] + share["source_net"] == pytest.approx(0.15, abs=0.02)
