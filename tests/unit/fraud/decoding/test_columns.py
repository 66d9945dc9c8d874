"""Columns of wire fields to columns of hashes and numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.decoding.batch import CATEGORY_BUCKETS, hash_category
from fraud.decoding.hashing import hash_categories

VALUES = st.sampled_from(["FR", "DE", "US", "é", ""]) | st.text(max_size=5)


@given(st.lists(VALUES | st.none(), min_size=1, max_size=40) | st.lists(VALUES, min_size=1, max_size=40))
def test_a_column_of_categories_is_hashed_like_each_value_alone(values: list[str | None]) -> None:
    assert hash_categories(values).tolist() == [0 if value is None else hash_category(value) for value in values]


@pytest.mark.parametrize("distinct", [1, 3, 100, 1000])
def test_few_and_many_distinct_values_are_hashed_alike(distinct: int) -> None:
    values = [f"value-{i % distinct}" for i in range(1000)]
    hashes = hash_categories(values)
    assert hashes.tolist() == list(map(hash_category, values))
    assert hashes.min() > 0
    assert hashes.max() < CATEGORY_BUCKETS
