"""Odd columns are named: constants, repetitions, leaks, gaps that tell, drift; sound ones are not."""

import numpy as np
import pytest

from training.data.sample import Sample
from training.modelling.columns.checks import column_warnings, usable_columns

ROWS = 4_000
RANDOM = np.random.default_rng(1)
FRAUD = RANDOM.random(ROWS) < 0.05
NOISE = RANDOM.normal(size=ROWS)
CHANCE = RANDOM.random(ROWS)
LATE = np.arange(ROWS) > ROWS // 2


def sample(**columns: np.ndarray) -> tuple[Sample, list[str], list[str]]:
    """A sample of these own columns and two sound ones, its names and kinds."""
    label = FRAUD.astype(np.int8)
    held = {"strong": NOISE[::-1] + 2 * label, "weak": np.sqrt(CHANCE)} | columns
    features = np.stack(list(held.values()), axis=1).astype(np.float32)
    kinds = ["category" if name.startswith("code") else "number" for name in held]
    return Sample(features, label, np.arange(ROWS)), [f"attribute_{name}" for name in held], kinds


def told(**columns: np.ndarray) -> list[str]:
    given, names, kinds = sample(**columns)
    return column_warnings(given, given.features, names, kinds)


def test_sound_columns_are_passed_over() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("charged_back", np.where(FRAUD & (CHANCE < 0.97), 1.0, 0.0), "alone nearly tells fraud"),
        ("below", NOISE - 9 * FRAUD, "alone nearly tells fraud"),
        ("code_of_case", np.where(FRAUD, 77.0, 1 + np.floor(8 * CHANCE)), "alone nearly tells fraud"),
        ("filled_later", np.where(FRAUD | (CHANCE < 0.1), NOISE, np.nan), "missing in 0% of the frauds"),
        ("row_number", np.arange(ROWS) + 100 * NOISE, "rises with time"),
        ("since_release", np.where(LATE, NOISE, np.nan), "missing in 100% of the early payments and 0% of the late"),
        ("constant", np.full(ROWS, 3.0), "never two values, left out: attribute_constant"),
        ("absent", np.full(ROWS, np.nan), "never two values, left out: attribute_absent"),
    ],
)  # fmt: skip
def test_an_odd_column_is_named(name: str, values: np.ndarray, words: str) -> None:
    found = told(**{name: values})
    assert any(words in line and f"attribute_{name}" in line for line in found), found
    assert len(found) <= 2


def test_a_repetition_is_named_with_what_it_repeats() -> None:
    given, names, kinds = sample()
    doubled = np.column_stack([given.features, given.features[:, 1]])
    repeated = Sample(doubled, given.label, given.time)
    lines = column_warnings(repeated, doubled, [*names, "attribute_again"], [*kinds, "number"])
    assert lines == ["attribute_again repeats attribute_weak: it was left out"]


def test_columns_that_never_vary_or_repeat_another_are_not_for_trees() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    rows[:, 1], rows[:, 2], rows[:, 3] = 4.0, np.nan, rows[:, 0]
    rows[:, 4] = np.where(rows[:, 0] > 0, 1.0, np.nan)
    assert usable_columns([rows]) == [0, 4]  # that a value is there at all tells something
    other = rows.copy()
    other[:, 1] = 5.0
    other[:, 3] += 1
    assert usable_columns([rows, other]) == [0, 1, 3, 4]
