"""Trees in the graph say what LightGBM says, whatever is in the row; their explanations add up."""

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from training.data.sample import Sample
from training.modelling.base import MappedTrees
from training.modelling.boosting_graph import Forest
from training.modelling.contributions import ForestAttribution
from training.modelling.strategies.stack.stack_graph import log_odds
from training.modelling.trees.boosting import (
    CATEGORY_CODES,
    MAX_TARGET_WEIGHT,
    BoostOptions,
    booster_logits,
    encode_categories,
    fit_booster,
    fit_forest,
    forest_logits,
    pooled,
)

Floats = npt.NDArray[np.float32]
Boosted = tuple[lightgbm.Booster, Forest]
KINDS = ("number", "number", "category", "flag", "category", "number")
MANY = BoostOptions(trees=150, leaves=15, min_leaf=5, threads=1)


def rows(count: int, *, seed: int, gaps: float = 0.15) -> Floats:
    """Numbers, hashes and flags with missing values and many ties; the last number is never missing."""
    rng = np.random.default_rng(seed)
    features = np.stack(
        [
            rng.lognormal(2, 2, count),
            rng.integers(-3, 4, count).astype(np.float64),
            rng.integers(1, 60, count) * 279_551.0,
            rng.random(count) < 0.3,
            rng.integers(1, 2**24, count).astype(np.float64),
            rng.normal(size=count),
        ],
        axis=1,
    ).astype(np.float32)
    features[:, :5][rng.random((count, 5)) < gaps] = np.nan
    return features


def labels(features: Floats, seed: int = 1) -> npt.NDArray[np.int8]:
    odd = np.nan_to_num(features[:, 2]) % 7 < 2
    signal = np.nan_to_num(features[:, 1]) + 2 * odd + features[:, 5] + 1.5 * np.isnan(features[:, 0])
    return (signal + np.random.default_rng(seed).normal(size=len(features)) > 2.5).astype(np.int8)


@pytest.fixture(scope="module")
def boosted() -> Boosted:
    features = rows(2_500, seed=1)
    booster = fit_booster(features, labels(features), KINDS, seed=1, options=MANY)
    return booster, Forest(booster, KINDS)


def same(booster: object, forest: Forest, features: Floats) -> None:
    expected = booster_logits(booster, features, KINDS)
    np.testing.assert_allclose(forest(tf.constant(features)), expected, rtol=1e-6, atol=1e-6)


def test_many_trees_with_gaps_and_categories_score_as_lightgbm_does(boosted: Boosted) -> None:
    booster, forest = boosted
    same(booster, forest, rows(3_000, seed=2))
    # The same rows hold splits of every kind; otherwise this would prove little.
    assert int(forest.roots.shape[0]) == 150
    assert sum(int(outside.shape[1]) for outside in forest.outside) > 10
    missing_as = set(forest.table.numpy()[:, 2])
    assert missing_as == {-np.inf, 0.0, np.inf}


def test_rows_without_any_value_and_categories_never_seen_score_alike(boosted: Boosted) -> None:
    odd = np.full((6, 6), np.nan, np.float32)
    odd[1] = 0
    odd[2] = 2.0**24 - 1
    odd[3] = [np.inf, -np.inf, 1, 1, 1, 0]
    odd[4] = [-1e30, 1e30, 255, 0, 256, 5]
    odd[5, 5] = 0.5
    same(*boosted, odd)


def test_values_on_a_threshold_go_the_same_way(boosted: Boosted) -> None:
    booster, forest = boosted
    thresholds = np.unique(forest.table.numpy()[:, 1])[1:-1][:1_000]
    # What lies nearer to 0 than this, LightGBM reads as 0; no feature is that small. Leaves have an infinite one.
    thresholds = thresholds[(np.abs(thresholds) > 1e-30) & (thresholds < 1e38)]
    features = rows(len(thresholds), seed=3, gaps=0.0)
    for shift in (thresholds, np.nextafter(thresholds, np.float32(np.inf)), np.nextafter(thresholds, np.float32(-9))):
        for column in (0, 1, 5):
            on_edge = features.copy()
            on_edge[:, column] = shift
            same(booster, forest, on_edge)


def test_a_number_that_was_never_missing_in_training_counts_as_zero_when_it_is(
    boosted: Boosted,
) -> None:
    booster, forest = boosted
    gap, zero = rows(200, seed=4), rows(200, seed=4)
    gap[:, 5], zero[:, 5] = np.nan, 0.0
    same(booster, forest, gap)
    np.testing.assert_array_equal(forest(tf.constant(gap)), forest(tf.constant(zero)))


def test_trees_without_a_split_are_a_constant() -> None:
    features = rows(60, seed=1)
    label = np.arange(60) % 2
    booster = fit_booster(features, label, KINDS, seed=1, options=BoostOptions(trees=3, min_leaf=1_000, threads=1))
    forest = Forest(booster, KINDS)
    same(booster, forest, features)
    assert len(np.unique(forest(tf.constant(features)))) == 1


def test_the_same_seed_grows_the_same_trees() -> None:
    features = rows(800, seed=1)
    few = BoostOptions(trees=10, threads=1)
    grown = [fit_booster(features, labels(features), KINDS, seed=s, options=few).model_to_string() for s in (1, 1, 2)]
    assert grown[0] == grown[1]
    assert grown[0] != grown[2]


def test_contributions_of_trees_add_up_to_the_score_less_what_the_roots_expect(
    boosted: Boosted,
) -> None:
    _, forest = boosted
    features = tf.constant(rows(300, seed=5))
    contributions = ForestAttribution(forest, len(KINDS))(features).numpy()
    roots = tf.reduce_sum(tf.gather(forest.value, forest.roots)).numpy()
    np.testing.assert_allclose(contributions.sum(axis=1), forest(features).numpy() - roots, atol=1e-4)


def test_contributions_of_one_tree_are_the_changes_along_its_path() -> None:
    features = np.array([[0.0, x, np.nan, 0, np.nan, 0] for x in (0, 0, 1, 1)] * 20, np.float32)
    label = (features[:, 1] > 0.5).astype(np.int8)
    options = BoostOptions(trees=1, leaves=2, min_leaf=5, columns=1.0, threads=1)
    forest = Forest(fit_booster(features, label, KINDS, seed=1, options=options), KINDS)
    contributions = ForestAttribution(forest, len(KINDS))(tf.constant(features)).numpy()
    assert not contributions[:, [0, 2, 3, 4, 5]].any()
    assert (contributions[label == 1, 1] > 0).all()
    assert (contributions[label == 0, 1] < 0).all()


def test_several_boosters_are_one_forest_that_adds_them_up(boosted: Boosted) -> None:
    features = rows(1_500, seed=6)
    other = fit_booster(features, labels(features, seed=7), KINDS, seed=2, options=MANY)
    both = Forest([(boosted[0], 0.25), (other, 2.0)], KINDS)
    expected = 0.25 * booster_logits(boosted[0], features, KINDS) + 2 * booster_logits(other, features, KINDS)
    np.testing.assert_allclose(both(tf.constant(features)), expected, rtol=1e-5, atol=1e-5)


def test_a_random_forest_in_the_graph_is_the_mean_of_its_trees() -> None:
    features = rows(1_500, seed=1)
    forest = fit_forest(features, labels(features), KINDS, seed=1, threads=1)
    fresh = rows(800, seed=8)
    mean = Forest(forest, KINDS)(tf.constant(fresh))
    np.testing.assert_allclose(mean, forest.predict(encode_categories(fresh, KINDS)), atol=1e-6)
    low, high = float(tf.reduce_min(mean)), float(tf.reduce_max(mean))
    assert 0 <= low < 0.1
    assert 0.9 < high <= 1
    np.testing.assert_allclose(log_odds(mean), forest_logits(forest, fresh, KINDS), atol=1e-3)


def test_trees_never_split_on_a_column_that_they_may_not_use() -> None:
    features = rows(1_500, seed=1)
    label = labels(features)
    booster = fit_booster(features, label, KINDS, seed=1, options=MANY, columns=[0, 2, 3])
    assert not booster.feature_importance()[[1, 4, 5]].any()
    assert booster.feature_importance()[[0, 2, 3]].all()
    altered = features.copy()
    altered[:, [1, 4, 5]] = 7
    np.testing.assert_array_equal(booster_logits(booster, altered, KINDS), booster_logits(booster, features, KINDS))


def test_hashes_become_codes_and_absent_ones_stay_missing() -> None:
    features = np.array([[1, 2, 0, 1, np.nan, 1], [1, 2, 255, 1, 2**24 - 1, 1]], np.float32)
    coded = encode_categories(features, KINDS)
    assert np.isnan(coded[0, [2, 4]]).all()
    np.testing.assert_array_equal(coded[1, [2, 4]], [1 + 255 % 255, 1 + (2**24 - 1) % 255])
    assert coded[1, 4] < CATEGORY_CODES
    np.testing.assert_array_equal(features[1], [1, 2, 255, 1, 2**24 - 1, 1])  # untouched
    numbers = features[:, :2]
    assert encode_categories(numbers, KINDS[:2]) is numbers


def test_the_target_weighs_a_fifth_of_the_pool_unless_its_rows_are_a_handful() -> None:
    def sample(count: int) -> Sample:
        return Sample(np.zeros((count, 1), np.float32), np.zeros(count, np.int8), np.arange(count))

    both, weight = pooled(sample(1_000), sample(10), target_share=0.2)
    assert len(both) == 1_010
    assert weight[1_000:].sum() / weight.sum() == pytest.approx(0.2)
    assert pooled(sample(10_000), sample(10))[1][-1] == MAX_TARGET_WEIGHT
    assert pooled(sample(10), sample(1_000))[1].tolist() == [1.0] * 1_010  # never weighed down


def test_trees_of_another_platform_score_as_they_do_outside_the_graph(boosted: Boosted) -> None:
    booster, _ = boosted
    features = rows(600, seed=11)
    # The target has the columns in another order, and lacks two: a number and the category.
    lacking = {1, 2}
    kept = [column for column in reversed(range(features.shape[1])) if column not in lacking]
    columns = np.array([kept.index(c) if c in kept else -1 for c in range(features.shape[1])], np.intp)
    kinds = [KINDS[column] for column in kept]
    mapped = MappedTrees(booster, columns)
    theirs = features[:, kept]
    expected = booster_logits(mapped, theirs, kinds)
    assert np.unique(expected).size > 100
    np.testing.assert_allclose(Forest([(mapped, 1.0)], kinds)(tf.constant(theirs)), expected, atol=1e-5)
