"""Reasons for analysts."""

import re

import numpy as np
import pytest

from fraud.explanations.formatting import Quantity
from fraud.explanations.reasons import ReasonBuilder, Row
from fraud.features.encoder import SPEC, FeatureSpec, features_fingerprint, spec_of
from fraud.features.platform import parse_platform
from fraud.history.history import HistoryConfig
from tests.support.reasons import named_columns

NAN = float("nan")
TELLER = ReasonBuilder(SPEC)
SHOP = parse_platform(
    """
    [fields]
    "odd {name} | x" = {kind = "number"}
    basket_risk = {kind = "number", said = "basket risk {value:.0f} of 100"}
    gift = {kind = "flag", said = "sent as a gift"}
    tier = {kind = "category", said = "customer of tier {text}"}
    lane = {kind = "category"}
    shop = {kind = "entity", said = "store"}
    "van {7}" = {kind = "entity"}
    """,
    where="test",
)
OWN = ReasonBuilder(spec_of(SHOP))


def row(**values: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Features and contributions of one row: entities were seen often, nothing contributes but the named ones."""
    features, contributions = np.full(SPEC.width, 9, np.float32), np.zeros(SPEC.width, np.float32)
    features[[column for column, name in enumerate(SPEC.names) if name.endswith("_shared")]] = 0
    for name, (value, contribution) in values.items():
        features[SPEC.names.index(name)] = value
        contributions[SPEC.names.index(name)] = contribution
    return features, contributions


def without(features: np.ndarray, entity: str) -> np.ndarray:
    """The features when nothing is known of an entity."""
    features[SPEC.columns(entity)] = NAN
    return features


def test_a_group_is_told_in_one_sentence_with_the_rows_values() -> None:
    (reason,) = TELLER.reasons(*row(device_cards_24h=(8, 1.5), device_declines_30d=(6, 1.0)))
    assert reason.code == "device"
    assert reason.text == "8 cards from this device in 24 h, 6 declined attempts in 30 days"
    assert reason.contribution == 2.5


def test_what_was_said_of_whom_and_when_is_not_said_again() -> None:
    (reason,) = TELLER.reasons(*row(card_attempts_24h=(9, 2.0), card_declines_24h=(1, 1.5), card_small_24h=(4, 1.0)))
    assert reason.text == "9 earlier attempts with this card in 24 h, 1 declined attempt, 4 tiny amounts tried"


def test_reasons_are_the_strongest_groups_first_and_five_at_most() -> None:
    told = TELLER.reasons(
        *row(
            amount=(900, 0.2), device_cards_24h=(8, 3.0), ip_cards_24h=(4, 1.0), card_attempts_1h=(9, 2.0),
            merchant_risk_30d=(4.0, 0.5), is_guest=(1, 0.1), hour_sin=(0, -4.0),
        ),
    )  # fmt: skip
    assert [reason.code for reason in told] == ["device", "card", "ip", "risk", "amount"]


def test_a_group_whose_features_cancel_is_no_reason() -> None:
    assert TELLER.reasons(*row(device_cards_24h=(8, 1.0), device_attempts_24h=(9, -1.5))) == []


def test_of_one_measure_only_the_strongest_window_is_named() -> None:
    features, contributions = row(card_attempts_10min=(3, 0.5), card_attempts_1h=(5, 1.0), card_attempts_24h=(6, 0.7))
    (reason,) = TELLER.reasons(features, contributions)
    assert reason.text == "5 earlier attempts with this card in 1 h"
    assert [SPEC.names[c] for c in named_columns(TELLER, features, contributions, "card")] == ["card_attempts_1h"]


def test_two_ways_to_say_the_same_are_told_once() -> None:
    told = TELLER.reasons(
        *row(
            card_amount_gap=(2.0, 2.0), card_amount_score=(3.1, 1.9),
            hour_sin=(0.707107, 0.9), hour_cos=(-0.707107, 0.8),
            customer_device_new=(1, 0.5), customer_device_active_days=(0, 0.4),
        ),
    )  # fmt: skip
    assert [reason.text for reason in told] == [
        "4.0 times the usual amount of this card",
        "local time 09:00",
        "device is new for this customer",
    ]


def test_a_reason_has_a_text_however_small_its_parts_are() -> None:
    (reason,) = TELLER.reasons(*row(card_attempts_1h=(1, 4e-5), card_declines_1h=(1, 4e-5), card_spend_24h=(1, 4e-5)))
    assert reason.contribution == pytest.approx(1e-4)
    assert reason.text


def test_equal_contributions_keep_the_order_of_the_spec() -> None:
    values = {"card_attempts_1h": (1.0, 1.0), "device_cards_24h": (1.0, 1.0), "amount": (1.0, 1.0)}
    forward = TELLER.reasons(*row(**values))
    backward = TELLER.reasons(*row(**dict(reversed(values.items()))))
    assert forward == backward
    assert [reason.code for reason in forward] == ["amount", "card", "device"]


def test_the_last_digits_of_a_score_do_not_change_the_order() -> None:
    """Another batch size moves a float32 contribution by some 1e-6."""
    features, contributions = row(card_attempts_1h=(1.0, 1.0), device_cards_24h=(1.0, 1.000001))
    assert [reason.code for reason in TELLER.reasons(features, contributions)] == ["card", "device"]


def test_missing_values_and_flags_read_as_words() -> None:
    (reason,) = TELLER.reasons(*row(account_age_hours=(NAN, 1.0), is_guest=(1.0, 0.5)))
    assert reason.text == "age of the account not given, guest checkout"
    (reason,) = TELLER.reasons(*row(shipping_is_billing=(0.0, 1.0)))
    assert reason.text == "ships to another address than the billing address"


def test_of_what_was_not_given_only_the_strongest_is_named() -> None:
    (reason,) = TELLER.reasons(*row(card_age_hours=(NAN, 1.0), account_age_hours=(NAN, 0.9), is_guest=(1, 0.5)))
    assert reason.text == "age of the card not given, guest checkout"


def test_an_entitys_first_attempt_is_said_once() -> None:
    features, contributions = row(device_cards_24h=(0, 1.5), device_hours_since_last=(NAN, 1.0))
    features[SPEC.columns("device")] = 0
    features[SPEC.names.index("device_hours_since_last")] = NAN
    (first,) = TELLER.reasons(features, contributions)
    assert first.text == "first attempt from this device in 30 days"
    assert len(named_columns(TELLER, features, contributions, "device")) == 1


def test_an_absent_device_and_a_shared_one_are_told_apart() -> None:
    features, contributions = row(device_hours_since_last=(0, 1.0), device_cards_24h=(0, 0.5))
    (absent,) = TELLER.reasons(without(features, "device"), contributions)
    assert absent.text == "no device given"
    features[SPEC.names.index("device_shared")] = 1
    (shared,) = TELLER.reasons(features, contributions)
    assert shared.text == "this device is shared by many: its past says little"


def test_two_points_in_time_are_both_told() -> None:
    (reason,) = TELLER.reasons(*row(device_hours_since_last=(1, 2.0), device_hours_since_first=(1, 1.0)))
    assert reason.text == "last attempt from this device 1 h ago, first attempt 1 h ago"


def test_categories_and_money_are_told_by_the_events_own_words() -> None:
    features, contributions = row(email_domain=(77, 2.0), merchant_category=(12, 1.0), amount=(1250.5, 0.5))
    told = TELLER.reasons(
        features, contributions, texts={"email_domain": "mail.test", "merchant_category": "7995"}, currency="EUR"
    )
    assert [reason.text for reason in told] == ["e-mail at mail.test, merchant category 7995", "amount EUR 1,250.50"]


def own_row(**named: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    names, width = spec_of(SHOP).names, spec_of(SHOP).width
    features, contributions = np.full(width, 9, np.float32), np.zeros(width, np.float32)
    for name, (value, contribution) in named.items():
        features[names.index(f"attribute_{name}")] = value
        contributions[names.index(f"attribute_{name}")] = contribution
    return features, contributions


def test_own_fields_are_told_as_they_were_declared() -> None:
    features, contributions = own_row(
        basket_risk=(87.4, 3), gift=(1, 2.8), tier=(77, 1), tier_seen_24h=(3, 0.9), tier_risk_7d=(4, 0.8), lane=(8, 0.5)
    )
    told = OWN.reasons(features, contributions, texts={"attributes": {"tier": "gold", "lane": 5.0}})
    assert [(reason.code, reason.text) for reason in told] == [
        ("attribute_basket_risk", "basket risk 87 of 100"),
        ("attribute_gift", "sent as a gift"),
        (
            "attribute_tier",
            "customer of tier gold, 3 payments with this tier in 24 h, known fraud of this tier 4.0 times the average "
            "in 7 days",
        ),
        ("attribute_lane", "lane 5"),
    ]


def test_an_own_entity_is_told_by_its_noun_like_a_merchant() -> None:
    told = OWN.reasons(*own_row(shop_attempts_24h=(12, 2), shop_cards_24h=(8, 1), shop_risk_30d=(3, 0.5)))
    assert [reason.text for reason in told] == [
        "12 earlier attempts at this store in 24 h, 8 cards, known fraud of this store 3.0 times the average in 30 days"
    ]
    features, contributions = own_row(shop_attempts_24h=(NAN, 1))
    features[spec_of(SHOP).columns("attribute_shop")] = NAN
    assert [reason.text for reason in OWN.reasons(features, contributions)] == ["no store given"]


def test_what_was_not_given_of_an_own_field_is_said_once() -> None:
    told = OWN.reasons(*own_row(tier=(NAN, 1), tier_seen_24h=(NAN, 0.9), tier_seen_30d=(NAN, 0.8)))
    assert [reason.text for reason in told] == ["tier not given"]


@pytest.mark.parametrize("value", [0.0, 1.0, 8.0, 123456.789, NAN])
def test_every_feature_can_be_worded(value: float) -> None:
    spec = spec_of(SHOP)
    teller = ReasonBuilder(spec)
    texts = {name: f"<{name}>" for name in spec.names} | {"attributes": {"tier": "gold"}}
    one = Row([value] * spec.width, [1.0] * spec.width, texts, "EUR")
    for column in range(spec.width):
        text = teller.phrase(one, column)
        assert text
        assert not re.search(r"\bnan\b|value:|hashed|not so|unknown", text), text


@pytest.mark.parametrize("column", range(SPEC.width))
def test_a_missing_value_has_words_of_its_own_unless_it_cannot_be_missing_alone(column: int) -> None:
    feature = SPEC.features[column]
    values = [1.0] * SPEC.width
    for missing in SPEC.columns(feature.source[0]):
        values[missing] = NAN
    text = TELLER.phrase(Row(values, [1.0] * SPEC.width, {}, "EUR"), column)
    always = {"amount", "hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "malformed"}
    assert ("not known" not in text) or feature.name in always or feature.name == "cents", text


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0.001, "less than a minute"), (0.5, "30 min"), (5.2, "5 h"), (72, "3 days"), (24 * 92, "3 months"),
     (24 * 1100, "3 years")],
)  # fmt: skip
def test_lengths_of_time_read_as_people_say_them(hours: float, told: str) -> None:
    assert f"{Quantity(hours):span}" == told


def test_counts_have_a_singular_and_a_zero() -> None:
    assert [f"{Quantity(n):n card}" for n in (0, 1, 2, 12_000)] == ["no cards", "1 card", "2 cards", "12,000 cards"]


def test_rewording_needs_no_new_model() -> None:
    from dataclasses import replace

    from fraud.features.phrases import Wording

    reworded = tuple(replace(f, meaning="x", wording=Wording("y"), group="z") for f in SPEC.features)
    before, after = (features_fingerprint(spec, HistoryConfig()) for spec in (SPEC, FeatureSpec(reworded)))
    assert before == after
