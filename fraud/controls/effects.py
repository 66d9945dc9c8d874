"""From what the model's policy chose to what is done: rules and conditions, in a fixed order of precedence.

    1. block rules and conditions
    2. allow rules and conditions, each up to its own ceilings
    3. rules and conditions that raise the action, to challenge or review
    4. what the policy chose

A rule changes the action only. One that cannot be computed for a payment, or asks for what the shop cannot do, does
nothing there and is counted. Shadow rules are evaluated alike and counted apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.contracts.controls import Control
from fraud.decisions.policy import ACTIONS, ALLOW
from fraud.decoding.batch import hash_id
from fraud.money import MICRO
from fraud.timestamps import to_us

BLOCK: Final = ACTIONS.index("block")
ALWAYS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
UInt8s: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Payments:
    """n payments that the policy has decided on.

    Attributes:
        time: int64 [n], event times in µs.
        amount: int64 [n], micro-units of the base currency.
        score: float64 [n], NaN where the model gave none.
        customer: uint64 [n], hashed customer ids.
        model_action: uint8 [n], index into `ACTIONS`: what the policy chose.
        possible: actions that the shop can take.
        hashes: of a field's texts, uint64 [n], 0 where absent; KeyError where there is no such field.
    """

    time: Int64s
    amount: Int64s
    score: Float64s
    customer: UInt64s
    model_action: UInt8s
    possible: frozenset[int]
    hashes: Callable[[str], UInt64s]

    def __len__(self) -> int:
        return len(self.time)


Hits: TypeAlias = Callable[[], tuple[Bools, Bools]]
"""Where an expression is true of the payments at hand, and where it could be computed; bool, [n] or [1]."""


def nowhere() -> tuple[Bools, Bools]:
    """Of what cannot be computed for any payment."""
    return np.zeros(1, np.bool_), np.zeros(1, np.bool_)


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule or condition, ready to act.

    Attributes:
        name: `id@version`.
        control_id: the id alone.
        hits: where its expression is true.
        effect: index into `ACTIONS`.
        span: event times in µs from which on, and until which, it acts.
        share: of customers.
        max_amount: of an allow rule, units of the base currency.
        max_score: of an allow rule.
        shadow: whether it is only counted.
        why: its reason, as its author gave it.
    """

    name: str
    control_id: str
    hits: Hits
    effect: int
    span: tuple[int, int] = ALWAYS
    share: float = 1.0
    max_amount: float | None = None
    max_score: float | None = None
    shadow: bool = False
    why: str = ""

    def fires(self, payments: Payments) -> tuple[Bools, int]:
        """Where it fires, bool [n], and for how many payments it could not be computed."""
        asked = active(self.span, payments.time)
        if self.share < 1:
            asked &= drawn(self.control_id, payments.customer) < self.share
        if self.max_amount is not None:
            asked &= payments.amount <= round(self.max_amount * MICRO)
        if self.max_score is not None:
            asked &= payments.score <= self.max_score
        if not asked.any():
            return asked, 0
        if self.effect not in payments.possible:
            return np.zeros(len(payments), np.bool_), int(np.count_nonzero(asked))
        hit, computed = self.hits()
        return asked & hit & computed, int(np.count_nonzero(asked & ~computed))


@dataclass(frozen=True, slots=True)
class Ruled:
    """What controls make of n payments.

    Attributes:
        action: uint8 [n], index into `ACTIONS`.
        ruled: bool [n], where a rule or condition acted, whether or not the action changed: no lot is drawn there.
        fired: name -> bool [n], of those that acted; only those that fired at all.
        shadow: the same of those that are only counted.
        uncomputed: name -> payments that it could not be computed for; only where there are any.
        why: name -> reason, of those that acted.
    """

    action: UInt8s
    ruled: Bools
    fired: Mapping[str, Bools]
    shadow: Mapping[str, Bools]
    uncomputed: Mapping[str, int]
    why: Mapping[str, str]

    def names(self, *, shadow: bool = False) -> list[tuple[str, ...] | None]:
        """Of each payment the names of what acted on it, or would have, in the order of the rules; None for none."""
        found: list[tuple[str, ...] | None] = [None] * len(self.action)
        for name, hit in (self.shadow if shadow else self.fired).items():
            for row in np.flatnonzero(hit).tolist():
                found[row] = (*(found[row] or ()), name)
        return found

    def rows(self, start: int, stop: int) -> "Ruled":
        """What they make of some consecutive payments."""
        part = slice(start, stop)
        return Ruled(
            self.action[part],
            self.ruled[part],
            {name: rows[part] for name, rows in self.fired.items() if rows[part].any()},
            {name: rows[part] for name, rows in self.shadow.items() if rows[part].any()},
            self.uncomputed if start == 0 else {},
            self.why,
        )


def apply_rules(rules: Sequence[ActiveRule], payments: Payments) -> Ruled:
    """The actions of n payments under these rules, in whatever order they are given."""
    fired: dict[str, Bools] = {}
    shadow: dict[str, Bools] = {}
    uncomputed: dict[str, int] = {}
    why: dict[str, str] = {}
    none = np.zeros(len(payments), np.bool_)
    raised = payments.model_action.copy()
    allowed, blocked, ruled = none.copy(), none.copy(), none.copy()
    for rule in rules:
        hit, failed = rule.fires(payments)
        if failed:
            uncomputed[rule.name] = failed
        if not hit.any():
            continue
        if rule.shadow:
            shadow[rule.name] = hit
            continue
        fired[rule.name], why[rule.name] = hit, rule.why
        ruled |= hit
        if rule.effect == BLOCK:
            blocked |= hit
        elif rule.effect == ALLOW:
            allowed |= hit
        else:
            raised[hit] = np.maximum(raised[hit], rule.effect)
    action = np.where(blocked, BLOCK, np.where(allowed, ALLOW, raised)).astype(np.uint8)
    return Ruled(action, ruled, fired, shadow, uncomputed, why)


def active(span: tuple[int, int], time_us: Int64s) -> Bools:
    """Where event times lie within a control's validity, [start, end)."""
    if span == ALWAYS:
        return np.ones(len(time_us), np.bool_)
    start, end = span
    return np.asarray((time_us >= start) & (time_us < end))


def span_of(control: Control) -> tuple[int, int]:
    """Event times in µs from which on, and until which, a control acts."""
    start, end = ALWAYS
    return (
        start if control.valid_from is None else to_us(control.valid_from),
        end if control.valid_until is None else to_us(control.valid_until),
    )


def drawn(control_id: str, customer: UInt64s) -> Float64s:
    """A number in [0, 1) of each customer for one control: the same every time, and independent between controls.

    The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over the customer's hash and the control's.
    """
    mixed = customer ^ np.uint64(hash_id(control_id))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)) / 2.0**53, np.float64)
