"""The standard features, in column order: meaning, look-back, when each is known."""

from collections.abc import Sequence
from typing import Final

from fraud.contracts.fields import OUTCOME_CATEGORIES
from fraud.decoding.batch import CATEGORIES
from fraud.features import phrases as wording
from fraud.features.phrases import NOUN
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, risk_measures
from fraud.features.spec import (
    ATTRIBUTE,
    EVENT,
    RISK,
    RISK_ENTITIES,
    Feature,
    FeatureKind,
    FeatureSpec,
)
from fraud.history.kernel.layout import WINDOW_NAMES, WINDOWS
from fraud.units import DAY_US

_SPAN: Final = dict(zip(WINDOW_NAMES, ("10 min", "1 h", "24 h", "7 days", "30 days"), strict=True))
_LENGTH: Final = dict(zip(WINDOW_NAMES, WINDOWS, strict=True))
_MONTH: Final = 30 * DAY_US
_MEANING: Final = {
    "hours_since_last": "hours since {this} was last seen",
    "hours_since_first": "hours since {this} was first seen",
    "active_days": "on how many of the last 30 days {this} was seen",
    "amount_gap": "amount in doublings above the usual of {this}",
    "amount_score": "amount in spreads above the usual of {this}",
    "small_24h": "tiny amounts tried with {this} in 24 h",
    "refunds_30d": "refunds to {this} in 30 days",
    "new_second": "{what} not seen before with {this}",
    "shared": "{this} is shared by many",
}

_WINDOWED: Final = (
    ("customer", "attempts", "10min 1h 24h 7d 30d"),
    ("customer", "declines", "1h 24h 30d"),
    ("customer", "spend", "24h 7d 30d"),
    ("customer", "first devices", "30d"),
    ("customer", "second cards", "30d"),
    ("card", "attempts", "10min 1h 24h 30d"),
    ("card", "declines", "1h 24h 30d"),
    ("card", "spend", "24h 30d"),
    ("card", "first merchants", "24h 30d"),
    ("card", "second devices", "30d"),
    ("device", "attempts", "10min 1h 24h"),
    ("device", "declines", "10min 30d"),
    ("device", "first cards", "1h 24h 30d"),
    ("device", "second customers", "24h 30d"),
    ("ip", "attempts", "10min 1h 24h"),
    ("ip", "declines", "1h 24h"),
    ("ip", "first cards", "1h 24h"),
    ("ip", "second customers", "24h"),
    ("email", "declines", "24h"),
    ("email", "first cards", "30d"),
    ("email", "second customers", "30d"),
    ("phone", "second customers", "30d"),
    ("shipping_address", "attempts", "30d"),
    ("shipping_address", "declines", "24h"),
    ("shipping_address", "first cards", "30d"),
    ("shipping_address", "second customers", "30d"),
    ("merchant", "attempts", "1h 24h 7d 30d"),
    ("merchant", "declines", "10min 1h 24h"),
    ("merchant", "spend", "24h"),
    ("bin", "attempts", "10min 1h 24h"),
    ("bin", "declines", "10min 1h 24h"),
)
"""Entity, measure (distinct partners with their name) and windows."""

_SINGLE: Final = (
    ("customer", "hours_since_last"),
    ("customer", "hours_since_first"),
    ("customer", "active_days"),
    ("customer", "amount_gap"),
    ("customer", "amount_score"),
    ("customer", "refunds_30d"),
    ("customer", "new_second card"),
    ("card", "hours_since_last"),
    ("card", "hours_since_first"),
    ("card", "amount_gap"),
    ("card", "amount_score"),
    ("card", "small_24h"),
    ("device", "hours_since_last"),
    ("device", "hours_since_first"),
    ("device", "small_24h"),
    ("device", "shared"),
    ("ip", "new_second customer"),
    ("ip", "shared"),
    ("shipping_address", "new_second customer"),
    ("merchant", "small_24h"),
    ("merchant", "amount_gap"),
    ("merchant", "amount_score"),
)
"""Entity and measure, with the partner's name where it is one."""


def _windowed(entity: str, measure: str, windows: str) -> list[Feature]:
    side, _, what = measure.partition(" ")
    return [
        Feature(
            name=f"{entity}_{what or side}_{window}",
            meaning=f"{'distinct ' * bool(what)}{what or side} of this {NOUN[entity]} in {_SPAN[window]}",
            source=(entity, f"{side}_{window}"),
            wording=wording.windowed(entity, side, what, _SPAN[window]),
            group=entity,
            horizon=_LENGTH[window],
        )
        for window in windows.split()
    ]


def _single(entity: str, measure: str) -> Feature:
    source, _, what = measure.partition(" ")
    flag = source in {"new_second", "shared"}
    return Feature(
        name=f"{entity}_{what}_new" if what else f"{entity}_{source}",
        meaning=_MEANING[source].format(this=f"this {NOUN[entity]}", what=what),
        source=(entity, source),
        wording=wording.single(entity, source, what),
        group=entity,
        kind=FeatureKind.FLAG if flag else FeatureKind.NUMBER,
        horizon=DAY_US if source.endswith("_24h") else _MONTH,
    )


def _paired(pair: str, measure: str) -> Feature:
    words = wording.PAIRED[pair, measure]
    return Feature(
        name=f"{pair}_{measure}",
        meaning=words.said.replace("{value:.0f}", "how many"),
        source=(pair, measure),
        wording=words,
        group=pair,
        kind=FeatureKind.FLAG if measure == "new" else FeatureKind.NUMBER,
        horizon=_MONTH,
    )


def _plain(name: str, group: str, meaning: str, kind: FeatureKind = FeatureKind.NUMBER) -> Feature:
    words = wording.EVENT.get(name) or wording.category(name)
    return Feature(name=name, meaning=meaning, source=(EVENT, name), wording=words, group=group, kind=kind)


def _event_features() -> list[Feature]:
    flag, category = FeatureKind.FLAG, FeatureKind.CATEGORY
    skipped = {*OUTCOME_CATEGORIES, "currency"}
    return [
        _plain("amount", "amount", "amount in the base currency"),
        _plain("cents", "amount", "minor part of the amount as charged, in hundredths"),
        _plain("hour_sin", "time", "local time of day, sine"),
        _plain("hour_cos", "time", "local time of day, cosine"),
        _plain("weekday_sin", "time", "local weekday, sine"),
        _plain("weekday_cos", "time", "local weekday, cosine"),
        _plain("account_age_hours", "account", "age of the account in hours"),
        _plain("card_age_hours", "account", "hours since the card was added"),
        _plain("items_count", "basket", "items in the order"),
        _plain("attempt_no", "basket", "number of the attempt as the shop counts"),
        _plain("is_recurring", "basket", "recurring payment", kind=flag),
        _plain("is_guest", "account", "guest checkout", kind=flag),
        _plain("is_digital", "basket", "digital goods", kind=flag),
        _plain("is_merchant_initiated", "basket", "initiated by the merchant", kind=flag),
        _plain("billing_ip_mismatch", "geography", "network is outside the billing country", kind=flag),
        _plain("billing_card_mismatch", "geography", "card is from outside the billing country", kind=flag),
        _plain("billing_shipping_mismatch", "geography", "ships outside the billing country", kind=flag),
        _plain("ip_card_mismatch", "geography", "network and card are from different countries", kind=flag),
        _plain("shipping_is_billing", "geography", "ships to the billing address", kind=flag),
        _plain("malformed", "message", "an optional field was invalid and is missing", kind=flag),
        *(
            _plain(name, "category", f"{name.replace('_', ' ')}, hashed", category)
            for name in CATEGORIES
            if name not in skipped
        ),
    ]


def _risk_features() -> list[Feature]:
    return [
        Feature(
            name=f"{entity}_risk_{days}d",
            meaning=f"known fraud of this {NOUN[entity]} in {days} days, in multiples of the average; smoothed",
            source=(RISK, measure),
            wording=wording.risk(entity, days),
            group="risk",
        )
        for entity in RISK_ENTITIES
        for days, measure in zip(RISK_WINDOWS_DAYS, risk_measures(entity), strict=True)
    ]


def default_spec(attributes: Sequence[str] = ()) -> FeatureSpec:
    """The standard features, with one number per declared platform attribute at the end."""
    declared = tuple(
        Feature(
            name=f"attribute_{name}",
            meaning=f"platform attribute {name}",
            source=(ATTRIBUTE, name),
            wording=wording.attribute(name),
            group="attribute",
        )
        for name in attributes
    )
    standard = (
        *_event_features(),
        *(feature for row in _WINDOWED for feature in _windowed(*row)),
        *(_single(*row) for row in _SINGLE),
        *(_paired(*row) for row in wording.PAIRED),
        *_risk_features(),
    )
    return FeatureSpec((*standard, *declared), tuple(attributes))


SPEC: Final = default_spec()
