"""A base in the columns of a target with other fields."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support import toy_models as toy
from training.data.errors import InvalidDataset
from training.data.sample import Floats
from training.modelling.base import Base
from training.modelling.columns.matched import encoded_places, in_columns
from training.modelling.encoder import TabularEncoder
from training.modelling.network import predict
from training.modelling.strategies import target_only
from training.modelling.strategies.task import Task
from training.modelling.trees.boosting import booster_logits

NAMES = ("level", "product", "amount", "is_guest", "lane", "noise", "gift", "speed")
"""A target that lacks `age`, `absent` and `merchant_category` and has three fields of its own, in another order."""
KINDS = ("number", "category", "number", "flag", "category", "number", "flag", "number")
OWN = ("level", "lane", "gift")


def of_target(rows: Floats, seed: int = 3) -> Floats:
    """Rows of the base's columns in those of the target, its own fields filled."""
    draw = np.random.default_rng(seed)
    made = np.empty((len(rows), len(NAMES)), np.float32)
    for column, name in enumerate(NAMES):
        made[:, column] = draw.integers(0, 2, len(rows)) if name in OWN else rows[:, toy.NAMES.index(name)]
    return made


def as_missing(rows: Floats) -> Floats:
    """Rows of the base's columns without what the target lacks."""
    left = rows.copy()
    left[:, [column for column, name in enumerate(toy.NAMES) if name not in NAMES]] = np.nan
    return left


@pytest.fixture(scope="module")
def rows() -> Floats:
    return toy.rows(500, seed=9, shifted=True).features


@pytest.fixture(scope="module")
def mapped(base: Base, rows: Floats) -> Base:
    return in_columns(base, NAMES, KINDS, of_target(rows))


def test_a_net_scores_as_before_where_what_the_target_lacks_was_missing(base: Base, mapped: Base, rows: Floats) -> None:
    for number in range(len(base.teachers)):
        before = predict(base.teacher(number, seed=1), as_missing(rows))
        after = predict(mapped.teacher(number, seed=1), of_target(rows))
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_fields_that_only_the_target_has_change_nothing_until_they_are_learnt(mapped: Base, rows: Floats) -> None:
    net = mapped.teacher(0, seed=1)
    one, two = (predict(net, of_target(rows, seed)) for seed in (3, 4))
    np.testing.assert_array_equal(one, two)


def test_the_sources_trees_score_as_before(base: Base, mapped: Base, rows: Floats) -> None:
    before = booster_logits(base.booster, as_missing(rows), base.kinds)
    np.testing.assert_array_equal(booster_logits(mapped.booster, of_target(rows), mapped.kinds), before)


def test_source_rows_keep_what_both_have_and_miss_what_only_the_target_has(base: Base, mapped: Base) -> None:
    for old, new in ((base.source, mapped.source), (base.held_out, mapped.held_out)):
        for column, name in enumerate(NAMES):
            wanted = np.full(len(old), np.nan) if name in OWN else old.features[:, toy.NAMES.index(name)]
            np.testing.assert_array_equal(new.features[:, column], wanted)
        assert new.label.tobytes() == old.label.tobytes()


def test_encoded_places_are_where_the_encoder_puts_each_feature(mapped: Base, rows: Floats) -> None:
    layer, held = TabularEncoder(mapped.encoding), of_target(rows)[:50]
    whole = layer(held).numpy()
    for column, places in encoded_places(mapped.encoding).items():
        without = held.copy()
        without[:, column] = np.nan
        changed = np.flatnonzero((layer(without).numpy() != whole).any(axis=0))
        assert set(changed) <= set(places.tolist())
        assert len(changed)


def test_a_mapped_base_can_be_adapted_by_labels_that_only_its_own_field_tells(mapped: Base) -> None:
    sample = toy.rows(600, seed=11, shifted=True)
    features = of_target(sample.features)
    features[:, NAMES.index("gift")] = sample.label
    told = replace(sample, features=features)
    found = target_only.adapt(Task(mapped, told, features, 1, toy.OPTIONS))
    assert toy.auc(told, predict(found.scorer, features)) > 0.9


def test_a_feature_of_another_kind_in_each_is_refused(base: Base, rows: Floats) -> None:
    kinds = ("number", "number", *KINDS[2:])
    with pytest.raises(InvalidDataset, match="product is a category in the base and a number in the target"):
        in_columns(base, NAMES, kinds, of_target(rows))
