"""What each kind of own field takes of a JSON value."""

import math

import numpy as np
import pytest

from fraud.decoding.batch import hash_category, hash_id
from fraud.decoding.own_fields import OwnFields, Value, own_columns

SHOP = OwnFields(numbers=("level",), flags=("gift",), categories=("tier",), entities=("store",))


@pytest.mark.parametrize(
    ("sent", "number"),
    [(3, 3), (-2.5, -2.5), ("12.50", 12.5), ("-0.5", -0.5), (10**18, 1e18), (1e300, 3.4028234663852886e38)],
)
def test_a_number_may_be_sent_as_a_plain_decimal(sent: Value, number: float) -> None:
    found = own_columns([{"level": sent}], SHOP)
    assert (found.attributes[0, 0], found.wrong) == (np.float32(number), ())


@pytest.mark.parametrize("sent", ["1,234.50", "12,5", "€5", "1e3", " 1", "", "nan", "1_000", "١", True])
def test_what_is_no_plain_number_is_of_the_wrong_kind_and_missing(sent: Value) -> None:
    found = own_columns([{"level": sent}], SHOP)
    assert math.isnan(found.attributes[0, 0])
    assert found.wrong == ((0, "level"),)


@pytest.mark.parametrize(
    ("sent", "flag"), [(True, 1), (False, 0), (1, 1), (0.0, 0), ("true", 1), ("false", 0), ("1", 1), ("0", 0)]
)
def test_a_flag_may_be_sent_as_producers_write_it(sent: Value, flag: float) -> None:
    found = own_columns([{"gift": sent}], SHOP)
    assert (found.attributes[0, 1], found.wrong) == (flag, ())


@pytest.mark.parametrize("sent", [2, 0.5, -1, "yes", "True", ""])
def test_what_is_neither_true_nor_false_is_no_flag(sent: Value) -> None:
    found = own_columns([{"gift": sent}], SHOP)
    assert math.isnan(found.attributes[0, 1])
    assert found.wrong == ((0, "gift"),)


@pytest.mark.parametrize(
    ("sent", "text"), [("gold", "gold"), (5, "5"), (5.0, "5"), (-0.5, "-0.5"), (True, "true"), (10**18, str(10**18))]
)
def test_a_category_and_an_entity_are_known_by_their_text_however_they_were_sent(sent: Value, text: str) -> None:
    found = own_columns([{"tier": sent, "store": sent}], SHOP)
    assert found.attributes[0, 2] == hash_category(text)
    assert found.ids[0, 0] == hash_id(text)
    assert found.wrong == ()


def test_rows_and_names_of_wrong_values_are_told_and_the_others_stay() -> None:
    rows = [{"level": 1, "gift": "no"}, None, {}, {"level": "x", "gift": True}, {"level": 2, "gift": "maybe"}]
    found = own_columns(rows, OwnFields(("level", "weight"), ("gift",)))
    assert sorted(found.wrong) == [(0, "gift"), (3, "level"), (4, "gift")]
    assert found.rows == [0, 3, 4]
    assert dict(found.counts) == {"gift": 2, "level": 1}
    wanted = [[1, np.nan, np.nan], [np.nan] * 3, [np.nan] * 3, [np.nan, np.nan, 1], [2, np.nan, np.nan]]
    assert np.array_equal(found.attributes, np.array(wanted, np.float32), equal_nan=True)


def test_without_declared_fields_there_are_no_columns() -> None:
    found = own_columns([{"level": 1}, None], OwnFields())
    assert (found.attributes.shape, found.ids.shape, found.wrong) == ((2, 0), (2, 0), ())
    assert own_columns([], SHOP).attributes.shape == (0, 3)
