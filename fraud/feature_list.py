"""The standard features, in column order: meaning, look-back, when each is known, how a reason words it."""

from collections.abc import Sequence
from typing import Final

from fraud.batch import CATEGORIES
from fraud.feature_spec import (
    ATTRIBUTE,
    EVENT,
    OUTCOME_CATEGORIES,
    RISK,
    RISK_ENTITIES,
    Feature,
    FeatureKind,
    FeatureSpec,
)
from fraud.kernel.layout import DAY, WINDOW_NAMES, WINDOWS

_NOUN: Final = {
    "customer": "customer", "card": "card", "bin": "card range (BIN)", "device": "device", "ip": "network address",
    "email": "e-mail address", "phone": "phone number", "shipping_address": "shipping address", "merchant": "merchant",
}  # fmt: skip
_SPAN: Final = dict(zip(WINDOW_NAMES, ("10 min", "1 h", "24 h", "7 days", "30 days"), strict=True))
_LENGTH: Final = dict(zip(WINDOW_NAMES, WINDOWS, strict=True))
_MONTH: Final = 30 * DAY

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

_WORDS: Final = {
    "attempts": "{value:.0f} attempts by THIS",
    "declines": "{value:.0f} attempts of THIS declined",
    "spend": "spend of {value:.0f} approved for THIS",
    "hours_since_last": "{value:.1f} hours since THIS was last seen",
    "hours_since_first": "{value:.1f} hours since THIS was first seen",
    "active_days": "THIS seen on {value:.0f} of the last 30 days",
    "amount_gap": "amount {value:.1f} doublings above the usual of THIS",
    "amount_score": "amount {value:.1f} spreads above the usual of THIS",
    "small_24h": "{value:.0f} tiny amounts tried with THIS in 24 h",
    "refunds_30d": "{value:.0f} refunds to THIS in 30 days",
    "new_second": "WHAT not seen before with THIS",
    "shared": "THIS is shared by many",
}

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

_PAIRED: Final = (
    ("customer_merchant", "new", "merchant is new for this customer"),
    ("customer_device", "new", "device is new for this customer"),
    ("customer_country", "new", "shipping country is new for this customer"),
    ("card_device", "new", "device is new for this card"),
    ("customer_merchant", "active_days", "customer was at this merchant on {value:.0f} of the last 30 days"),
    ("customer_device", "active_days", "customer used this device on {value:.0f} of the last 30 days"),
)


def _windowed(entity: str, measure: str, windows: str) -> list[Feature]:
    side, _, what = measure.partition(" ")
    wording = _WORDS.get(side, f"{{value:.0f}} {what} with THIS").replace("THIS", f"this {_NOUN[entity]}")
    return [
        Feature(
            name=f"{entity}_{what or side}_{window}",
            meaning=_meaning(f"{wording} in {_SPAN[window]}"),
            source=(entity, f"{side}_{window}"),
            wording=f"{wording} in {_SPAN[window]}",
            group=entity,
            horizon=_LENGTH[window],
        )
        for window in windows.split()
    ]


def _single(entity: str, measure: str) -> Feature:
    source, _, what = measure.partition(" ")
    wording = _WORDS[source].replace("THIS", f"this {_NOUN[entity]}").replace("WHAT", what)
    flag = source in {"new_second", "shared"}
    return Feature(
        name=f"{entity}_{what}_new" if what else f"{entity}_{source}",
        meaning=_meaning(wording),
        source=(entity, source),
        wording=wording,
        group=entity,
        kind=FeatureKind.FLAG if flag else FeatureKind.NUMBER,
        horizon=DAY if source.endswith("_24h") else _MONTH,
    )


def _paired(pair: str, measure: str, wording: str) -> Feature:
    return Feature(
        name=f"{pair}_{measure}",
        meaning=_meaning(wording),
        source=(pair, measure),
        wording=wording,
        group=pair,
        kind=FeatureKind.FLAG if measure == "new" else FeatureKind.NUMBER,
        horizon=_MONTH,
    )


def _meaning(wording: str) -> str:
    return (
        wording.replace("{value:.0f} of the last", "how many of the last")
        .replace("{value:.0f} ", "")
        .replace("{value:.1f} ", "")
    )


def _plain(name: str, group: str, meaning: str, wording: str = "", kind: FeatureKind = FeatureKind.NUMBER) -> Feature:
    return Feature(name=name, meaning=meaning, source=(EVENT, name), wording=wording or meaning, group=group, kind=kind)


def _event_features() -> list[Feature]:
    flag, category = FeatureKind.FLAG, FeatureKind.CATEGORY
    skipped = {*OUTCOME_CATEGORIES, "currency"}
    return [
        _plain("amount", "amount", "amount in the base currency", "amount {value:.2f}"),
        _plain("cents", "amount", "minor part of the amount as charged, in hundredths", "amount ends in {value:.0f}"),
        _plain("hour_sin", "time", "local time of day, sine", "local time of day"),
        _plain("hour_cos", "time", "local time of day, cosine", "local time of day"),
        _plain("weekday_sin", "time", "local weekday, sine", "day of the week"),
        _plain("weekday_cos", "time", "local weekday, cosine", "day of the week"),
        _plain("account_age_hours", "account", "age of the account in hours", "account {value:.0f} hours old"),
        _plain("card_age_hours", "account", "hours since the card was added", "card added {value:.0f} hours ago"),
        _plain("items_count", "basket", "items in the order", "{value:.0f} items"),
        _plain("attempt_no", "basket", "number of the attempt as the shop counts", "attempt number {value:.0f}"),
        _plain("is_recurring", "basket", "recurring payment", kind=flag),
        _plain("is_guest", "account", "guest checkout", kind=flag),
        _plain("is_digital", "basket", "digital goods", kind=flag),
        _plain("is_merchant_initiated", "basket", "initiated by the merchant", kind=flag),
        _plain("billing_ip_mismatch", "geography", "network is outside the billing country", kind=flag),
        _plain("billing_card_mismatch", "geography", "card is from outside the billing country", kind=flag),
        _plain("billing_shipping_mismatch", "geography", "ships outside the billing country", kind=flag),
        _plain("ip_card_mismatch", "geography", "network and card are from different countries", kind=flag),
        _plain("shipping_is_billing", "geography", "ships to the billing address", kind=flag),
        *(
            _plain(name, "category", f"{name.replace('_', ' ')}, hashed", f"this {name.replace('_', ' ')}", category)
            for name in CATEGORIES
            if name not in skipped
        ),
    ]


def _risk_features() -> list[Feature]:
    return [
        Feature(
            name=f"{entity}_risk",
            meaning=f"fraud rate of this {_NOUN[entity]} by labels that had arrived, smoothed",
            source=(RISK, entity),
            wording=f"past fraud rate of this {_NOUN[entity]} {{value:.1%}}",
            group="risk",
        )
        for entity in RISK_ENTITIES
    ]


def default_spec(attributes: Sequence[str] = ()) -> FeatureSpec:
    """The standard features, with one number per declared platform attribute at the end."""
    declared = tuple(
        Feature(
            name=f"attribute_{name}",
            meaning=f"platform attribute {name}",
            source=(ATTRIBUTE, name),
            wording=f"{name} {{value:g}}",
            group="attribute",
        )
        for name in attributes
    )
    standard = (
        *_event_features(),
        *(feature for row in _WINDOWED for feature in _windowed(*row)),
        *(_single(*row) for row in _SINGLE),
        *(_paired(*row) for row in _PAIRED),
        *_risk_features(),
    )
    return FeatureSpec((*standard, *declared), tuple(attributes))


SPEC: Final = default_spec()
