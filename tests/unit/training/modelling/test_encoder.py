"""The encoder in the graph does what its formulas say, whatever the platform sends."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from training.modelling.contributions import owners
from training.modelling.encoder import TAIL_QUANTILES, Encoding, EncodingOptions, TabularEncoder, fit_encoding

Floats = npt.NDArray[np.float32]
LARGEST_HASH = 2**24 - 1


def column(*values: float) -> Floats:
    return np.array(values, np.float32)[:, None]


def run(encoding: Encoding, features: Floats, *, seed: int = 0) -> Floats:
    return np.asarray(TabularEncoder(encoding, seed=seed)(tf.constant(features)))


def skewed(count: int = 5_000) -> Floats:
    return np.random.default_rng(1).lognormal(3, 2, (count, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    return fit_encoding([skewed()], ["number"])


def parts(encoded: Floats) -> tuple[Floats, Floats, Floats]:
    """(bins, scalar, missing flag) of a single number."""
    return encoded[:, :-2], encoded[:, -2], encoded[:, -1]


def test_bins_are_piecewise_linear_between_the_tail_quantiles_of_the_signed_logarithm(encoding: Encoding) -> None:
    z = np.log1p(skewed()[:, 0].astype(np.float64))
    edges = np.quantile(z, TAIL_QUANTILES)
    at = np.linspace(max(edges[0] - 1, 0), edges[-1] + 1, 101)
    expected = np.clip((at[:, None] - edges[:-1]) / np.diff(edges), 0, 1)
    bins, scalar, missing = parts(run(encoding, np.expm1(at).astype(np.float32)[:, None]))
    np.testing.assert_allclose(bins, expected, atol=2e-4)
    np.testing.assert_allclose(scalar, np.clip((at - z.mean()) / z.std(), -4, 4), atol=2e-4)
    assert not missing.any()


def test_the_signed_logarithm_is_odd() -> None:
    rows = np.concatenate([skewed(), -skewed()])
    encoding = fit_encoding([rows], ["number"])
    z = np.log1p(skewed().astype(np.float64))
    scalar = parts(run(encoding, column(100, -100, 0)))[1]
    spread = np.sqrt((z**2).mean())  # of values and their mirror images, around 0
    np.testing.assert_allclose(scalar, [np.log(101) / spread, -np.log(101) / spread, 0], atol=1e-5)


def test_the_tail_has_bins_of_its_own(encoding: Encoding) -> None:
    rows = skewed()[:, 0]
    inside = np.quantile(rows, [0.98, 0.99, 0.996, 0.999]).astype(np.float32)[:, None]
    bins = parts(run(encoding, inside))[0]
    assert len(np.unique(bins, axis=0)) == 4
    assert (bins[:2, -1] == 0).all()
    assert (bins[2:, -1] > 0).all()


def test_a_missing_number_is_flagged_and_every_other_column_of_it_is_zero(encoding: Encoding) -> None:
    bins, scalar, missing = parts(run(encoding, column(np.nan)))
    assert not bins.any()
    assert scalar[0] == 0
    assert missing[0] == 1


def test_infinities_are_the_ends_of_the_scale(encoding: Encoding) -> None:
    bins, scalar, missing = parts(run(encoding, column(np.inf, -np.inf, 3e38, -3e38)))
    np.testing.assert_array_equal(bins, np.repeat([[1.0], [0.0], [1.0], [0.0]], bins.shape[1], axis=1))
    np.testing.assert_array_equal(scalar, [4, -4, 4, -4])
    assert not missing.any()


@pytest.mark.parametrize("log", [True, False])
def test_missing_is_told_from_every_number_however_large_numbers_are(log: bool) -> None:
    rows = np.linspace(-5e12, 5e12, 1_001, dtype=np.float32)[:, None]
    bins = parts(run(fit_encoding([rows], ["number"], options=EncodingOptions(log=log)), column(np.nan)))[0]
    assert not bins.any()


def test_without_the_logarithm_edges_are_quantiles_of_the_numbers_themselves() -> None:
    rows = skewed()
    encoding = fit_encoding([rows], ["number"], options=EncodingOptions(quantiles=(0.0, 0.5, 1.0), log=False))
    low, middle, high = np.quantile(rows, [0, 0.5, 1])
    bins = parts(run(encoding, column((low + middle) / 2, (middle + high) / 2)))[0]
    np.testing.assert_allclose(bins, [[0.5, 0], [1, 0.5]], atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_constant_and_absent_features_encode_to_finite_numbers(value: float) -> None:
    encoding = fit_encoding([np.full((50, 1), value, np.float32)], ["number"])
    encoded = run(encoding, column(value, 7, 1e9, np.inf, -np.inf, np.nan))
    assert np.isfinite(encoded).all()
    assert not parts(encoded)[0].any()


def test_the_fit_ignores_missing_and_infinite_values() -> None:
    rows = skewed()
    spoilt = np.concatenate([rows, column(np.nan, np.inf, -np.inf)])
    one, other = (fit_encoding([r], ["number"]) for r in (rows, spoilt))
    np.testing.assert_array_equal(one.slope, other.slope)
    np.testing.assert_array_equal(one.centre, other.centre)


def test_source_and_target_have_an_equal_say_in_the_bins() -> None:
    source, target = np.zeros((10_000, 1), np.float32), np.ones((100, 1), np.float32)
    encoding = fit_encoding([source, target, source[:0]], ["number"], options=EncodingOptions(fit_rows=200))
    assert encoding.centre[0] == pytest.approx(np.log(2) / 2)


def test_a_flag_is_itself_and_a_missing_flag() -> None:
    encoded = run(fit_encoding([column(0, 1)], ["flag"]), column(0, 1, np.nan))
    np.testing.assert_array_equal(encoded, [[0, 0], [1, 0], [0, 1]])


def test_every_hash_has_a_row_of_the_table_and_missing_has_one_of_its_own() -> None:
    options = EncodingOptions(buckets=8, embedding=3)
    encoding = fit_encoding([column(1.0)], ["category"], options=options)
    layer = TabularEncoder(encoding, seed=1)
    hashes = column(0, np.nan, 1, 7, 8, LARGEST_HASH, LARGEST_HASH - 1, LARGEST_HASH - 2)
    encoded = np.asarray(layer(tf.constant(hashes)))
    table = np.asarray(layer.table)
    assert table.shape == (8, 3)
    bucket = [0, 0, *(1 + h % 7 for h in (1, 7, 8, LARGEST_HASH, LARGEST_HASH - 1, LARGEST_HASH - 2))]
    np.testing.assert_array_equal(encoded, table[bucket])


def test_neighbouring_hashes_stay_apart_up_to_the_largest() -> None:
    encoding = fit_encoding([column(1.0)], ["category"], options=EncodingOptions(buckets=512))
    encoded = run(encoding, np.arange(LARGEST_HASH - 500, LARGEST_HASH + 1, dtype=np.float32)[:, None])
    assert len(np.unique(encoded, axis=0)) == 501


def test_each_category_has_its_own_part_of_the_table() -> None:
    encoding = fit_encoding([np.ones((2, 2), np.float32)], ["category"] * 2, options=EncodingOptions(buckets=16))
    encoded = run(encoding, np.array([[5, 5]], np.float32))
    assert not np.array_equal(encoded[0, :6], encoded[0, 6:])


def test_what_no_hash_can_be_is_still_encoded() -> None:
    encoding = fit_encoding([column(1.0)], ["category"])
    assert np.isfinite(run(encoding, column(np.inf, -np.inf, -3.0, 1e30))).all()


def test_columns_lie_in_the_order_that_explanations_assume() -> None:
    kinds = ["flag", "number", "category", "number"]
    rows = np.random.default_rng(1).exponential(9, (200, 4)).astype(np.float32)
    encoding = fit_encoding([rows], kinds, options=EncodingOptions(buckets=32))
    typical = rows[:1]
    before, owner = run(encoding, typical), owners(encoding)
    assert before.shape == (1, encoding.width)
    assert owner.shape == (encoding.width,)
    for feature in range(4):
        other = typical.copy()
        other[0, feature] = np.nan
        changed = np.flatnonzero(run(encoding, other)[0] != before[0])
        assert set(owner[changed]) == {feature}


def test_an_encoding_survives_being_written() -> None:
    rows = np.random.default_rng(1).exponential(9, (200, 3)).astype(np.float32)
    encoding = fit_encoding([rows], ["number", "flag", "category"], options=EncodingOptions(buckets=16, log=False))
    again = Encoding.from_arrays(encoding.to_arrays())
    assert again.options == encoding.options
    np.testing.assert_array_equal(run(again, rows), run(encoding, rows))


def test_the_draw_of_rows_depends_on_the_seed_alone() -> None:
    options = EncodingOptions(fit_rows=100)
    one, same, other = (fit_encoding([skewed()], ["number"], options=options, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.slope, same.slope)
    assert not np.array_equal(one.slope, other.slope)
