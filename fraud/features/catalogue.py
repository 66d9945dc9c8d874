"""The features of a platform, in column order: meaning, look-back, when each is known.

The standard ones come first, then those of its own fields in the order of their declaration:

    number, flag   attribute_<field>
    category       attribute_<field>, attribute_<field>_seen_24h and _seen_30d, attribute_<field>_risk_<days>d
    entity         attribute_<field>_attempts_1h …, as merchants and devices have, attribute_<field>_risk_<days>d
"""

from dataclasses import replace
from typing import Final

from fraud.contracts.fields import OUTCOME_CATEGORIES
from fraud.decoding.batch import CATEGORIES
from fraud.features import phrases as wording
from fraud.features.phrases import NOUN, Whom
from fraud.features.platform import STANDARD, FieldKind, OwnField, Platform
from fraud.features.risk_tables import OWN, RISK_WINDOWS_DAYS, risk_measures
from fraud.features.spec import (
    ATTRIBUTE,
    EVENT,
    RISK,
    RISK_ENTITIES,
    SEEN,
    Feature,
    FeatureKind,
    FeatureSpec,
    Stage,
)
from fraud.history.history import HistoryConfig
from fraud.history.kernel.layout import WINDOW_NAMES, WINDOWS
from fraud.history.kernel.own.values import SPAN_NAMES
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

_OWN_WINDOWED: Final = (
    ("attempts", "10min 1h 24h 30d"),
    ("declines", "1h 24h 30d"),
    ("spend", "24h"),
    ("first cards", "1h 24h 30d"),
    ("second customers", "24h 30d"),
)
_OWN_SINGLE: Final = ("hours_since_last", "hours_since_first", "amount_gap", "small_24h")
"""What is told of each own entity."""


def _windowed(entity: str, measure: str, windows: str, who: Whom | None = None) -> list[Feature]:
    side, _, what = measure.partition(" ")
    who = who or wording.whom(entity)
    return [
        Feature(
            name=f"{entity}_{what or side}_{window}",
            meaning=f"{'distinct ' * bool(what)}{what or side} of this {who.noun} in {_SPAN[window]}",
            source=(entity, f"{side}_{window}"),
            wording=wording.windowed(who, side, what, _SPAN[window]),
            group=entity,
            horizon=_LENGTH[window],
        )
        for window in windows.split()
    ]


def _single(entity: str, measure: str, who: Whom | None = None) -> Feature:
    source, _, what = measure.partition(" ")
    who = who or wording.whom(entity)
    flag = source in {"new_second", "shared"}
    return Feature(
        name=f"{entity}_{what}_new" if what else f"{entity}_{source}",
        meaning=_MEANING[source].format(this=f"this {who.noun}", what=what),
        source=(entity, source),
        wording=wording.single(who, source, what),
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


def _risk(entity: str, noun: str, group: str) -> list[Feature]:
    return [
        Feature(
            name=f"{entity}_risk_{days}d",
            meaning=f"known fraud of this {noun} in {days} days, in multiples of the average; smoothed",
            source=(RISK, measure),
            wording=wording.risk(noun, days),
            group=group,
        )
        for days, measure in zip(RISK_WINDOWS_DAYS, risk_measures(entity), strict=True)
    ]


def _own_value(name: str, own: OwnField) -> Feature:
    words = {
        FieldKind.NUMBER: wording.own_number,
        FieldKind.FLAG: wording.own_flag,
        FieldKind.CATEGORY: wording.own_category,
    }[own.kind]
    return Feature(
        name=OWN + name,
        meaning=own.meaning or f"platform attribute {name}",
        source=(ATTRIBUTE, name),
        wording=words(_label(name), own.said),
        group=OWN + name,
        kind=FeatureKind(str(own.kind)),
    )


def _own_category(name: str, own: OwnField) -> list[Feature]:
    label = _label(name)
    seen = [
        Feature(
            name=f"{OWN}{name}_seen_{span}",
            meaning=f"payments with this {label} in {_SPAN[span]}",
            source=(SEEN, f"{name}_{span}"),
            wording=wording.seen(label, _SPAN[span]),
            group=OWN + name,
            horizon=_LENGTH[span],
        )
        for span in SPAN_NAMES
    ]
    return [_own_value(name, own), *seen, *_risk(OWN + name, label, OWN + name)]


def _own_entity(name: str, own: OwnField) -> list[Feature]:
    entity, who = OWN + name, _own_whom(name, own)
    windowed = [feature for row in _OWN_WINDOWED for feature in _windowed(entity, *row, who)]
    return [*windowed, *(_single(entity, row, who) for row in _OWN_SINGLE), *_risk(entity, who.noun, entity)]


def _own_whom(name: str, own: OwnField) -> Whom:
    return wording.own_whom(own.said or name.replace("_", " "))


def _label(name: str) -> str:
    return wording.plain(name.replace("_", " "))


def _own_features(name: str, own: OwnField) -> list[Feature]:
    made = {FieldKind.CATEGORY: _own_category, FieldKind.ENTITY: _own_entity}.get(own.kind)
    features = [_own_value(name, own)] if made is None else made(name, own)
    return [replace(feature, stage=Stage(own.stage)) for feature in features]


def spec_of(platform: Platform) -> FeatureSpec:
    """The features of a platform: the standard ones, then those of its own fields."""
    standard = (
        *_event_features(),
        *(feature for row in _WINDOWED for feature in _windowed(*row)),
        *(_single(*row) for row in _SINGLE),
        *(_paired(*row) for row in wording.PAIRED),
        *(feature for entity in RISK_ENTITIES for feature in _risk(entity, NOUN[entity], "risk")),
    )
    declared = [feature for name, own in platform.fields.items() for feature in _own_features(name, own)]
    whom = {OWN + name: _own_whom(name, platform.fields[name]) for name in platform.named(FieldKind.ENTITY)}
    return FeatureSpec((*standard, *declared), platform.own_fields, whom)


def history_config(platform: Platform) -> HistoryConfig:
    """What the histories of a platform remember."""
    own = platform.own_fields
    return HistoryConfig(own_entities=own.entities, own_categories=own.categories)


SPEC: Final = spec_of(STANDARD)
