"""The declaration of a platform: what it accepts, and what it says of the rest in one line."""

import pytest

from fraud.features.catalogue import SPEC, history_config, spec_of
from fraud.features.encoder import features_fingerprint
from fraud.features.platform import STANDARD, InvalidPlatform, Platform, parse_platform
from fraud.history.history import HistoryConfig, history_fingerprint

SHOP = """
name = "shop"
base_currency = "USD"
[fields.basket_risk]
kind = "number"
[fields.gift]
kind = "flag"
stage = "post_auth"
[fields.tier]
kind = "category"
[fields.store]
kind = "entity"
said = "store"
"""


def shop(text: str = "") -> Platform:
    return parse_platform(SHOP + text, where="platform.toml")


def test_without_own_fields_features_and_history_are_what_they_were() -> None:
    """Models and snapshots from before platforms were declared stay in use."""
    assert spec_of(STANDARD) == SPEC
    assert history_config(STANDARD) == HistoryConfig()
    assert history_fingerprint(HistoryConfig()) == "0cfdf73511e36c5a"
    assert features_fingerprint(SPEC, HistoryConfig()) == "ca484d17742099dd"


def test_own_fields_come_after_the_standard_ones_in_the_order_of_their_declaration() -> None:
    spec = spec_of(shop())
    assert spec.names[: SPEC.width] == SPEC.names
    assert spec.names[SPEC.width :] == (
        "attribute_basket_risk",
        "attribute_gift",
        "attribute_tier", "attribute_tier_seen_24h", "attribute_tier_seen_30d",
        "attribute_tier_risk_1d", "attribute_tier_risk_7d", "attribute_tier_risk_30d",
        "attribute_store_attempts_10min", "attribute_store_attempts_1h", "attribute_store_attempts_24h",
        "attribute_store_attempts_30d", "attribute_store_declines_1h", "attribute_store_declines_24h",
        "attribute_store_declines_30d", "attribute_store_spend_24h", "attribute_store_cards_1h",
        "attribute_store_cards_24h", "attribute_store_cards_30d", "attribute_store_customers_24h",
        "attribute_store_customers_30d", "attribute_store_hours_since_last", "attribute_store_hours_since_first",
        "attribute_store_amount_gap", "attribute_store_small_24h",
        "attribute_store_risk_1d", "attribute_store_risk_7d", "attribute_store_risk_30d",
    )  # fmt: skip
    kinds = dict(zip(spec.names, spec.kinds, strict=True))
    assert [kinds[f"attribute_{name}"] for name in ("basket_risk", "gift", "tier")] == ["number", "flag", "category"]
    assert spec.later_than(spec.features[0].stage) == ["attribute_gift"]


@pytest.mark.parametrize(
    ("change", "history_too"),
    [
        ('fields.more.kind = "number"', False),
        ('fields.more.kind = "flag"', False),
        ('fields.more.kind = "category"', True),
        ('fields.more.kind = "entity"', True),
    ],
)
def test_fields_stand_in_the_fingerprints_that_depend_on_them(change: str, history_too: bool) -> None:
    one, two = shop(), shop(f"\n[fields.more]\n{change.replace('fields.more.', '')}")
    assert features_fingerprint(spec_of(one), history_config(one)) != features_fingerprint(
        spec_of(two), history_config(two)
    )
    differ = history_fingerprint(history_config(one)) != history_fingerprint(history_config(two))
    assert differ == history_too


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "platform.toml is not TOML"),
        ("colour = 1", "platform.toml: colour: Extra inputs"),
        ('fields.a.kind = "text"', "platform.toml: fields.a.kind"),
        ('fields.a = {kind = "number", said = "{text}"}', r"said: of kind number it may hold {value}, and no \|"),
        ('fields.a = {kind = "number", said = "{value:n card}"}', "said: .*in braces only value"),
        ('fields.a = {kind = "number", said = "{value.real}"}', "said: of kind number"),
        ('fields.a = {kind = "category", said = "{"}', "said: "),
        ('fields.a = {kind = "flag", said = "yes|no"}', "said: of kind flag it may hold no braces"),
        ('fields.a = {kind = "entity", said = "{value}"}', "said: of kind entity it may hold no braces"),
        ('[fields]\n"a\\nb" = {kind = "flag"}', "platform.toml: fields"),
        ('[fields]\n"" = {kind = "flag"}', "platform.toml: fields"),
        (
            "\n".join(f'fields.e{i}.kind = "entity"' for i in range(5)),
            "5 fields are entities, 4 may be: make some of them categories",
        ),
        (
            '[fields]\ntier = {kind = "category"}\ntier_seen_24h = {kind = "number"}',
            "field tier_seen_24h has the name of a feature of field tier: call it otherwise",
        ),
    ],
)
def test_what_cannot_be_declared_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InvalidPlatform, match=said) as error:
        parse_platform(text, where="platform.toml")
    assert "\n" not in str(error.value)


def test_what_a_version_was_made_for_and_what_is_here_is_told_in_one_line() -> None:
    assert shop().mismatch(shop()) == ""
    assert shop('\n[fields.more]\nkind = "flag"').mismatch(shop()) == "fields more that this platform lacks"
    assert STANDARD.mismatch(shop()) == (
        "base_currency EUR, which is USD here; none of fields basket_risk, gift, tier, store that this platform has"
    )
    one, two = (parse_platform(f'fields.a.kind = "{kind}"', where="x") for kind in ("number", "category"))
    assert one.mismatch(two) == "fields a of another kind or stage"
    many = Platform.model_validate({"fields": {f"f{i}": {"kind": "flag"} for i in range(9)}})
    assert many.mismatch(STANDARD) == "fields f0, f1, f2, f3, f4 and 4 more that this platform lacks"
    turned = Platform.model_validate({"fields": dict(reversed(many.model_dump()["fields"].items()))})
    assert many.mismatch(turned) == "fields in another order"
    worded = Platform.model_validate({"name": "x", "fields": {"f0": {"kind": "flag", "said": "a", "meaning": "b"}}})
    assert worded.mismatch(Platform.model_validate({"fields": {"f0": {"kind": "flag"}}})) == ""
