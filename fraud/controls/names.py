"""Every name that rules of a platform may use: its payments' fields, what the model says, and the history's measures.

customer_id, amount, attribute_<field>   fields
score, model_action                      what the model gives, and what would be done without rules
card_attempts_1h, device_cards_24h       measures of each entity and pair, in every window, named as features are
"""

from collections.abc import Iterator
from typing import Final

from fraud.contracts.fields import FIELDS, FieldType
from fraud.contracts.inbound import Transaction
from fraud.controls.language.nodes import Type
from fraud.controls.language.vocabulary import Name, Vocabulary
from fraud.decoding.batch import ENTITIES
from fraud.features.phrases import NOUN
from fraud.features.platform import FieldKind, Platform
from fraud.features.risk_tables import OWN
from fraud.features.spec import EVENT, SEEN, valid_source
from fraud.history.kernel.entities import PARTNERS_OF
from fraud.history.kernel.layout import KINDS, PAIRS, WINDOW_NAMES
from fraud.history.kernel.measures import MEASURES
from fraud.history.kernel.own.values import SPAN_NAMES
from fraud.money import Rates

_TYPES: Final = {
    **dict.fromkeys((FieldType.ID, FieldType.TOKEN, FieldType.TEXT, FieldType.CHOICE), Type.TEXT),
    FieldType.TIME: Type.TIME,
    FieldType.AMOUNT: Type.MONEY,
    FieldType.FLAG: Type.BOOL,
    FieldType.COUNT: Type.NUMBER,
}
_OWN_TYPES: Final = {
    FieldKind.NUMBER: Type.NUMBER,
    FieldKind.FLAG: Type.BOOL,
    FieldKind.CATEGORY: Type.TEXT,
    FieldKind.ENTITY: Type.TEXT,
}
_EVENT: Final = (
    ("account_age_hours", Type.NUMBER, "age of the account in hours"),
    ("card_age_hours", Type.NUMBER, "hours since the card was added"),
    ("cents", Type.NUMBER, "minor part of the amount as charged, in hundredths"),
    ("is_round", Type.BOOL, "the amount as charged has no minor part"),
    ("is_merchant_initiated", Type.BOOL, "initiated by the merchant"),
    ("billing_ip_mismatch", Type.BOOL, "network is outside the billing country"),
    ("billing_card_mismatch", Type.BOOL, "card is from outside the billing country"),
    ("billing_shipping_mismatch", Type.BOOL, "ships outside the billing country"),
    ("ip_card_mismatch", Type.BOOL, "network and card are from different countries"),
    ("shipping_is_billing", Type.BOOL, "ships to the billing address"),
    ("malformed", Type.BOOL, "an optional field was invalid and is missing"),
)
"""What one event yields by itself, as the kernel computes it."""

_SAID: Final = {
    "attempts": "attempts of this {noun} in {window}",
    "declines": "declined attempts of this {noun} in {window}",
    "spend": "money that this {noun} paid in {window}",
    "first": "distinct {partner}s of this {noun} in {window}",
    "second": "distinct {partner}s of this {noun} in {window}",
    "small_24h": "tiny amounts tried with this {noun} in 24 h",
    "refunds_30d": "refunds to this {noun} in 30 days",
    "hours_since_last": "hours since this {noun} was last seen",
    "hours_since_first": "hours since this {noun} was first seen",
    "active_days": "on how many of the last 30 days this {noun} was seen",
    "amount_gap": "amount in doublings above the usual of this {noun}",
    "amount_score": "amount in spreads above the usual of this {noun}",
    "new_first": "this {partner} was not seen before with this {noun}",
    "new_second": "this {partner} was not seen before with this {noun}",
    "new": "this {noun} was not seen before",
    "shared": "this {noun} is shared by many; nothing else is told of it then",
}
_FLAGS: Final = frozenset({"new", "new_first", "new_second", "shared"})
_CARD_AND_CUSTOMER: Final = ("card", "customer")
"""What is counted with a shop's own entities."""


def vocabulary_of(platform: Platform, rates: Rates | None = None) -> Vocabulary:
    """The names of a platform; with exchange rates, other currencies than the base one too."""
    names = [*_fields(), *_own_fields(platform), *_model(), *_event(), *_measures(platform), *_seen(platform)]
    return Vocabulary(names, base_currency=platform.base_currency, currencies=rates.codes if rates else ())


def _fields() -> Iterator[Name]:
    for field in FIELDS:
        if field.type in _TYPES and not field.of_outcomes:
            said = Transaction.model_fields[field.name].description or field.name
            meaning = "amount in the base currency" if field.name == "amount" else said
            yield Name(field.name, _TYPES[field.type], meaning)


def _own_fields(platform: Platform) -> Iterator[Name]:
    for name, own in platform.fields.items():
        yield Name(OWN + name, _OWN_TYPES[own.kind], own.meaning or f"the shop's own field {name}")


def _model() -> Iterator[Name]:
    yield Name("score", Type.NUMBER, "probability of fraud by the model, 0 to 1; missing where it gave none")
    yield Name("model_action", Type.TEXT, "what the model and its policy would do: allow, challenge, review or block")


def _event() -> Iterator[Name]:
    for name, kind, meaning in _EVENT:
        yield Name(name, kind, meaning, (EVENT, name))


def _measures(platform: Platform) -> Iterator[Name]:
    own = platform.own_fields
    for entity in (*KINDS, *(OWN + name for name in own.entities)):
        for measure in MEASURES:
            if valid_source((entity, measure), own):
                yield _measure(platform, entity, measure)


def _measure(platform: Platform, entity: str, measure: str) -> Name:
    group, _, window = measure.rpartition("_")
    windowed = window in WINDOW_NAMES and measure not in _SAID
    stem = group if windowed else measure
    partner = _partner(entity, stem)
    shown = f"{partner}s" if stem in {"first", "second"} else f"{partner}_new" if partner else stem
    noun = _noun(platform, entity)
    if entity in PAIRS:
        noun = f"pair of {noun}"
    said = _SAID[stem].format(noun=noun, partner=partner.replace("_", " "), window=window)
    kind = Type.MONEY if stem == "spend" else Type.BOOL if stem in _FLAGS else Type.NUMBER
    return Name(f"{entity}_{shown}_{window}" if windowed else f"{entity}_{shown}", kind, said, (entity, measure))


def _partner(entity: str, stem: str) -> str:
    """Whom a measure of partners counts; "" of other measures."""
    side = stem.removeprefix("new_")
    if side not in {"first", "second"}:
        return ""
    place = ("first", "second").index(side)
    return ENTITIES[PARTNERS_OF[entity][place]] if entity in PARTNERS_OF else _CARD_AND_CUSTOMER[place]


def _noun(platform: Platform, entity: str) -> str:
    if entity in PAIRS:
        return entity.replace("_", " and ")
    name = entity.removeprefix(OWN)
    return NOUN[entity] if entity in NOUN else platform.fields[name].said or name.replace("_", " ")


def _seen(platform: Platform) -> Iterator[Name]:
    for name in platform.own_fields.categories:
        for span in SPAN_NAMES:
            meaning = f"payments with this {name.replace('_', ' ')} in {span}"
            yield Name(f"{OWN}{name}_seen_{span}", Type.NUMBER, meaning, (SEEN, f"{name}_{span}"))
