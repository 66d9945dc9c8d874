"""What an episode's attempts share, and what it shares with episodes elsewhere: devices, addresses, cards."""

from typing import Final

import numpy as np

from fraud.units import DAY_US
from simulator.draws import Bools, Int64s, mix, salt_of, uniform_of
from simulator.fraud_patterns.catalogue import Pattern
from simulator.fraud_patterns.runs import Runs
from simulator.people.attempts import Attempts
from simulator.people.population import Marketplace, address_in
from simulator.platforms.platform import Platform

RINGS: Final = 12
"""Reshipping rings of one seed, shared by all its platforms, and as many shared flats. Neither turns into the other:
who knows yesterday's labels of a device knows more than events alone can tell."""
RING_DEVICE_DAYS: Final = 24
RING_ADDRESS_DAYS: Final = 37
"""A ring drifts: each has its own day on which devices, and another on which addresses, are given up for new ones."""

SHARED: Final = 0.3
"""Share of episodes whose devices, cards and e-mails are those of an episode on every other platform of the seed."""
CONTESTED: Final = 0.3
"""Share of the shared ones that are the thief's on one platform and may be the owner's on another."""


def keys_of(platform: Platform, runs: Runs, *, kind: int, begin: int) -> tuple[Int64s, Bools]:
    """A key for each attempt's episode, from which its ids are made, and whether other platforms have the same; [n].

    The r-th fraud of a behaviour on one platform and the r-th on another take one slot of the seed, and so do the r-th
    look-alikes. A contested slot belongs to one reading only, on each platform to whom a coin gives it. So no id comes
    twice on one platform, both readings share equally often, and nothing on one platform tells a shared id.
    """
    fraud = runs.fraud
    rank = np.where(fraud, np.cumsum(fraud), np.cumsum(~fraud))
    slot = mix(rank, salt_of(platform.ring_salt, "slot", kind, begin - platform.begin))
    contested = uniform_of(slot, 141) < CONTESTED
    thief_here = uniform_of(slot, platform.salt) < 0.5
    shared = (uniform_of(slot, 140) < SHARED) & (~contested | (thief_here == fraud))
    own = mix(np.arange(len(fraud)), salt_of(platform.salt, kind, begin))
    everywhere = mix(slot, np.where(contested, 144, 142 + fraud))
    return np.where(shared, everywhere, own)[runs.of], shared[runs.of]


def with_belongings(
    marketplace: Marketplace,
    attempts: Attempts,
    pattern: Pattern,
    runs: Runs,
    *,
    key: Int64s,
    change: dict[str, Int64s],
) -> Attempts:
    """Devices, cards and addresses as the traits say, the same for both readings."""
    traits = pattern.traits
    device_group = address_group = key
    if "ring" in traits:
        ring = mix(key % RINGS * 2 + runs.fraud[runs.of], marketplace.platform.ring_salt)
        began = attempts.time[np.flatnonzero(runs.step == 1)][runs.of]
        device_group = mix(ring, _generation(ring, began, RING_DEVICE_DAYS))
        address_group = mix(ring, _generation(ring, began, RING_ADDRESS_DAYS))
    columns: dict[str, Int64s] = {}
    if "one device" in traits or "new device" in traits:
        columns["device"] = mix(device_group, 101 + change.get("device", np.zeros_like(key)))
    if "few devices" in traits:
        columns["device"] = mix(device_group, 110 + mix(attempts.customer, 3) % 3)
        columns["ip"] = address_in(attempts.ip_country, mix(device_group, 115 + mix(attempts.customer, 4) % 2))
    if "new address" in traits:
        columns["shipping_address"] = np.where(attempts.digital, 0, mix(address_group, 120))
    if "drop address" in traits:
        columns["shipping_address"] = np.where(
            attempts.digital, 0, mix(address_group, 121 + mix(attempts.customer, 5) % 2)
        )
    columns |= _cards(marketplace, attempts, pattern, runs, key=key, change=change)
    attempts = attempts.with_columns(**columns)
    return attempts.with_columns(session=mix(attempts.device, attempts.time // 1_800_000_000))


def _generation(ring: Int64s, time: Int64s, days: int) -> Int64s:
    """How often a ring has changed its things by a time, µs; the same on every platform."""
    life = days * DAY_US
    changes: Int64s = (time + (uniform_of(ring, 150 + days) * life).astype(np.int64)) // life
    return changes


def _cards(
    marketplace: Marketplace,
    attempts: Attempts,
    pattern: Pattern,
    runs: Runs,
    *,
    key: Int64s,
    change: dict[str, Int64s],
) -> dict[str, Int64s]:
    if "card each" in pattern.traits:
        return {"card": mix(key, 200 + runs.step)}
    if "one bin" in pattern.traits:
        bank = np.flatnonzero(runs.step == 1)[runs.of]
        return {"bin": attempts.bin[bank], "card_country": attempts.card_country[bank],
                "funding": attempts.funding[bank], "ip_country": attempts.card_country[bank]}  # fmt: skip
    if "known cards" in pattern.traits:
        victim = marketplace.customers.take(mix(attempts.customer, 9) % len(marketplace.customers))
        return {"card": victim.card, "bin": victim.bin, "card_country": victim.country, "funding": victim.funding,
                "ip_country": victim.country}  # fmt: skip
    if change:
        return {"card": np.where(change["card"] > 0, mix(key, 300 + change["card"]), attempts.card)}
    return {}
