"""The history's promises, computed by brute force from the whole log; shares no code with the kernel."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS, Batch, Kind
from fraud.history.history import HistoryConfig

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WINDOWS = {"10min": 10 * MINUTE, "1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
PARTNERS = {
    "customer": ("device", "card"),
    "card": ("merchant", "device"),
    "device": ("card", "customer"),
    "ip": ("card", "customer"),
    "email": ("card", "customer"),
    "phone": ("card", "customer"),
    "shipping_address": ("card", "customer"),
}
BUCKETED = ("bin", "merchant")
OWN_ENTITIES = ("attribute_store", "attribute_lane")
"""The shop's own, in the order of their columns: buckets, and of partners and times a ring that is never shared."""
VALUES = ("tier", "agent")
"""Its own categories, the last columns of `Batch.attributes`; how often each value was seen."""
OF_RINGS = ("first_", "second_", "hours_", "new", "active_days", "shared")
STATUS = {
    Kind.AUTHORISED: "approved",
    Kind.CAPTURED: "approved",
    Kind.DECLINED: "declined",
    Kind.VOIDED: "voided",
    Kind.REFUNDED: "refunded",
}


@dataclass
class Attempt:
    """`status` by all outcomes, `told` by those that came while the transaction was remembered.

    `counted` is the time at which merchants, bins and own fields count it; those in `forgotten` need not count it any
    more.
    """

    time: int
    counted: int
    amount: int
    ids: dict[str, int]
    transaction: int
    content: bytes
    quiet: bool = False
    status: str = "pending"
    told: str = "pending"
    new_partner: dict[str, bool] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)


class Oracle:
    """Takes events one at a time; `features` of each come before it is added."""

    def __init__(self, config: HistoryConfig) -> None:
        self.config = config
        self.horizon = config.horizon_days * DAY
        self.attempts: list[Attempt] = []
        self.times: list[int] = []
        self.watermark = 2**62
        self.newest = -(2**62)
        self.recent: list[tuple[int, tuple[int, ...]]] = []
        self.seen: dict[tuple[int, ...], bytes] = {}
        self.orders: dict[tuple[int, ...], int] = {}

    def take(self, event: Batch) -> tuple[str, dict[tuple[str, str], float]]:
        """What the event is, and its measures by (entity, measure) when it is scored."""
        time, transaction = int(event.time[0]), int(event.transaction[0])
        content = b"".join(np.ascontiguousarray(getattr(event, name)).tobytes() for name in event.__slots__)
        if event.kind[0] == Kind.TRANSACTION and (transaction,) in self.seen:
            return ("duplicate" if content == self.seen[transaction,] else "conflict"), {}
        self._follow(time)
        if event.kind[0] != Kind.TRANSACTION:
            for attempt in self.attempts:
                if attempt.transaction == transaction:
                    attempt.status = STATUS[Kind(event.kind[0])]
            self._tell(transaction, STATUS[Kind(event.kind[0])])
            return "outcome", {}
        ids = {entity: int(event.ids[0, i]) for i, entity in enumerate(ENTITIES)}
        ids |= {entity: int(event.own_ids[0, i]) for i, entity in enumerate(OWN_ENTITIES)}
        values = event.attributes[0, -len(VALUES) :]
        ids |= {name: 0 if np.isnan(value) else int(value) for name, value in zip(VALUES, values, strict=True)}
        ids["country"] = int(event.categories[0, CATEGORIES.index("shipping_country")])
        attempt = Attempt(time, min(time, self.watermark + HOUR), int(event.amount[0]), ids, transaction, content)
        measures = dict(self._measures(attempt))
        attempt.quiet = self._quiet(event, attempt)
        self._remember((transaction,))
        self.seen[transaction,] = content
        self._forget_ahead(ids)
        self.attempts.append(attempt)
        return "score", measures

    def _forget_ahead(self, ids: dict[str, int]) -> None:
        """While a log's first events fall back in time, what was counted beyond it goes, for the whole entity."""
        for entity in (*BUCKETED, *OWN_ENTITIES, *VALUES):
            mine = [
                a for a in self.attempts if ids[entity] and a.ids[entity] == ids[entity] and entity not in a.forgotten
            ]
            if mine and max(a.counted for a in mine) > self.watermark + HOUR:
                for attempt in mine:
                    attempt.forgotten.add(entity)

    def _follow(self, time: int) -> None:
        """The watermark: the earliest of the first 8 events, then of each 8 in a row that were all dated after it."""
        self.times.append(time)
        if len(self.times) <= 8:
            self.watermark = min(self.watermark, time)
            if len(self.times) == 8:
                self.run: list[int] = []
        else:
            self.run = [*self.run, time] if time > self.watermark else []
            if len(self.run) == 8:
                self.watermark, self.run = min(self.run), []
        while self.recent and self.recent[0][0] < self.watermark - self.config.dedupe_hours * HOUR:
            _, key = self.recent.pop(0)
            (self.seen if len(key) == 1 else self.orders).pop(key)

    def _remember(self, key: tuple[int, ...]) -> None:
        self.recent.append((self.watermark, key))

    def _tell(self, transaction: int, status: str) -> None:
        if (transaction,) in self.seen:
            [*_, latest] = [attempt for attempt in self.attempts if attempt.transaction == transaction]
            latest.told = status

    def _quiet(self, event: Batch, attempt: Attempt) -> bool:
        if event.integers[0, INTEGERS.index("is_merchant_initiated")] == 1:
            return True
        order = int(event.order[0])
        if not order:
            return False
        key = (order, attempt.ids["card"] or attempt.ids["customer"])
        if key not in self.orders:
            self._remember(key)
            self.orders[key] = 0
            return False
        if self.orders[key] >= self.config.order_retries:
            return False
        self.orders[key] += 1
        return True

    def _measures(self, now: Attempt) -> Iterator[tuple[tuple[str, str], float]]:
        for entity, partners in PARTNERS.items():
            if now.ids[entity]:
                for measure, value in self._ring(now, entity, partners).items():
                    yield (entity, measure), value
        for entity in BUCKETED:
            if now.ids[entity]:
                mine = [a for a in self.attempts if a.ids[entity] == now.ids[entity] and entity not in a.forgotten]
                yield (entity, "active_days"), self._days(now, mine, counted=True)
        yield from self._own_rings(now)
        for pair in (("customer", "merchant"), ("customer", "device"), ("customer", "country"), ("card", "device")):
            if all(now.ids[side] for side in pair):
                mine = [a for a in self.attempts if all(a.ids[side] == now.ids[side] for side in pair)]
                days = self._days(now, mine)
                yield ("_".join(pair), "active_days"), days
                yield ("_".join(pair), "new"), float(days == 0)

    def _own_rings(self, now: Attempt) -> Iterator[tuple[tuple[str, str], float]]:
        for entity in OWN_ENTITIES:
            if now.ids[entity]:
                for measure, value in self._ring(now, entity, ("card", "customer")).items():
                    if measure.startswith(OF_RINGS):
                        yield (entity, measure), value

    def _days(self, now: Attempt, mine: list[Attempt], *, counted: bool = False) -> float:
        times = [a.counted if counted else a.time for a in mine]
        if not times or now.time - max(times) >= self.horizon:
            return 0.0
        today = now.time // DAY
        return float(len({time // DAY for time in times if 0 <= today - time // DAY < self.config.horizon_days}))

    def _ring(self, now: Attempt, entity: str, partners: tuple[str, str]) -> dict[str, float]:
        mine = [a for a in self.attempts if a.ids[entity] == now.ids[entity]]
        now.new_partner[entity] = self._is_new_today(now, mine[-self.config.ring :], partners[1])
        if entity not in ("card", *OWN_ENTITIES) and self._shared(now, entity, mine):
            return {"shared": 1.0}
        ring = [a for a in mine[-self.config.ring :] if 0 <= now.time - a.time < self.horizon]
        loud = [a for a in ring if not a.quiet]
        days = self._days(now, mine)
        values = {"shared": 0.0, "active_days": days, "new": float(days == 0)}
        for name, window in WINDOWS.items():
            inside = [a for a in loud if now.time - a.time < window]
            values[f"attempts_{name}"] = len(inside)
            values[f"declines_{name}"] = sum(a.status == "declined" for a in inside)
            spent = [a.amount for a in ring if now.time - a.time < window and a.status == "approved"]
            values[f"spend_{name}"] = sum(spent) / 1e6
            for side, partner in zip(("first", "second"), partners, strict=True):
                values[f"{side}_{name}"] = len({a.ids[partner] for a in inside} - {0})
        values["small_24h"] = sum(now.time - a.time < DAY and a.amount <= 2_000_000 for a in loud)
        values["refunds_30d"] = sum(a.status == "refunded" for a in ring)
        ages = [now.time - a.time for a in ring]
        values["hours_since_last"] = min(ages) / HOUR if ages else math.nan
        values["hours_since_first"] = max(ages) / HOUR if ages else math.nan
        for side, partner in zip(("new_first", "new_second"), partners, strict=True):
            here = now.ids[partner]
            values[side] = float(all(a.ids[partner] != here for a in ring)) if here else math.nan
        values.update(self._amounts(now, ring))
        return values

    def _amounts(self, now: Attempt, ring: list[Attempt]) -> dict[str, float]:
        """In floats, so equal to about a thousandth of a doubling."""
        if not ring:
            return {"amount_gap": math.nan, "amount_score": math.nan}
        logs = [math.log2(1 + a.amount / 2**20) for a in ring]
        gap = math.log2(1 + now.amount / 2**20) - sum(logs) / len(logs)
        spread = math.sqrt(float(np.var(logs)) + 1 / 16)
        return {"amount_gap": gap, "amount_score": gap / spread if len(ring) >= 3 else math.nan}

    def _is_new_today(self, now: Attempt, ring: list[Attempt], partner: str) -> bool:
        here = now.ids[partner]
        held = any(a.ids[partner] == here and a.time > now.time - self.horizon for a in ring)
        return here != 0 and not held

    def _shared(self, now: Attempt, entity: str, mine: list[Attempt]) -> bool:
        """Busy days among the 7 before; a late attempt of a day already closed counts for no day."""
        if not mine or now.time - max(a.time for a in mine) >= self.horizon:
            return False
        fresh: dict[int, int] = {}
        newest = -(2**62)
        for attempt in mine:
            day = attempt.time // DAY
            if day >= newest:
                newest = day
                fresh[day] = fresh.get(day, 0) + attempt.new_partner[entity]
        today = max(now.time // DAY, newest)
        busy = [day for day, count in fresh.items() if count >= self.config.degree_cap and 1 <= today - day <= 7]
        return len(busy) >= self.config.busy_days
