"""How far a target's labels are believed, and which sources `auto` expects little of."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import toy_models as toy
from training.modelling.base import Base
from training.modelling.network import get_weights
from training.modelling.strategies import auto, joint_distilled
from training.modelling.strategies.boosted import continued_logits, fit_continued, fit_pooled
from training.modelling.strategies.task import Task
from training.modelling.trees.boosting import booster_logits, fit_booster


def _believing(task: Task, worth: float) -> Task:
    return replace(task, options=replace(task.options, steps=2, source_worth=worth))


def test_trust_grows_with_the_labelled_frauds(base: Base) -> None:
    few, many = toy.target_task(base, labels=300), toy.target_task(base, labels=3_000)
    assert 0 < few.trust < many.trust < 1
    assert _believing(few, few.target.frauds).trust == pytest.approx(0.5)


def test_without_trust_a_net_stays_as_it_was_pre_trained(base: Base) -> None:
    net = joint_distilled.fit_net(_believing(toy.target_task(base), 1e12), 0)
    before = get_weights(base.teacher(0, seed=1))
    for path, weight in get_weights(net).items():
        np.testing.assert_allclose(weight, before[path], atol=1e-5)


def test_trust_decides_between_continued_trees_and_pooled_ones(base: Base) -> None:
    task = toy.target_task(base)
    pooled, rows = fit_pooled(task, task.target), task.unlabelled
    continued = continued_logits(task, fit_continued(task, task.target), rows)
    for worth, expected in ((1e12, continued), (0.0, booster_logits(pooled, rows, toy.KINDS))):
        made = joint_distilled.corrected(_believing(task, worth), pooled)
        np.testing.assert_allclose(made(rows), expected, atol=1e-4)


def test_a_source_that_knows_no_fraud_of_its_own_is_told(base: Base) -> None:
    task = toy.target_task(base, labels=300)
    assert auto.why_useless(task) == ""
    rows = base.source.features
    by_noise = rows[:, toy.NAMES.index("noise")] > 1.5
    noise = fit_booster(rows, by_noise, toy.KINDS, seed=1, options=toy.TREES)
    why = auto.why_useless(replace(task, base=replace(base, booster=noise)))
    assert "hardly ranks its own held-out frauds" in why


def test_a_source_that_takes_the_targets_frauds_for_the_safest_is_told(base: Base) -> None:
    task = toy.target_task(base)
    safest = np.argsort(booster_logits(base.trees, task.target.features, toy.KINDS), kind="stable")[:4]
    contrary = replace(task.target, label=np.isin(np.arange(len(task.target)), safest).astype(np.int8))
    assert "4 frauds below its other payments" in auto.why_useless(replace(task, target=contrary))
