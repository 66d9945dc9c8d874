"""The ordered, declarative list of features: meaning, look-back, when it is known, how it is worded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from fraud.batch import CATEGORIES, ENTITIES
from fraud.kernel.columns import EVENT_MEASURES
from fraud.kernel.layout import BUCKETED, DAY, KINDS, PAIRS, WINDOW_NAMES, WINDOWS
from fraud.kernel.measures import MEASURES

EVENT: Final = "event"
ATTRIBUTE: Final = "attribute"
RISK: Final = "risk"
OUTCOME_CATEGORIES: Final = frozenset({"decline_category", "avs", "cvv", "three_ds", "liability"})
"""Known only once the issuer has answered."""


class FeatureKind(StrEnum):
    """How a model should take the value."""

    NUMBER = "number"
    CATEGORY = "category"
    FLAG = "flag"


class Stage(StrEnum):
    """When the value is known."""

    PRE_AUTH = "pre_auth"
    POST_AUTH = "post_auth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column.

    Attributes:
        name: unique in its spec.
        meaning: one line for a reader.
        source: where it is read: (entity, pair, `event`, `attribute` or `risk`; measure).
        wording: what a reason says; `{value}` is the feature's value.
        group: reasons of one group are told as one.
        kind: number, category (a hash below 2**24) or flag (0, 1).
        horizon: how far back it looks, in µs; 0 for the event alone.
        stage: the earliest stage at which it is known.
    """

    name: str
    meaning: str
    source: tuple[str, str]
    wording: str
    group: str
    kind: FeatureKind = FeatureKind.NUMBER
    horizon: int = 0
    stage: Stage = Stage.PRE_AUTH


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Features in column order, and the names of declared attributes in the order of `Batch.attributes`.

    Raises:
        ValueError: two features share a name, or a source does not exist.
    """

    features: tuple[Feature, ...]
    attributes: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(feature.name for feature in self.features)
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"feature names must differ; twice: {', '.join(twice)}")
        for feature in self.features:
            if not _exists(feature.source, self.attributes):
                raise ValueError(f"feature {feature.name} reads {feature.source}, which does not exist")
        object.__setattr__(self, "names", names)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.features)

    @property
    def horizon(self) -> int:
        """The longest look-back of all features, in µs."""
        return max((feature.horizon for feature in self.features), default=0)

    def columns(self, source: str) -> list[int]:
        """The columns that read a source."""
        return [column for column, feature in enumerate(self.features) if feature.source[0] == source]

    def later_than(self, stage: Stage) -> list[str]:
        """Names of features that are not known yet at a stage."""
        if stage is Stage.POST_AUTH:
            return []
        return [feature.name for feature in self.features if feature.stage is not Stage.PRE_AUTH]


def _exists(source: tuple[str, str], attributes: Sequence[str]) -> bool:
    place, measure = source
    if place == ATTRIBUTE:
        return measure in attributes
    if place == RISK:
        return measure in ENTITIES
    if place == EVENT:
        return measure in EVENT_MEASURES
    if place in PAIRS:
        return measure in {"new", "active_days", "hours_since_last"}
    known = measure in MEASURES
    partners = measure.startswith(("first_", "second_", "new_")) or measure == "hours_since_first"
    return place in KINDS and known and not (place in BUCKETED and partners)


_NOUN: Final = {
    "customer": "customer", "card": "card", "bin": "card range (BIN)", "device": "device", "ip": "network address",
    "email": "e-mail address", "phone": "phone number", "shipping_address": "shipping address", "merchant": "merchant",
}  # fmt: skip
_SPAN: Final = dict(zip(WINDOW_NAMES, ("10 min", "1 h", "24 h", "7 days", "30 days"), strict=True))
_LENGTH: Final = dict(zip(WINDOW_NAMES, WINDOWS, strict=True))
_MONTH: Final = 30 * DAY


def _counts(entity: str, measure: str, windows: str, wording: str, name: str = "") -> list[Feature]:
    """One feature per window named in `windows`; `wording` is completed with the entity and the window."""
    features = []
    for window in windows.split():
        text = f"{wording} {{this}} in {_SPAN[window]}".replace("{this}", f"this {_NOUN[entity]}")
        features.append(
            Feature(
                name=f"{entity}_{name or measure}_{window}",
                meaning=text.replace("{value:.0f} ", ""),
                source=(entity, f"{measure}_{window}"),
                wording=text,
                group=entity,
                horizon=_LENGTH[window],
            )
        )
    return features


def _attempts(entity: str, windows: str) -> list[Feature]:
    return _counts(entity, "attempts", windows, "{value:.0f} attempts by")


def _declines(entity: str, windows: str) -> list[Feature]:
    return _counts(entity, "declines", windows, "{value:.0f} declined for")


def _spend(entity: str, windows: str) -> list[Feature]:
    return _counts(entity, "spend", windows, "{value:.0f} approved spend of")


def _distinct(entity: str, what: str, side: str, windows: str) -> list[Feature]:
    return _counts(entity, side, windows, f"{{value:.0f}} {what} with", name=what)


def _single(entity: str, measure: str, wording: str, *, name: str = "", flag: bool = False) -> Feature:
    text = wording.replace("{this}", f"this {_NOUN.get(entity, entity)}")
    return Feature(
        name=f"{entity}_{name or measure}",
        meaning=text.replace("{value:.0f} ", "").replace("{value:.1f} ", ""),
        source=(entity, measure),
        wording=text,
        group=entity,
        kind=FeatureKind.FLAG if flag else FeatureKind.NUMBER,
        horizon=DAY if measure.endswith("_24h") else _MONTH,
    )


def _since(entity: str, *measures: str) -> list[Feature]:
    words = {
        "hours_since_last": "{value:.1f} hours since {this} was last seen",
        "hours_since_first": "{value:.1f} hours since {this} was first seen",
        "active_days": "{this} seen on {value:.0f} of the last 30 days",
        "amount_gap": "amount {value:.1f} doublings above the usual of {this}",
        "amount_score": "amount {value:.1f} spreads above the usual of {this}",
        "small_24h": "{value:.0f} tiny amounts tried with {this} in 24 h",
        "refunds_30d": "{value:.0f} refunds to {this} in 30 days",
    }
    return [_single(entity, measure, words[measure]) for measure in measures]


def _new(entity: str, measure: str, what: str) -> Feature:
    return _single(entity, measure, f"{what} not seen before with {{this}}", name=f"{what}_new", flag=True)


def _shared(entity: str) -> Feature:
    return _single(entity, "shared", "{this} is shared by many", flag=True)


def _entity_features() -> list[Feature]:
    return [
        *_attempts("customer", "10min 1h 24h 7d 30d"), *_declines("customer", "1h 24h 30d"),
        *_spend("customer", "24h 7d 30d"), *_distinct("customer", "devices", "first", "24h 30d"),
        *_distinct("customer", "cards", "second", "24h 30d"), _new("customer", "new_second", "card"),
        *_since("customer", "hours_since_last", "hours_since_first", "active_days", "amount_gap", "amount_score",
                "refunds_30d"),
        *_attempts("card", "10min 1h 24h 7d 30d"), *_declines("card", "1h 24h 30d"), *_spend("card", "24h 30d"),
        *_distinct("card", "merchants", "first", "1h 24h 30d"), *_distinct("card", "devices", "second", "30d"),
        *_since("card", "hours_since_last", "hours_since_first", "active_days", "amount_gap", "amount_score",
                "small_24h"),
        *_attempts("device", "10min 1h 24h 30d"), *_declines("device", "10min 24h 30d"),
        *_distinct("device", "cards", "first", "1h 24h 30d"), *_distinct("device", "customers", "second", "24h 30d"),
        *_since("device", "hours_since_last", "hours_since_first", "small_24h"), _shared("device"),
        *_attempts("ip", "10min 1h 24h"), *_declines("ip", "1h 24h"), *_distinct("ip", "cards", "first", "1h 24h"),
        *_distinct("ip", "customers", "second", "24h 30d"), _new("ip", "new_second", "customer"), _shared("ip"),
        *_attempts("email", "24h"), *_declines("email", "24h"), *_distinct("email", "cards", "first", "30d"),
        *_distinct("email", "customers", "second", "30d"), *_since("email", "active_days"),
        *_distinct("phone", "customers", "second", "30d"), *_since("phone", "active_days"),
        *_attempts("shipping_address", "24h 30d"), *_declines("shipping_address", "24h"),
        *_distinct("shipping_address", "cards", "first", "30d"),
        *_distinct("shipping_address", "customers", "second", "30d"),
        _new("shipping_address", "new_second", "customer"),
        *_attempts("merchant", "1h 24h 7d 30d"), *_declines("merchant", "10min 1h 24h"), *_spend("merchant", "24h"),
        *_since("merchant", "small_24h", "amount_gap", "amount_score"),
        *_attempts("bin", "10min 1h 24h 7d"), *_declines("bin", "10min 1h 24h"), *_since("bin", "small_24h"),
    ]  # fmt: skip


def _pair_features() -> list[Feature]:
    words = {
        "customer_merchant": "merchant for this customer",
        "customer_device": "device for this customer",
        "customer_country": "shipping country for this customer",
        "card_device": "device for this card",
    }
    features = []
    for pair, what in words.items():
        features.append(_single(pair, "new", f"new {what}", flag=True))
        features.append(_single(pair, "active_days", f"{what} seen on {{value:.0f}} of the last 30 days"))
    return features


def _plain(name: str, group: str, meaning: str, wording: str = "", kind: FeatureKind = FeatureKind.NUMBER) -> Feature:
    return Feature(name=name, meaning=meaning, source=(EVENT, name), wording=wording or meaning, group=group, kind=kind)


def _event_features() -> list[Feature]:
    flag, category = FeatureKind.FLAG, FeatureKind.CATEGORY
    skipped = {*OUTCOME_CATEGORIES, "currency"}
    return [
        _plain("amount", "amount", "amount in the base currency", "amount {value:.2f}"),
        _plain("cents", "amount", "minor part of the amount as charged, in hundredths", "amount ends in {value:.0f}"),
        _plain("is_round", "amount", "round amount", kind=flag),
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


RISK_ENTITIES: Final = ("merchant", "device", "ip", "bin")
"""Entities whose delayed fraud rate is a feature by default."""


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
    standard = (*_event_features(), *_entity_features(), *_pair_features(), *_risk_features())
    return FeatureSpec((*standard, *declared), tuple(attributes))


SPEC: Final = default_spec()
