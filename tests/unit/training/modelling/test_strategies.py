"""Every strategy learns the shifted target, moves what it says it moves, and is the same for the same seed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import spearmanr

from tests.support import toy_models as toy
from training.data.errors import (
    InvalidDataset,
)
from training.data.sample import row_keys
from training.modelling.adapt import (
    adapt,
    strategy_named,
    unseen_logits,
)
from training.modelling.base import Base
from training.modelling.distillation import DistilOptions, distil, mix
from training.modelling.export import Candidate
from training.modelling.losses import coral
from training.modelling.network import FraudNet, get_weights, predict
from training.modelling.strategies import (
    STRATEGIES,
    joint_distilled,
    l2sp,
)
from training.modelling.strategies import coral as align
from training.modelling.strategies.batches import genuine
from training.modelling.strategies.boosted import continued_logits, fit_continued, fit_pooled, folds, out_of_fold
from training.modelling.strategies.task import Adapted, AdaptOptions, Scorer, Task
from training.modelling.train_loop import make_deterministic
from training.modelling.trees.boosting import booster_logits

Run = Callable[[str], Any]
"""Name of a strategy -> its net or forest."""


@pytest.fixture(scope="module")
def task(base: Base) -> Task:
    return toy.target_task(base)


@pytest.fixture(scope="module")
def teachers() -> Iterator[list[joint_distilled.Ensemble]]:
    """The ensembles that `run` distilled, as they were made."""
    made: list[joint_distilled.Ensemble] = []
    ensemble = joint_distilled.ensemble

    def recorded(*given: Any) -> joint_distilled.Ensemble:  # noqa: ANN401  # passed on
        made.append(ensemble(*given))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint_distilled, "ensemble", recorded)
        yield made


@pytest.fixture(scope="module")
def run(task: Task, teachers: list[joint_distilled.Ensemble]) -> Run:  # noqa: ARG001  # asked for first
    """A strategy's scorer, trained once."""
    done: dict[str, Scorer] = {}

    def scorer(name: str) -> Scorer:
        if name not in done:
            make_deterministic(task.seed)
            done[name] = strategy_named(name)(task).scorer
        return done[name]

    return scorer


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "auto"])
def test_it_ranks_later_payments_of_the_target(name: str, run: Run) -> None:
    test = toy.target_test()
    assert toy.auc(test, predict(run(name), test.features)) > 0.8


def moved(base: Base, net: FraudNet) -> set[str]:
    """Parts of the pre-trained net that changed: "extractor", "head"."""
    start = base.teachers[0]
    return {
        path.split("/")[0]
        for path, weight in get_weights(net).items()
        if path in start and weight.tobytes() != start[path].tobytes()
    }


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("source_only", set()),
        ("frozen", {"head"}),
        ("adapters", {"head"}),
        ("l2sp", {"extractor", "head"}),
        ("dann", {"extractor", "head"}),
        ("coral", {"extractor", "head"}),
        ("mmd", {"extractor", "head"}),
        ("multitask", {"extractor", "head"}),
    ],
)
def test_it_moves_the_parts_that_it_says_and_no_other(name: str, parts: set[str], base: Base, run: Run) -> None:
    assert moved(base, run(name)) == parts


def test_adapters_do_the_work_that_the_frozen_blocks_may_not(base: Base, run: Run) -> None:
    ups = [weight for path, weight in get_weights(run("adapters")).items() if path.endswith("up/kernel")]
    assert len(ups) == base.net_options.blocks
    assert all(np.abs(up).max() > 0 for up in ups)


def test_a_frozen_extractor_represents_the_target_as_before(base: Base, run: Run) -> None:
    rows = tf.constant(toy.target_test().features[:200])
    before = base.teacher(0, seed=1).represent(rows)[0]
    np.testing.assert_array_equal(run("frozen").represent(rows)[0], before)


def test_the_pull_of_l2_sp_keeps_weights_nearer_to_their_start(
    base: Base, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def distance(pull: float) -> float:
        monkeypatch.setattr(l2sp, "ALPHA", pull)
        monkeypatch.setattr(l2sp, "BETA", 0.0)
        make_deterministic(task.seed)
        adapted: Any = l2sp.adapt(task).scorer
        weights = get_weights(adapted)
        return float(sum(((weights[path] - w) ** 2).sum() for path, w in base.teachers[0].items()))

    usual = l2sp.ALPHA
    free, held, held_more = (distance(pull) for pull in (0.0, usual, 10 * usual))
    assert held_more < held < free
    assert held_more < 0.8 * free


def test_alignment_brings_the_two_domains_closer(base: Base, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def gap(strength: float) -> float:
        """Distance of the domains' covariances after training with so much alignment."""
        monkeypatch.setattr(align, "CORAL_STRENGTH", strength)
        make_deterministic(task.seed)
        net: Any = align.adapt(task).scorer
        rows = (base.source.features[base.source.label == 0][:1_000], task.unlabelled[:1_000])
        return float(coral(*(net.represent(tf.constant(part))[0] for part in rows)))

    # Distances are small in so small a net: the strength is what makes them count.
    assert gap(100.0) < 0.8 * gap(0.0)


def test_fraud_is_no_part_of_what_is_aligned() -> None:
    h = tf.constant([[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(genuine(h, {"target": tf.constant([1.0, 0.0, 0.0])}), [[2.0], [3.0]])


@pytest.mark.parametrize("name", ["boosted", "dann"])
def test_the_same_seed_gives_the_same_scores_to_the_last_bit(name: str, task: Task, run: Run) -> None:
    make_deterministic(task.seed)
    rows = toy.target_test().features[:300]
    again = predict(strategy_named(name)(task).scorer, rows)
    assert again.tobytes() == predict(run(name), rows).tobytes()


def test_another_seed_gives_other_scores(task: Task, run: Run) -> None:
    rows = toy.target_test().features[:300]
    make_deterministic(2)
    other = predict(strategy_named("frozen")(replace(task, seed=2)).scorer, rows)
    assert other.tobytes() != predict(run("frozen"), rows).tobytes()


def test_students_of_the_same_seed_have_the_same_weights(base: Base) -> None:
    options = replace(toy.OPTIONS.distil, steps=10, mixed_rows=200)

    def student() -> dict[str, bytes]:
        make_deterministic(1)
        teacher = partial(booster_logits, base.trees, kinds=toy.KINDS)
        made = distil([base.source.features], teacher, kinds=toy.KINDS, seed=1, options=options)
        return {path: weight.tobytes() for path, weight in get_weights(made).items()}

    assert student() == student()


def test_the_student_agrees_with_its_teachers(run: Run, teachers: list[joint_distilled.Ensemble]) -> None:
    rows = toy.target_test().features
    student = predict(run("joint_distilled"), rows)
    assert spearmanr(teachers[0](rows), student).statistic > 0.9


def test_an_ensemble_is_half_nets_and_half_trees_at_the_nets_scale(base: Base, task: Task) -> None:
    net, rows = base.teacher(0, seed=1), task.unlabelled
    together = joint_distilled.Ensemble.of([net], partial(booster_logits, base.trees, kinds=toy.KINDS), rows)
    nets, trees = predict(net, rows), booster_logits(base.trees, rows, toy.KINDS)
    aligned = (trees - trees.mean()) / trees.std() * nets.std() + nets.mean()
    np.testing.assert_allclose(together(rows), (nets + aligned) / 2, atol=1e-3)


def test_continued_trees_correct_the_source_where_the_labels_contradict_it(base: Base, task: Task) -> None:
    speed = task.target.features[:, toy.NAMES.index("speed")]
    contrary = replace(task.target, label=(speed < np.quantile(speed, 0.1)).astype(np.int8))
    rows, against = task.unlabelled, -task.unlabelled[:, toy.NAMES.index("speed")]
    continued = continued_logits(task, fit_continued(task, contrary), rows)
    start = booster_logits(base.trees, rows, toy.KINDS)
    assert spearmanr(continued, against).statistic > spearmanr(start, against).statistic + 0.2


def test_without_a_word_from_the_labels_continued_trees_stay_near_the_source(base: Base, task: Task) -> None:
    frugal = replace(task, options=replace(task.options, few=replace(toy.FEW, trees=1, learning_rate=1e-6)))
    continued = continued_logits(frugal, fit_continued(frugal, task.target), task.unlabelled)
    np.testing.assert_allclose(continued, booster_logits(base.trees, task.unlabelled, toy.KINDS), atol=1e-4)


def test_invented_rows_are_risky_rows_with_values_of_others() -> None:
    rows = np.arange(40, dtype=np.float32).reshape(20, 2)
    risky = np.array([3, 4])
    made = mix(rows, risky, options=DistilOptions(mixed_rows=2_000, mix_rate=0.3), seed=1)
    assert made.shape == (2_000, 2)
    for column in range(2):
        own = np.isin(made[:, column], rows[risky, column])
        # 0.7 are kept; of the 0.3 exchanged, two thirds come from another risky row.
        assert own.mean() == pytest.approx(0.7 + 0.3 * (2 / 3 + 1 / 3 * 0.1), abs=0.03)
        assert np.isin(made[:, column], rows[:, column]).all()


def test_held_out_logits_come_from_trees_that_did_not_see_the_row(task: Task) -> None:
    seen: list[set[bytes]] = []

    def train(part: object) -> object:
        seen.append({row.tobytes() for row in part.features})  # type: ignore[attr-defined]  # a Sample
        return fit_pooled(task, part)  # type: ignore[arg-type]  # as above

    logits = out_of_fold(task, train)
    fold = folds(task.target.label, 3)
    for number, rows in enumerate(seen):
        assert not rows & {row.tobytes() for row in task.target.features[fold == number]}
    assert np.isfinite(logits).all()
    assert len(np.unique(logits)) > 3


def test_folds_share_out_each_class() -> None:
    label = np.array([1] * 7 + [0] * 50, np.int8)
    fold = folds(label, 3)
    assert (np.diff(fold[label == 1]) >= 0).all()  # in time order
    assert sorted(np.bincount(fold[label == 1])) == [2, 2, 3]
    assert sorted(np.bincount(fold[label == 0])) == [16, 17, 17]


def test_steps_follow_the_number_of_labels() -> None:
    options = AdaptOptions()
    assert [options.steps_for(n) for n in (100, 200, 201, 1_000, 1_001)] == [80, 80, 150, 150, 250]
    assert replace(options, steps=7).steps_for(5_000) == 7


def test_a_candidate_says_what_it_was_made_from(task: Task) -> None:
    made: Candidate = adapt(task, "source_only", frauds_counted=40, rows_counted=1_000)
    assert made.strategy == "source_only"
    assert (made.trained_on.rows, made.trained_on.frauds) == (len(task.target), task.target.frauds)
    assert made.report["why"] == "the pre-trained net as it is"
    assert made.prior == pytest.approx((40 + 1000 * task.base.source_prior) / 2_000)
    assert np.isnan(made.reference[toy.NAMES.index("absent")])  # the target has none of it


def test_an_unknown_strategy_is_named_with_those_there_are(task: Task) -> None:
    with pytest.raises(InvalidDataset, match="'magic' does not exist; choose one of auto, joint_distilled"):
        adapt(task, "magic", frauds_counted=1, rows_counted=2)


def test_labels_that_teach_nothing_are_refused_in_one_line(task: Task) -> None:
    sample = task.target
    cases = {
        "no labelled rows": sample.take(slice(0, 0)),
        "0 frauds among": sample.take(sample.label == 0),
        "every label is fraud": sample.take(sample.label == 1),
        "every feature is constant": replace(sample, features=np.ones_like(sample.features)),
    }
    for words, given in cases.items():
        with pytest.raises(InvalidDataset, match=words):
            adapt(replace(task, target=given), "frozen", frauds_counted=1, rows_counted=2)


def test_a_target_with_other_columns_is_refused(task: Task) -> None:
    narrow = replace(task.target, features=task.target.features[:, :3])
    with pytest.raises(InvalidDataset, match="3 features, the base 8"):
        adapt(replace(task, target=narrow), "frozen", frauds_counted=1, rows_counted=2)


def test_a_handful_of_frauds_learnt_by_heart_do_not_make_up_the_whole_fraud_rate(task: Task, run: Run) -> None:
    made = adapt(task, "boosted", frauds_counted=40, rows_counted=1_000)
    fresh = toy.target_test().features
    mean = (1 / (1 + np.exp(-made.calibration(predict(run("boosted"), fresh))))).mean()
    assert mean == pytest.approx(made.prior, rel=0.25)


def test_where_every_row_is_labelled_held_out_logits_stand_for_the_target(task: Task) -> None:
    held_out = np.linspace(-3, 3, len(task.target), dtype=np.float32)
    adapted = Adapted(lambda rows: rows[:, 0], held_out)
    alone = replace(task, unlabelled=task.target.features)
    np.testing.assert_array_equal(unseen_logits(alone, adapted), held_out)
    assert len(unseen_logits(task, adapted)) == len(task.unlabelled) - len(task.target)


def test_rows_are_known_again_by_their_bits() -> None:
    rows = toy.target_test().features
    keys = row_keys(rows)
    assert len(np.unique(keys)) == len(rows)
    np.testing.assert_array_equal(row_keys(rows[[5, 7, 5]]), keys[[5, 7, 5]])  # missing values and all
