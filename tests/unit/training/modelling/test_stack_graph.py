"""A stack in the graph says what its members say together, explains itself, and survives its export."""

from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from tests.support import toy_models as toy
from training.modelling.base import Base
from training.modelling.contributions import StackAttribution, reference_row
from training.modelling.distillation import fidelity
from training.modelling.network import predict
from training.modelling.strategies.auto import Blend, without_tiny
from training.modelling.strategies.stack.evidence import Scale
from training.modelling.strategies.stack.members import Fitted, FittedForest, FittedNets, FittedTrees
from training.modelling.strategies.stack.stack_graph import Stack
from training.modelling.trees.boosting import FEW_LABELS, fit_booster, fit_forest


@cache
def _trees(seed: int) -> FittedTrees:
    sample = toy.rows(1_500, seed=seed)
    return FittedTrees(
        (fit_booster(sample.features, sample.label, toy.KINDS, seed=seed, options=FEW_LABELS),), toy.KINDS
    )


@pytest.fixture(scope="module")
def blend(base: Base) -> Blend:
    sample = toy.rows(1_500, seed=4)
    forest = fit_forest(sample.features, sample.label, toy.KINDS, seed=1, threads=1)
    models: dict[str, Fitted] = {
        "one": _trees(1),
        "two": FittedTrees((*_trees(2).boosters, *_trees(3).boosters), toy.KINDS),
        "nets": FittedNets((base.teacher(0, seed=1), base.teacher(1, seed=1))),
        "forest": FittedForest(forest, toy.KINDS),
    }
    scales = {name: Scale.of(model(sample.features)) for name, model in models.items()}
    return Blend(models, scales, {"one": 0.9, "two": 0.4, "nets": 0.6, "forest": 0.3})


def test_it_scores_as_its_members_do_together(blend: Blend) -> None:
    rows = toy.target_test().features
    np.testing.assert_allclose(blend.graph(toy.KINDS)(tf.constant(rows)), blend(rows), atol=1e-4)


def test_without_nets_it_scores_as_the_trees_do(blend: Blend) -> None:
    trees, rows = blend.without_nets(), toy.target_test().features
    assert set(trees.weights) == {"one", "two", "forest"}
    graph = trees.graph(toy.KINDS)
    assert isinstance(graph, Stack)
    assert not graph.nets
    np.testing.assert_allclose(graph(tf.constant(rows)), trees(rows), atol=1e-4)


def test_a_net_beside_the_trees_is_added_as_it_is(blend: Blend, base: Base) -> None:
    rows, net = toy.target_test().features, base.teacher(1, seed=1)
    beside = blend.without_nets().and_net(net)
    np.testing.assert_allclose(beside(rows), blend.without_nets()(rows) + predict(net, rows), atol=1e-4)
    np.testing.assert_allclose(beside.graph(toy.KINDS)(tf.constant(rows)), beside(rows), atol=1e-4)
    assert set(blend.only_nets().weights) == {"nets"}


def test_its_contributions_add_up_to_the_changes_of_its_parts(blend: Blend) -> None:
    rows = tf.constant(toy.target_test().features[:200])
    graph = blend.graph(toy.KINDS)
    assert isinstance(graph, Stack)
    reference = reference_row(toy.target_test().features, toy.KINDS)
    given = StackAttribution(graph, reference)(rows).numpy()
    moved = graph(rows).numpy() - given.sum(axis=1)
    # What is left are the starting points: of the trees their roots, of the nets the reference, the same for each row.
    assert moved.std() < 0.02 * given.sum(axis=1).std()


def test_members_that_count_for_almost_nothing_are_left_out() -> None:
    kept = without_tiny({"a": 1.0, "b": 0.9, "c": 0.01})
    assert list(kept) == ["a", "b"]
    assert sum(kept.values()) == pytest.approx(1.91)


def test_fidelity_is_the_share_of_the_riskiest_that_is_found() -> None:
    truth = np.arange(20_000, dtype=np.float32)
    assert fidelity(truth, truth) == 1
    assert fidelity(truth, -truth) == 0
    swapped = truth.copy()
    swapped[-100:] = -1
    assert fidelity(truth, swapped) == pytest.approx(0.5)
