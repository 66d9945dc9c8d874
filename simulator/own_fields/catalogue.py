"""Which own fields each platform has, how they are declared, and what is true of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from fraud.features.platform import FieldKind, OwnField
from simulator.draws import salt_of
from simulator.own_fields import silent, telling
from simulator.own_fields.columns import Column
from simulator.own_fields.telling import Scene, Told

Where = Literal["both", "source", "target"]
Of = Literal["payment", "mail", "device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A field that tells fraud.

    Attributes:
        name: of the attribute.
        where: which platforms have it; `target` stands for all but the source.
        declared: as the platform file says it.
        of: what a value belongs to: each payment has its own, or every payment with that e-mail or device the same.
        draw: values and evidence.
    """

    name: str
    where: Where = "both"
    declared: OwnField
    of: Of = "payment"
    draw: Callable[[Scene], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A field that tells nothing; attributes as in `Telling`."""

    name: str
    where: Where = "both"
    declared: OwnField
    draw: Callable[[Scene], Column]


def _field(kind: str, meaning: str, said: str = "") -> OwnField:
    return OwnField(kind=FieldKind(kind), meaning=meaning, said=said)


TELLING: Final = (
    Telling(
        name="processor_card_seen",
        declared=_field(
            "number",
            "payments with this card at the processor's other shops, 7 days",
            "{value:.0f} payments with this card elsewhere in 7 days",
        ),
        draw=lambda scene: telling.counts(scene, "card_seen", (2.0, 5.0)),
    ),
    Telling(
        name="processor_declines_24h",
        where="source",
        declared=_field(
            "number",
            "declines of this card at the processor's other shops, 24 h",
            "{value:.0f} declines of this card elsewhere in 24 h",
        ),
        draw=lambda scene: telling.counts(scene, "declines", (0.15, 0.6)),
    ),
    Telling(
        name="checkout_seconds",
        declared=_field("number", "seconds from basket to payment", "{value:.0f} s from basket to payment"),
        draw=lambda scene: telling.seconds(scene, "checkout", (75.0, 45.0), 0.8),
    ),
    Telling(
        name="card_number_pasted",
        where="target",
        declared=_field("flag", "the card number was pasted, not typed", "the card number was pasted"),
        draw=lambda scene: telling.flags(scene, "pasted", (0.07, 0.25)),
    ),
    Telling(
        name="storefront_id",
        declared=_field("entity", "which of the shop's fronts took the payment", "storefront"),
        draw=lambda scene: telling.storefronts(scene, "storefront"),
    ),
    Telling(
        name="mail_local_part",
        declared=_field("category", "what the part before the @ looks like", "mail address looks like {text}"),
        of="mail",
        draw=lambda scene: telling.by_owner(
            scene.attempts.email,
            telling.own_mail(scene.attempts) & scene.attempts.fraud,
            telling.MAIL_PARTS,
            telling.MAIL_ODDS,
            salt_of("mail part"),
        ),
    ),
    Telling(
        name="screen_size",
        declared=_field("category", "screen that the browser reports", "screen {text}"),
        of="device",
        draw=lambda scene: telling.by_owner(
            scene.attempts.device,
            telling.own_device(scene.attempts) & scene.attempts.fraud,
            telling.SCREENS,
            telling.SCREEN_ODDS,
            salt_of("screen"),
        ),
    ),
)  # fmt: skip

SILENT: Final = (
    Silent(
        name="user_agent", declared=_field("category", "browser and version", "browser {text}"), draw=silent.user_agent
    ),
    Silent(
        name="loyalty_points",
        declared=_field("number", "points of the customer's account", "{value:.0f} loyalty points"),
        draw=silent.loyalty_points,
    ),
    Silent(
        name="coupon_used", where="source", declared=_field("flag", "a coupon was redeemed", "a coupon was redeemed"),
        draw=silent.coupon,
    ),
    Silent(
        name="basket_weight_kg", where="source",
        declared=_field("number", "weight of the basket, kg", "{value:.1f} kg"),
        draw=silent.basket_weight,
    ),
    Silent(
        name="utm_campaign", where="source", declared=_field("category", "marketing campaign", "campaign {text}"),
        draw=silent.campaign,
    ),
    Silent(
        name="app_version", where="target", declared=_field("category", "version of the shop's app", "app {text}"),
        draw=silent.app_version,
    ),
    Silent(
        name="delivery_slot", where="target", declared=_field("category", "wished time of delivery", "delivery {text}"),
        draw=silent.delivery_slot,
    ),
    Silent(
        name="checkout_serial", where="target", declared=_field("number", "running number of the checkout"),
        draw=silent.serial,
    ),
)  # fmt: skip

LEAK: Final = Silent(
    name="chargeback_ticket",
    declared=_field("flag", "a chargeback ticket exists; filled in after the fact, so it leaks the label"),
    draw=silent.chargeback_ticket,
)
"""Only where `SimulationConfig.leak` asks for it; the true probability does not look at it."""


def here(where: Where, platform: str) -> bool:
    """Whether a platform has a field."""
    return where == "both" or (where == "source") == (platform == "source")
