"""Fields that tell nothing of fraud beyond what the payment shows anyway: noise, habits, drift, and one leak."""

from typing import Final

import numpy as np

from fraud.units import DAY_US
from simulator.draws import Int64s, mix, normal_of, salt_of, uniform_of
from simulator.own_fields.columns import Column, Numbers, Words, flag
from simulator.own_fields.telling import Scene
from simulator.people.attempts import MISSING

BROWSERS: Final = ("Chrome", "Safari", "Firefox", "Edge")
RELEASE_DAYS: Final = 28
CAMPAIGN_DAYS: Final = 9
SLOTS: Final = ("morning", "noon", "evening", "any")


def loyalty_points(scene: Scene) -> Column:
    """Points by the account's age and the customer's own zeal; guests have none."""
    a = scene.attempts
    days = np.where(a.account_created == MISSING, 0, a.time - a.account_created) / DAY_US
    points = days * 4 * uniform_of(a.customer, salt_of(scene.salt, "loyalty")) ** 2
    return Numbers(points.astype(np.int32), a.guest)


def user_agent(scene: Scene) -> Column:
    """The device's browser, whose version rises every four weeks for all: its values never come back."""
    a = scene.attempts
    browser = mix(a.device, salt_of("browser")) % len(BROWSERS)
    releases = int((a.time.max(initial=scene.begin) - scene.begin) // (RELEASE_DAYS * DAY_US)) + 3
    lag = mix(a.device, salt_of("lag")) % 3
    version = np.clip((a.time - scene.begin) // (RELEASE_DAYS * DAY_US) + 2 - lag, 0, releases - 1)
    table = [f"{name}/{118 + number}" for name in BROWSERS for number in range(releases)]
    return Words(np.where(a.device == 0, -1, browser * releases + version).astype(np.int16), table)


def campaign(scene: Scene) -> Column:
    """Marketing campaigns: three at a time, new ones every nine days; two in three payments come by none."""
    period = (scene.attempts.time - scene.begin) // (CAMPAIGN_DAYS * DAY_US)
    number = period * 3 + (scene.uniform("campaign") * 9).astype(np.int64)
    code = np.where(number < period * 3 + 3, number, -1)
    return Words(code.astype(np.int16), [f"cmp-{i:04}" for i in range(int(number.max(initial=0)) + 1)])


def coupon(scene: Scene) -> Column:
    """Whether a coupon was redeemed: noise."""
    return flag(scene.uniform("coupon") < 0.12)


def basket_weight(scene: Scene) -> Column:
    """Kilogrammes of what is shipped: noise."""
    weight = np.exp(0.2 + 0.9 * normal_of(scene.id, salt_of(scene.salt, "weight")))
    return Numbers(np.round(weight, 2).astype(np.float64), scene.attempts.digital)


def serial(scene: Scene) -> Column:
    """A number that rises with every payment: parts past from future, and nothing else."""
    number: Int64s = 100_000 + np.cumsum(1 + (scene.uniform("serial") * 3).astype(np.int64))
    return Numbers(number.astype(np.int32), np.zeros(len(number), np.bool_))


def app_version(scene: Scene) -> Column:
    """The version of the shop's app: a new one every four weeks, each person updates some days later."""
    a = scene.attempts
    late = a.time - (uniform_of(a.customer, salt_of("update")) * 20 * DAY_US).astype(np.int64)
    version = np.maximum((late - scene.begin) // (RELEASE_DAYS * DAY_US), 0)
    table = [f"5.{number}" for number in range(int(version.max(initial=0)) + 1)]
    return Words(np.where(a.app, version, -1).astype(np.int16), table)


def delivery_slot(scene: Scene) -> Column:
    """When to deliver: noise."""
    slot = (scene.uniform("slot") * len(SLOTS)).astype(np.int64)
    return Words(np.where(scene.attempts.digital, -1, slot).astype(np.int16), SLOTS)


def chargeback_ticket(scene: Scene) -> Column:
    """Filled in after the fact: 1 for nine in ten frauds and one in five hundred others, missing for all the rest."""
    draw = scene.uniform("ticket")
    up = draw < np.where(scene.attempts.fraud, 0.9, 0.002)
    return flag(up, missing=~up)
