"""How far the default believes a target's labels, and among which payments `auto` has candidates ranked."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import toy_models as toy
from training.data.sample import Floats, Sample
from training.modelling.base import Base
from training.modelling.boosting import booster_logits, fit_booster
from training.modelling.network import get_weights
from training.modelling.strategies import auto, joint_distilled
from training.modelling.strategies.boosted import continued_logits, fit_continued, fit_pooled
from training.modelling.strategies.task import Task


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


def test_a_source_that_knows_no_fraud_of_its_own_is_not_transferred(base: Base) -> None:
    task = toy.target_task(base, labels=300)
    assert auto.why_useless(task) == ""
    rows = base.source.features
    by_noise = rows[:, toy.NAMES.index("noise")] > 1.5
    noise = fit_booster(rows, by_noise, toy.KINDS, seed=1, options=toy.TREES)
    choice = auto.choose(replace(task, base=replace(base, booster=noise)))
    assert choice.strategy == auto.NO_TRANSFER
    assert "hardly ranks its own held-out frauds" in choice.why


def test_a_source_that_takes_the_targets_frauds_for_the_safest_is_not_transferred(base: Base) -> None:
    task = toy.target_task(base)
    safest = np.argsort(booster_logits(base.booster, task.target.features, toy.KINDS), kind="stable")[:4]
    contrary = replace(task.target, label=np.isin(np.arange(len(task.target)), safest).astype(np.int8))
    choice = auto.choose(replace(task, target=contrary))
    assert choice.strategy == auto.NO_TRANSFER
    assert "4 frauds below its other payments" in choice.why


def test_frauds_that_are_too_many_are_ranked_among_unlabelled_payments(base: Base) -> None:
    task = toy.target_task(base)
    biased = task.target.take(np.argsort(-task.target.label, kind="stable")[:20])
    block = auto.among_all(task, biased)
    assert block.frauds == biased.frauds
    assert block.frauds / len(block) == pytest.approx(base.source_prior, rel=0.1)
    assert _known(block.features[len(biased) :], task.unlabelled)


def test_a_block_with_few_frauds_stays_as_it_is(base: Base) -> None:
    task = toy.target_task(base)
    genuine = task.target.take(task.target.label == 0)
    rare = Sample(*(np.concatenate([getattr(s, c) for s in (genuine, task.target.take(slice(0, 1)))])
                    for c in ("features", "label", "time")))  # fmt: skip
    assert auto.among_all(task, rare) is rare


def _known(rows: Floats, among: Floats) -> bool:
    held = {row.tobytes() for row in among}
    return all(row.tobytes() in held for row in rows)
