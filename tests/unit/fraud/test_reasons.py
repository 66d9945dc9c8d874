"""Reasons for analysts."""

import numpy as np
import pytest

from fraud.features import SPEC
from fraud.reasons import named_columns, phrase, reasons


def row(**values: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Features and contributions of one row, 0 but for the named ones."""
    features, contributions = np.zeros(SPEC.width, np.float32), np.zeros(SPEC.width, np.float32)
    for name, (value, contribution) in values.items():
        features[SPEC.names.index(name)] = value
        contributions[SPEC.names.index(name)] = contribution
    return features, contributions


def test_a_group_is_told_in_one_sentence_with_the_rows_values() -> None:
    (reason,) = reasons(*row(device_cards_24h=(8, 1.5), device_declines_30d=(6, 1.0)), SPEC)
    assert reason.code == "device"
    assert reason.text == "8 cards with this device in 24 h, 6 attempts of this device declined in 30 days"
    assert reason.contribution == 2.5


def test_reasons_are_the_strongest_groups_first_and_five_at_most() -> None:
    told = reasons(
        *row(
            amount=(900, 0.2), device_cards_24h=(8, 3.0), ip_cards_24h=(4, 1.0), card_attempts_1h=(9, 2.0),
            merchant_risk=(0.04, 0.5), is_guest=(1, 0.1), hour_sin=(0, -4.0),
        ),
        SPEC,
    )  # fmt: skip
    assert [reason.code for reason in told] == ["device", "card", "ip", "risk", "amount"]


def test_a_group_whose_features_cancel_is_no_reason() -> None:
    assert reasons(*row(device_cards_24h=(8, 1.0), device_attempts_24h=(9, -1.5)), SPEC) == []


def test_of_one_measure_only_the_strongest_window_is_named() -> None:
    features, contributions = row(card_attempts_10min=(3, 0.5), card_attempts_1h=(5, 1.0), card_attempts_24h=(6, 0.7))
    (reason,) = reasons(features, contributions, SPEC)
    assert reason.text == "5 attempts by this card in 1 h"
    assert [SPEC.names[c] for c in named_columns(contributions, SPEC, "card")] == ["card_attempts_1h"]


def test_equal_contributions_keep_the_order_of_the_spec() -> None:
    values = {"card_attempts_1h": (1.0, 1.0), "device_cards_24h": (1.0, 1.0), "amount": (1.0, 1.0)}
    forward = reasons(*row(**values), SPEC)
    backward = reasons(*row(**dict(reversed(values.items()))), SPEC)
    assert forward == backward
    assert [reason.code for reason in forward] == ["amount", "card", "device"]


def test_missing_values_and_flags_read_as_words() -> None:
    (reason,) = reasons(*row(account_age_hours=(float("nan"), 1.0), is_guest=(1.0, 0.5)), SPEC)
    assert reason.text == "unknown: age of the account in hours, guest checkout"


@pytest.mark.parametrize("value", [0.0, 1.0, 123456.789, float("nan")])
def test_every_feature_can_be_worded(value: float) -> None:
    for feature in SPEC.features:
        text = phrase(feature, value)
        assert text
        assert "{" not in text
        assert "nan" not in text
