"""Phrases of features in reasons: one for a value, one where a flag is off, one where nothing is known.

A part is up to three segments, split by `|`: what, of whom, in which time. A sentence that has named whom does not name
it again: "8 cards from this device in 24 h, 6 declined attempts". Texts are for analysts and may change at any time: no
model depends on them.
"""

from dataclasses import dataclass
from typing import Final

NOUN: Final = {
    "customer": "customer", "card": "card", "bin": "BIN", "device": "device", "ip": "network address",
    "email": "e-mail address", "phone": "phone number", "shipping_address": "shipping address", "merchant": "merchant",
}  # fmt: skip
WHERE: Final = {
    "customer": "by this customer", "card": "with this card", "bin": "with cards of this BIN",
    "device": "from this device", "ip": "from this network address", "email": "with this e-mail address",
    "phone": "with this phone number", "shipping_address": "with this shipping address", "merchant": "at this merchant",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Whom:
    """An entity in sentences: "this `noun`", and where something happened: "at this merchant"."""

    noun: str
    where: str


def whom(entity: str) -> Whom:
    """How one of the standard entities is spoken of."""
    return Whom(NOUN[entity], WHERE[entity])


def own_whom(noun: str) -> Whom:
    """The same of an entity that a shop declares."""
    shown = noun.replace("{", "(").replace("}", ")").replace("|", "/")
    return Whom(shown, f"at this {shown}")


def plain(text: str) -> str:
    """A declared text within a phrase: braces and segments of phrases have no meaning in it."""
    return text.replace("{", "{{").replace("}", "}}").replace("|", "/")


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said of one feature.

    Attributes:
        said: with a value; `{value}` is a `fraud.explanations.formatting.Quantity`, `{text}` the event's own text of
            a category.
        denied: of a flag that is 0.
        absent: where the value is missing although its entity is known.
    """

    said: str
    denied: str = ""
    absent: str = ""


_WINDOWED: Final = {
    "attempts": "{value:n earlier attempt}",
    "declines": "{value:n declined attempt}",
    "spend": "{value:money} spent",
}


def windowed(who: Whom, measure: str, partner: str, span: str) -> Wording:
    """A count or sum over a window; `partner` is the plural of what a distinct count counts."""
    what = _WINDOWED.get(measure, f"{{value:n {partner.removesuffix('s')}}}")
    where = "used by this customer" if partner and who.noun == "customer" else who.where
    return Wording(f"{what}| {where}| in {span}")


_LONG: Final = "30 days"


def single(who: Whom, measure: str, partner: str) -> Wording:
    """A measure of an entity without a window."""
    where, this = who.where, f"this {who.noun}"
    seen = "used" if who.noun == "customer" else "seen"
    lonely = f"no earlier amount| of {this}| to compare with"
    return {
        "hours_since_last": Wording(f"last attempt| {where}| {{value:span}} ago", absent=unseen(who)),
        "hours_since_first": Wording(f"first attempt| {where}| {{value:span}} ago", absent=unseen(who)),
        "active_days": Wording(f"attempts on {{value:.0f}} of the last {_LONG}| {where}"),
        "amount_gap": Wording(f"{{value:times}} the usual amount| of {this}", absent=lonely),
        "amount_score": Wording(f"amount {{value:sigmas}} the usual| of {this}", absent=lonely),
        "small_24h": Wording(f"{{value:n tiny amount}} tried| {where}| in 24 h"),
        "refunds_30d": Wording(f"{{value:n refund}}| to {this}| in {_LONG}"),
        "new_second": Wording(
            f"{partner} not {seen} {where} before",
            denied=f"{partner} {seen} {where} before",
            absent=f"no {partner} given to compare with the past of {this}",
        ),
        "shared": Wording(f"{this} is shared by many", denied=f"{this} is not shared by many"),
    }[measure]


def unseen(who: Whom) -> str:
    """Said of an entity that is known but new."""
    return f"first attempt| {who.where}| in {_LONG}"


def blank(who: Whom, *, shared: bool | None) -> str:
    """Why nothing is known of an entity: its id is missing, or many share it; None: one of the two."""
    if shared is None:
        return f"no {who.noun} given, or one that many share"
    return f"this {who.noun} is shared by many: its past says little" if shared else f"no {who.noun} given"


PAIRED: Final = {
    ("customer_merchant", "new"): Wording(
        "merchant is new for this customer", "customer has paid at this merchant before", "no merchant given"
    ),
    ("customer_device", "new"): Wording(
        "device is new for this customer", "customer has used this device before", "no device given"
    ),
    ("customer_country", "new"): Wording(
        "shipping country is new for this customer", "customer has shipped to this country before",
        "no shipping country given",
    ),
    ("card_device", "new"): Wording(
        "device is new for this card", "card was used on this device before", "card or device not given"
    ),
    ("customer_merchant", "active_days"): Wording(
        f"customer paid at this merchant on {{value:.0f}} of the last {_LONG}", absent="no merchant given"
    ),
    ("customer_device", "active_days"): Wording(
        f"customer used this device on {{value:.0f}} of the last {_LONG}", absent="no device given"
    ),
}  # fmt: skip

_HOUR: Final = Wording("local time {value:clock}")
_WEEKDAY: Final = Wording("on a {value:weekday}")
_COUNTRIES: Final = "{} country or {} country not given"

EVENT: Final = {
    "amount": Wording("amount {value:money}"),
    "cents": Wording("amount ends in .{value:02.0f}", absent="minor part of the amount not known"),
    "hour_sin": _HOUR,
    "hour_cos": _HOUR,
    "weekday_sin": _WEEKDAY,
    "weekday_cos": _WEEKDAY,
    "account_age_hours": Wording("account opened {value:span} ago", absent="age of the account not given"),
    "card_age_hours": Wording("card added to the account {value:span} ago", absent="age of the card not given"),
    "items_count": Wording("{value:n item} in the order", absent="number of items not given"),
    "attempt_no": Wording("attempt number {value:.0f} for the order", absent="number of the attempt not given"),
    "is_recurring": Wording("recurring payment", "not a recurring payment", "recurring or not: not given"),
    "is_guest": Wording("guest checkout", "checkout with an account", "guest or not: not given"),
    "is_digital": Wording("digital goods", "physical goods", "digital goods or not: not given"),
    "is_merchant_initiated": Wording(
        "initiated by the merchant", "initiated by the customer", "initiator not given"
    ),
    "billing_ip_mismatch": Wording(
        "network is outside the billing country", "network is in the billing country",
        _COUNTRIES.format("network", "billing"),
    ),
    "billing_card_mismatch": Wording(
        "card was issued outside the billing country", "card was issued in the billing country",
        _COUNTRIES.format("card", "billing"),
    ),
    "billing_shipping_mismatch": Wording(
        "ships outside the billing country", "ships within the billing country",
        _COUNTRIES.format("shipping", "billing"),
    ),
    "ip_card_mismatch": Wording(
        "network and card are from different countries", "network and card are from one country",
        _COUNTRIES.format("network", "card"),
    ),
    "shipping_is_billing": Wording(
        "ships to the billing address", "ships to another address than the billing address",
        "shipping or billing address not given",
    ),
    "malformed": Wording("fields with invalid values, which were ignored", "no field with an invalid value"),
    "payment_method": Wording("paid by {text}", absent="payment method not given"),
    "wallet": Wording("wallet {text}", absent="no wallet"),
    "card_country": Wording("card issued in {text}", absent="country of the card not given"),
    "card_funding": Wording("{text} card", absent="funding of the card not given"),
    "ip_country": Wording("network in {text}", absent="country of the network not given"),
    "ip_asn": Wording("network operator {text}", absent="network operator not given"),
    "email_domain": Wording("e-mail at {text}", absent="e-mail domain not given"),
    "billing_country": Wording("billed in {text}", absent="billing country not given"),
    "shipping_country": Wording("shipped to {text}", absent="shipping country not given"),
}  # fmt: skip


def category(name: str) -> Wording:
    """A category without words of its own in `EVENT`."""
    words = name.replace("_", " ")
    return Wording(f"{words} {{text}}", absent=f"{words} not given")


def risk(noun: str, days: int) -> Wording:
    """The delayed fraud of an entity, or of a value, against the average."""
    return Wording(
        f"known fraud| of this {noun}| {{value:.1f}} times the average in {days} days",
        absent=f"no fraud known yet, of this {noun} or others",
    )


def own_number(label: str, said: str) -> Wording:
    """A number that the platform sends under a name of its own."""
    return Wording(said or f"{label} {{value:g}}", absent=f"{label} not given")


def own_flag(label: str, said: str) -> Wording:
    """A flag of the platform's own."""
    return Wording(said or f"{label}: yes", f"not {said}" if said else f"{label}: no", f"{label} not given")


def own_category(label: str, said: str) -> Wording:
    """A category of the platform's own, by its value."""
    return Wording(said or f"{label} {{text}}", absent=f"{label} not given")


def seen(label: str, span: str) -> Wording:
    """How often a category's value was seen."""
    return Wording(f"{{value:n payment}}| with this {label}| in {span}", absent=f"{label} not given")
