"""`auto` ranks the target with a source and without one, says what it weighed, and can be served either way."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.support import toy_models as toy
from training.data.dataset import Identity
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.export import Candidate, export_bundle
from training.modelling.network import FraudNet, predict
from training.modelling.pretrain import without_source
from training.modelling.strategies import auto
from training.modelling.strategies.stack.stack_graph import Stack
from training.modelling.strategies.task import Task

IDENTITY = Identity("0" * 16, "0" * 16)


def made(task: Task) -> Candidate:
    return adapt(task, "auto", frauds_counted=task.target.frauds, rows_counted=len(task.target))


@pytest.fixture(scope="module")
def candidate(base: Base) -> Candidate:
    return made(toy.target_task(base, labels=400))


def test_it_ranks_later_payments_and_says_what_counts(candidate: Candidate) -> None:
    test = toy.target_test()
    assert toy.auc(test, predict(candidate.scorer, test.features)) > 0.9
    why = str(candidate.report["why"])
    assert "joint" in why
    assert "frauds not seen" in why
    assert "served" in why
    assert candidate.report["warnings"] == []


def test_with_a_handful_of_frauds_it_does_what_was_expected(base: Base) -> None:
    task = toy.target_task(base, labels=120)
    assert task.target.frauds == 4
    assert "as expected: too few frauds" in str(made(task).report["why"])


def test_without_a_source_it_learns_from_the_target_alone() -> None:
    sample = toy.rows(3_000, seed=11, shifted=True)
    base = without_source(sample, sample.features, names=toy.NAMES, kinds=toy.KINDS, seed=1)
    candidate = made(Task(base, sample, sample.features, 1, toy.OPTIONS))
    test = toy.target_test()
    assert toy.auc(test, predict(candidate.scorer, test.features)) > 0.9
    assert "source" not in str(candidate.report["why"])


@pytest.mark.parametrize(("faithful", "kind"), [(0.0, FraudNet), (1.1, Stack)])
def test_what_is_served_is_the_cheapest_that_ranks_alike(
    base: Base, faithful: float, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "FAITHFUL", faithful)
    candidate = made(toy.target_task(base, labels=400))
    assert isinstance(candidate.scorer, kind)
    version = export_bundle(
        tmp_path, candidate, identity=IDENTITY, created_at=datetime.now(UTC), parent=None, policy=b"{}"
    )
    assert version == 1


def test_the_same_seed_gives_the_same_scores_to_the_last_bit(base: Base, candidate: Candidate) -> None:
    rows = toy.target_test().features[:300]
    again = made(toy.target_task(base, labels=400))
    assert predict(again.scorer, rows).tobytes() == predict(candidate.scorer, rows).tobytes()


def test_held_out_logits_calibrate_where_there_are_any(base: Base) -> None:
    task = toy.target_task(base, labels=400)
    adapted = auto.adapt(task)
    assert adapted.held_out is not None
    assert len(adapted.held_out) == len(task.target)
    many = replace(task, target=toy.rows(4_000, seed=3, shifted=True))
    held_out = auto.adapt(many).held_out
    assert held_out is not None
    assert 0.3 < np.isnan(held_out).mean() < 0.7  # only later rows were scored
