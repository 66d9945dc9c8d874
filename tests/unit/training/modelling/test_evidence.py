"""Members are judged on payments that they have not seen, among payments that are no frauds in disguise."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import toy_models as toy
from training.data.sample import row_keys
from training.modelling.base import Base
from training.modelling.strategies.stack.evidence import (
    FEWEST,
    FORWARD_FRAUDS,
    LEFT_OUT_BLOCKS,
    Scale,
    blocks,
    gather,
    presumed_genuine,
    scale_rows,
)
from training.modelling.strategies.task import Task


def labelled(frauds: int, *, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).permutation((np.arange(40 * frauds) < frauds).astype(np.int8))


def test_with_few_frauds_each_block_is_scored_by_all_others() -> None:
    label = labelled(20)
    pairs = blocks(label)
    assert len(pairs) == LEFT_OUT_BLOCKS
    np.testing.assert_array_equal(np.concatenate([test for _, test in pairs]), np.arange(len(label)))
    for train, test in pairs:
        assert not np.intersect1d(train, test).size
        assert len(train) + len(test) == len(label)
        assert label[test].sum() == 20 / LEFT_OUT_BLOCKS
        assert (np.diff(test) == 1).all()


def test_with_enough_frauds_members_learn_from_what_came_before() -> None:
    label = labelled(FORWARD_FRAUDS)
    pairs = blocks(label)
    assert all(train[-1] < test[0] for train, test in pairs)
    assert sum(int(label[test].sum()) for _, test in pairs) == FORWARD_FRAUDS // 2
    assert pairs[-1][1][-1] == len(label) - 1


def test_a_handful_of_frauds_is_no_evidence() -> None:
    assert blocks(labelled(FEWEST - 1)) == []
    assert blocks(np.ones(50, np.int8)) == []


def test_labels_of_which_only_one_block_has_genuine_ones_make_no_empty_lesson() -> None:
    label = np.concatenate([np.zeros(5), np.ones(40)]).astype(np.int8)
    for train, _ in blocks(label):
        assert 0 < label[train].sum() < len(train)


def test_each_row_is_scored_by_a_member_that_has_not_seen_it(base: Base) -> None:
    task = toy.target_task(base, labels=400)
    seen: list[set[int]] = []

    def fit(part: Task) -> object:
        mine = set(row_keys(part.target.features).tolist())
        seen.append(mine)
        return lambda rows: np.isin(row_keys(rows), np.array(list(mine), np.uint64)).astype(np.float32)

    evidence = gather(task, {"target": fit})  # type: ignore[dict-item]  # a function is what is called
    assert evidence is not None
    assert len(seen) == LEFT_OUT_BLOCKS
    # What a model has seen scores 1, everything else 0, before the scale.
    assert len(np.unique(evidence.scores["target"])) <= LEFT_OUT_BLOCKS
    assert evidence.scores["target"].max() < 0
    np.testing.assert_array_equal(evidence.label[: len(evidence.rows)], task.target.label[evidence.rows])


def test_members_are_brought_to_one_scale() -> None:
    logits = np.random.default_rng(1).normal(-7, 3, 5_000).astype(np.float32)
    z = Scale.of(logits)(logits)
    assert z.mean() == pytest.approx(0, abs=1e-5)
    assert z.std() == pytest.approx(1, abs=1e-5)


def test_scales_are_matched_on_rows_that_nobody_learnt_from(base: Base) -> None:
    task = toy.target_task(base, labels=400)
    several = replace(
        task, unlabelled=np.concatenate([toy.rows(4_000, seed=5, shifted=True).features, task.unlabelled])
    )
    assert not np.isin(row_keys(scale_rows(several)), row_keys(task.target.features)).any()


def biased(task: Task) -> Task:
    """Labels as an analyst's queue gives them: the payments that the source finds riskiest."""
    rows = toy.rows(6_000, seed=77, shifted=True, rate=0.02)
    from training.modelling.trees.boosting import booster_logits

    riskiest = np.sort(np.argsort(-booster_logits(task.base.trees, rows.features, toy.KINDS))[:200])
    return replace(task, target=rows.take(riskiest), unlabelled=rows.features)


def test_labels_that_were_chosen_by_risk_stand_among_unlabelled_payments(base: Base) -> None:
    task = biased(toy.target_task(base))
    beside = presumed_genuine(task)
    assert task.target.frauds / (len(task.target) + len(beside)) == pytest.approx(base.source_prior, rel=0.1)
    assert not np.isin(row_keys(beside), row_keys(task.target.features)).any()


def test_a_fair_sample_with_more_fraud_than_the_source_stands_alone(base: Base) -> None:
    rows = toy.rows(4_000, seed=78, shifted=True, rate=3 * base.source_prior)
    drawn = np.sort(np.random.default_rng(1).choice(4_000, 300, replace=False))
    task = replace(toy.target_task(base), target=rows.take(drawn), unlabelled=rows.features)
    assert len(presumed_genuine(task)) == 0


def test_where_every_payment_is_labelled_none_is_presumed_genuine(base: Base) -> None:
    task = biased(toy.target_task(base))
    assert len(presumed_genuine(replace(task, unlabelled=task.target.features))) == 0


def test_a_fold_learns_from_a_bounded_part_of_a_large_source(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.modelling.strategies.stack.evidence.CELLS", 500 * len(toy.NAMES))
    sizes: list[tuple[int, int]] = []

    def fit(part: Task) -> object:
        sizes.append((len(part.base.source), len(part.target)))
        return lambda rows: np.zeros(len(rows), np.float32)

    sample = toy.rows(3_000, seed=9, shifted=True)
    gather(replace(toy.target_task(base), target=sample), {"pooled": fit})  # type: ignore[dict-item]  # as above
    assert all(0 < source <= 500 and 0 < target <= 500 for source, target in sizes)
