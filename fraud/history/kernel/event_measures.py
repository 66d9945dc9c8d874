"""A batch's columns as the kernel takes them, and the measures that one event yields by itself."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.batch import CATEGORIES, ENTITIES, INTEGERS, MISSING, Batch
from fraud.history.kernel.layout import Int
from fraud.history.kernel.measures import Scratch
from fraud.units import DAY_US, HOUR_US, MINUTE_US

FLAGS: Final = ("is_recurring", "is_guest", "is_digital", "is_merchant_initiated")
_NUMBERS: Final = (
    "amount", "cents", "is_round", "hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "account_age_hours",
    "card_age_hours", "items_count", "attempt_no", "malformed",
)  # fmt: skip
_COMPARED: Final = (
    "billing_ip_mismatch",
    "billing_card_mismatch",
    "billing_shipping_mismatch",
    "ip_card_mismatch",
    "shipping_is_billing",
)
EVENT_MEASURES: Final = (*_NUMBERS, *FLAGS, *_COMPARED, *CATEGORIES)
"""Names by position; own numbers, flags and categories follow, then of each own category its two counts."""

_FLAG_AT: Final = len(_NUMBERS)
_CATEGORY_AT: Final = _FLAG_AT + len(FLAGS) + len(_COMPARED)
_ATTRIBUTE_AT: Final = len(EVENT_MEASURES)
_AMOUNT, _MINOR_PART, _ROUND = (EVENT_MEASURES.index(name) for name in ("amount", "cents", "is_round"))
_HOUR_SIN, _HOUR_COS, _WEEKDAY_SIN, _WEEKDAY_COS = (
    EVENT_MEASURES.index(name) for name in ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
)
_ACCOUNT_AGE, _CARD_AGE, _ITEM_COUNT, _ATTEMPT, _MALFORMED = (
    EVENT_MEASURES.index(name)
    for name in ("account_age_hours", "card_age_hours", "items_count", "attempt_no", "malformed")
)
_BILLING_IP, _BILLING_CARD, _BILLING_SHIPPING, _IP_CARD, _SHIPPING_IS_BILLING = (
    EVENT_MEASURES.index(name)
    for name in (
        "billing_ip_mismatch", "billing_card_mismatch", "billing_shipping_mismatch", "ip_card_mismatch",
        "shipping_is_billing",
    )
)  # fmt: skip
_FLAGS_IN = np.array([INTEGERS.index(name) for name in FLAGS])
_CREATED, _ADDED, _OFFSET, _ITEMS, _NUMBER = (
    INTEGERS.index(name)
    for name in ("account_created_at", "card_added_at", "tz_offset_min", "items_count", "attempt_no")
)
_CENTS = INTEGERS.index("amount_cents")
_BILLING, _IP, _CARD, _SHIPPING = (
    CATEGORIES.index(name) for name in ("billing_country", "ip_country", "card_country", "shipping_country")
)
_ADDRESS = ENTITIES.index("shipping_address")
_ZERO = np.uint64(0)


def _cycle(steps: Int) -> npt.NDArray[np.float64]:
    """Sine and cosine over a cycle; rounded, so that no platform's last digit shows. Shape [steps, 2]."""
    angle = 2 * np.pi * np.arange(steps) / steps
    return np.round(np.stack([np.sin(angle), np.cos(angle)], axis=1), 6)


_DAY_CYCLE = _cycle(1440)
_WEEK_CYCLE = _cycle(7)


class Columns(NamedTuple):
    """`fraud.decoding.batch.Batch`, contiguous."""

    kind: npt.NDArray[np.uint8]
    time: npt.NDArray[np.int64]
    amount: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]
    transaction: npt.NDArray[np.uint64]
    order: npt.NDArray[np.uint64]
    billing_address: npt.NDArray[np.uint64]
    categories: npt.NDArray[np.uint32]
    integers: npt.NDArray[np.int64]
    malformed: npt.NDArray[np.uint8]
    attributes: npt.NDArray[np.float32]
    own_ids: npt.NDArray[np.uint64]
    attribute_bits: npt.NDArray[np.uint32]


_TYPES: Final = {
    "kind": np.uint8,
    "time": np.int64,
    "amount": np.int64,
    "ids": np.uint64,
    "transaction": np.uint64,
    "order": np.uint64,
    "billing_address": np.uint64,
    "categories": np.uint32,
    "integers": np.int64,
    "malformed": np.uint8,
    "attributes": np.float32,
    "own_ids": np.uint64,
}


def columns_of(batch: Batch) -> Columns:
    """The batch's columns with exactly the types and layout that the kernel was compiled for."""
    arrays = {name: np.require(getattr(batch, name), dtype, ("C", "W")) for name, dtype in _TYPES.items()}
    return Columns(**arrays, attribute_bits=arrays["attributes"].view(np.uint32))


@compiled
def _number(value: Int) -> float:
    return np.nan if value == MISSING else float(value)


@compiled
def _age(time: Int, since: Int) -> float:
    return np.nan if since == MISSING else max(time - since, 0) / float(HOUR_US)


@compiled
def _differ(left: np.uint32, right: np.uint32) -> float:
    return np.nan if left == 0 or right == 0 else (1.0 if left != right else 0.0)


@compiled
def read_event(columns: Columns, row: Int, scratch: Scratch) -> None:
    """Fill the measures that need no history."""
    values = scratch.values
    integers, categories = columns.integers[row], columns.categories[row]
    time = columns.time[row]
    cents = integers[_CENTS]
    offset = integers[_OFFSET]
    local = time if offset == MISSING else time + offset * MINUTE_US
    minute = (local % DAY_US) // MINUTE_US
    weekday = (local // DAY_US + 3) % 7
    values[_AMOUNT] = columns.amount[row] / 1_000_000.0
    values[_MINOR_PART] = _number(cents)
    values[_ROUND] = np.nan if cents == MISSING else (1.0 if cents == 0 else 0.0)
    values[_HOUR_SIN], values[_HOUR_COS] = _DAY_CYCLE[minute, 0], _DAY_CYCLE[minute, 1]
    values[_WEEKDAY_SIN], values[_WEEKDAY_COS] = _WEEK_CYCLE[weekday, 0], _WEEK_CYCLE[weekday, 1]
    values[_ACCOUNT_AGE] = _age(time, integers[_CREATED])
    values[_CARD_AGE] = _age(time, integers[_ADDED])
    values[_ITEM_COUNT] = _number(integers[_ITEMS])
    values[_ATTEMPT] = _number(integers[_NUMBER])
    values[_MALFORMED] = float(columns.malformed[row])
    for flag in range(_FLAGS_IN.size):
        values[_FLAG_AT + flag] = _number(integers[_FLAGS_IN[flag]])
    values[_BILLING_IP] = _differ(categories[_BILLING], categories[_IP])
    values[_BILLING_CARD] = _differ(categories[_BILLING], categories[_CARD])
    values[_BILLING_SHIPPING] = _differ(categories[_BILLING], categories[_SHIPPING])
    values[_IP_CARD] = _differ(categories[_IP], categories[_CARD])
    shipping, billing = columns.ids[row, _ADDRESS], columns.billing_address[row]
    values[_SHIPPING_IS_BILLING] = (
        np.nan if shipping == _ZERO or billing == _ZERO else (1.0 if shipping == billing else 0.0)
    )
    for i in range(categories.size):
        values[_CATEGORY_AT + i] = float(categories[i]) if categories[i] != 0 else np.nan
    for i in range(columns.attributes.shape[1]):
        values[_ATTRIBUTE_AT + i] = columns.attributes[row, i]
