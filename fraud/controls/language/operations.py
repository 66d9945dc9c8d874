# ruff: noqa: ARG001, ARG005 - all operations are called alike
"""What each operation of a rule does to columns.

A comparison with something missing is neither true nor false; so is a division by zero. `and` is false where any part
is false, whatever else is missing, and `or` true where any is true: as in CEL, in no order of evaluation.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias, cast

import numpy as np

from fraud.controls.language.columns import Bools, Network, Numbers, Texts, Truth
from fraud.decoding.batch import hash_id
from fraud.units import DAY_US, HOUR_US, MINUTE_US

Value: TypeAlias = Numbers | Truth | Texts
_FEW: Final = 8
"""So many values of `in (…)` are compared one by one; more are looked up in a sorted array."""
_FIRST_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday, three days after a Monday."""


class Facts(Protocol):
    """What rules read of n payments. A column is asked for once in an evaluation."""

    def __len__(self) -> int:
        """How many payments."""

    def numbers(self, name: str) -> Numbers:
        """A number, money in units of the base currency, or a time in µs; of a bool 0 and 1."""

    def texts(self, name: str) -> Texts:
        """A text."""

    def in_list(self, name: str, held: str) -> Bools:
        """Whether list `name` has, at the time of each payment, the text of column `held`; bool [n]."""

    def rate(self, currency: str) -> Numbers:
        """Units of the base currency for one of `currency` at the time of each payment."""


_Operation: TypeAlias = Callable[[Facts, object, tuple[Value, ...]], Value]


def _ordered(compare: Callable[..., Bools], inverse: Callable[..., Bools]) -> _Operation:
    def run(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
        left, right = cast("tuple[Numbers, Numbers]", parts)
        true = compare(left.values, right.values)
        return Truth(true, None if left.complete and right.complete else inverse(left.values, right.values))

    return run


def _equal(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    left, right = parts
    if isinstance(left, Truth) and isinstance(right, Truth):
        same = (left.true & right.true) | (left.untrue & right.untrue)
        return Truth(same, (left.true & right.untrue) | (left.untrue & right.true))
    if isinstance(left, Texts) and isinstance(right, Texts):
        complete = left.complete and right.complete
        same = left.hashes == right.hashes
        if complete:
            return Truth(same, None)
        known = (left.hashes != 0) & (right.hashes != 0)
        return Truth(same & known, ~same & known)
    one, other = cast("tuple[Numbers, Numbers]", parts)
    same = np.equal(one.values, other.values)
    if one.complete and other.complete:
        return Truth(same, None)
    return Truth(same, np.less(one.values, other.values) | np.greater(one.values, other.values))


def _arithmetic(compute: Callable[..., object]) -> _Operation:
    def run(facts: Facts, value: object, parts: tuple[Value, ...]) -> Numbers:
        operands = [cast("Numbers", part).values for part in parts]
        with np.errstate(all="ignore"):
            return Numbers.of(np.asarray(compute(*operands), np.float64))

    return run


def _negate(truth: Truth) -> Truth:
    return Truth(~truth.true, None) if truth.false is None else Truth(truth.false, truth.true)


def _all(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    truths = cast("tuple[Truth, ...]", parts)
    true = _fold(np.logical_and, [truth.true for truth in truths])
    if all(truth.false is None for truth in truths):
        return Truth(true, None)
    return Truth(true, _fold(np.logical_or, [truth.untrue for truth in truths]))


def _any(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    truths = cast("tuple[Truth, ...]", parts)
    true = _fold(np.logical_or, [truth.true for truth in truths])
    if all(truth.false is None for truth in truths):
        return Truth(true, None)
    return Truth(true, _fold(np.logical_and, [truth.untrue for truth in truths]))


def _fold(join: np.ufunc, masks: list[Bools]) -> Bools:
    """All masks joined, in one new array."""
    made: Bools = join(masks[0], masks[1])
    for mask in masks[2:]:
        made = join(made, mask)
    return made


def _not(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    return _negate(cast("Truth", parts[0]))


def _of_texts(true: Bools, texts: Texts) -> Truth:
    """A truth about texts that is unknown where they are missing."""
    return Truth(true, None if texts.complete else ~true & (texts.hashes != 0))


def _among_texts(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    texts = cast("Texts", parts[0])
    wanted = np.array([hash_id(text) for text in cast("tuple[str, ...]", value)], np.uint64)
    if len(wanted) > _FEW:
        return _of_texts(np.isin(texts.hashes, wanted), texts)
    true = texts.hashes == wanted[0]
    for one in wanted[1:]:
        true |= texts.hashes == one
    return _of_texts(true, texts)


def _among_numbers(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    numbers = cast("Numbers", parts[0])
    true = np.isin(numbers.values, np.array(cast("tuple[float, ...]", value), np.float64))
    return Truth(true, None if numbers.complete else ~true & ~np.isnan(numbers.values))


def _in_list(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    name, held = cast("tuple[str, str]", value)
    texts = cast("Texts", parts[0])
    return _of_texts(facts.in_list(name, held), texts)


def _in_networks(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    addresses = cast("Texts", parts[0]).addresses
    true = np.zeros(len(facts), np.bool_)
    for network in cast("tuple[Network, ...]", value):
        true |= addresses.within(network)
    return Truth(true, ~true & addresses.valid)


def _starts(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    texts, prefix = cast("Texts", parts[0]), cast("str", value)
    return _of_texts(texts.is_any(lambda text: text.startswith(prefix)), texts)


def _lower(facts: Facts, value: object, parts: tuple[Value, ...]) -> Texts:
    return cast("Texts", parts[0]).changed(str.lower)


def _has(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    (held,) = parts
    if isinstance(held, Texts):
        return Truth(held.hashes != 0, None)
    if isinstance(held, Truth):
        return Truth(np.ones(len(facts), np.bool_) if held.false is None else held.true | held.false, None)
    return Truth(~np.isnan(np.broadcast_to(held.values, len(facts))), None)


def _flag(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    held = facts.numbers(cast("str", value))
    true = np.equal(held.values, 1.0)
    return Truth(true, None if held.complete else np.equal(held.values, 0.0))


def _constant_text(facts: Facts, value: object, parts: tuple[Value, ...]) -> Texts:
    text = cast("str", value)
    return Texts([text] * len(facts), np.full(len(facts), hash_id(text), np.uint64))


def _constant_bool(facts: Facts, value: object, parts: tuple[Value, ...]) -> Truth:
    return Truth(np.full(len(facts), bool(value)), None)


def _exchanged(facts: Facts, value: object, parts: tuple[Value, ...]) -> Numbers:
    units, currency = cast("tuple[float, str]", value)
    return Numbers.of(np.asarray(facts.rate(currency).values * units, np.float64))


def _local(compute: Callable[..., object]) -> _Operation:
    """Of a time and an offset in minutes; without one, UTC."""

    def run(facts: Facts, value: object, parts: tuple[Value, ...]) -> Numbers:
        time, offset = cast("tuple[Numbers, Numbers]", parts)
        return Numbers.of(np.asarray(compute(time.values + np.nan_to_num(offset.values) * MINUTE_US), np.float64))

    return run


OPERATIONS: Final[Mapping[str, _Operation]] = {
    "constant": lambda facts, value, parts: Numbers(cast("float", value), True),
    "constant_text": _constant_text,
    "constant_bool": _constant_bool,
    "money": _exchanged,
    "numbers": lambda facts, value, parts: facts.numbers(cast("str", value)),
    "texts": lambda facts, value, parts: facts.texts(cast("str", value)),
    "flag": _flag,
    "<": _ordered(np.less, np.greater_equal),
    "<=": _ordered(np.less_equal, np.greater),
    ">": _ordered(np.greater, np.less_equal),
    ">=": _ordered(np.greater_equal, np.less),
    "==": _equal,
    "and": _all,
    "or": _any,
    "not": _not,
    "+": _arithmetic(np.add),
    "-": _arithmetic(np.subtract),
    "*": _arithmetic(np.multiply),
    "/": _arithmetic(np.divide),
    "negative": _arithmetic(np.negative),
    "abs": _arithmetic(np.abs),
    "among_texts": _among_texts,
    "among_numbers": _among_numbers,
    "in_list": _in_list,
    "in_networks": _in_networks,
    "startswith": _starts,
    "lower": _lower,
    "has": _has,
    "hour": _local(lambda local: local % DAY_US // HOUR_US),
    "weekday": _local(lambda local: (local // DAY_US + _FIRST_WEEKDAY) % 7 + 1),
    "hours": _arithmetic(lambda span: span / HOUR_US),
}
