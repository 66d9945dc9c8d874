"""Messages to rows of a batch: the compiled loop of `fraud.decoding.plain_reader`."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.compiled import compiled
from fraud.decoding.kernel.attributes import Own, category_of, id_of
from fraud.decoding.kernel.fields import (
    AT_AMOUNT,
    AT_BILLING_ADDRESS,
    AT_CARD,
    AT_CURRENCY,
    AT_CUSTOMER,
    AT_FINGERPRINT,
    AT_KIND,
    AT_ORDER,
    AT_TIME,
    AT_TRANSACTION,
    CATEGORY_IN,
    ENTITY_IN,
    INTEGER_IN,
)
from fraud.decoding.kernel.messages import F_END, F_HASH, F_KIND, F_NUMBER, F_START, Found, check, scan
from fraud.decoding.kernel.scanner import ABSENT, STRING
from fraud.decoding.kernel.values import NO_AMOUNT, amount_of, whole_of
from fraud.decoding.kernel.words import Words
from fraud.decoding.kernel.xxh3 import Bytes, Int

LETTERS: Final = 26
TOLD: Final = (AT_TRANSACTION, AT_CUSTOMER, AT_TIME)
"""Fields whose places are kept: decisions repeat their texts."""

_A = ord("A")


class Plan(NamedTuple):
    """What does not change from batch to batch.

    Attributes:
        names: of the fields, numbered as in `fields`.
        words: of all enumerations.
        meanings: see `messages.check`.
        outcome: likewise.
        max_text: characters of a text.
        own: of the entries of `attributes`.
        found: scratch, see `messages.FOUND`.
        currencies: int64 [26^3], a code's column in `table`, the last one for what is none.
        minor: int64 [columns], micro-units in a currency's minor unit; 0 where it is none.
        table: float64 [dates, columns], as `fraud.money.Rates.table`.
        since: int64 [dates], as `fraud.money.Rates.since`.
        base: column of the base currency.
        max_bytes: of a message.
        max_micro: amounts are below it.
        max_minor: integer amounts are at most that.
    """

    names: Words
    words: Words
    meanings: npt.NDArray[np.int64]
    outcome: int
    max_text: int
    own: Own
    found: npt.NDArray[np.int64]
    currencies: npt.NDArray[np.int64]
    minor: npt.NDArray[np.int64]
    table: npt.NDArray[np.float64]
    since: npt.NDArray[np.int64]
    base: int
    max_bytes: int
    max_micro: int
    max_minor: int


class Rows(NamedTuple):
    """The columns of `fraud.decoding.batch.Batch` to be filled, and where texts of each message stand.

    Attributes:
        told: int64 [n, len(TOLD), 2], start and end in the bytes.
    """

    kind: npt.NDArray[np.uint8]
    time: npt.NDArray[np.int64]
    amount: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]
    transaction: npt.NDArray[np.uint64]
    order: npt.NDArray[np.uint64]
    billing_address: npt.NDArray[np.uint64]
    categories: npt.NDArray[np.uint32]
    integers: npt.NDArray[np.int64]
    attributes: npt.NDArray[np.float32]
    own_ids: npt.NDArray[np.uint64]
    told: npt.NDArray[np.int64]


@compiled
def read_rows(
    data: Bytes,
    ends: npt.NDArray[np.int64],
    latest: npt.NDArray[np.int64],
    plan: Plan,
    rows: Rows,
    plain: npt.NDArray[np.bool_],
) -> None:
    """Reads n messages that stand one after another.

    Args:
        data: their bytes.
        ends: int64 [n + 1], where each one ends; the first one begins at `ends[0]`.
        latest: int64 [n], µs that an event's time may not pass.
        plan: see there.
        rows: filled where a message is plain.
        plain: bool [n], filled: whether it is.
    """
    found = plan.found
    for row in range(len(plain)):
        plain[row] = False
        if ends[row + 1] - ends[row] > plan.max_bytes:
            continue
        if not scan(
            data, ends[row], ends[row + 1], plan.names, found, plan.own, rows.attributes, rows.own_ids, row
        ) or not check(data, found, plan.words, plan.meanings, plan.outcome, plan.max_text, plan.own.masks):
            continue
        time = found[AT_TIME, F_NUMBER]
        currency = _currency(data, found, plan.currencies)
        charged = _charged(data, found, plan.minor[currency], plan.max_minor, plan.max_micro)
        amount = charged
        if currency != plan.base and charged >= 0:
            amount = _converted(charged, plan.table[_date(plan.since, time), currency], plan.max_micro)
        if time > latest[row] or amount < 0:
            continue
        rows.kind[row] = max(0, found[AT_KIND, F_NUMBER])  # transactions have none
        rows.time[row], rows.amount[row] = time, amount
        found[AT_AMOUNT, F_NUMBER] = charged % 1_000_000 // 10_000
        rows.transaction[row] = _id(found, AT_TRANSACTION)
        rows.order[row] = _id(found, AT_ORDER)
        rows.billing_address[row] = _id(found, AT_BILLING_ADDRESS)
        for place in range(len(ENTITY_IN)):
            rows.ids[row, place] = _id(found, ENTITY_IN[place])
        for place in range(len(CATEGORY_IN)):
            field = CATEGORY_IN[place]
            is_absent = found[field, F_KIND] == ABSENT
            rows.categories[row, place] = 0 if is_absent else category_of(np.uint64(found[field, F_HASH]))
        for place in range(len(INTEGER_IN)):
            rows.integers[row, place] = found[INTEGER_IN[place], F_NUMBER]
        for place in range(len(TOLD)):
            rows.told[row, place, 0] = found[TOLD[place], F_START]
            rows.told[row, place, 1] = found[TOLD[place], F_END]
        plain[row] = True


@compiled
def _id(found: Found, field: Int) -> np.uint64:
    """The hash of an id, 0 where it is absent; the fingerprint names the card where there is one."""
    if field == AT_CARD and found[AT_FINGERPRINT, F_KIND] != ABSENT:
        field = AT_FINGERPRINT
    return np.uint64(0) if found[field, F_KIND] == ABSENT else id_of(np.uint64(found[field, F_HASH]))


@compiled
def _currency(data: Bytes, found: Found, currencies: npt.NDArray[np.int64]) -> Int:
    """Column of the currency in the table; -1, the last one, where it is none."""
    start = found[AT_CURRENCY, F_START]
    if found[AT_CURRENCY, F_END] - start != 3:
        return -1
    code: Int = 0
    for place in range(3):
        letter = np.int64(data[start + place]) - _A
        if letter < 0 or letter >= LETTERS:
            return -1
        code = code * LETTERS + letter
    return currencies[code]


@compiled
def _charged(data: Bytes, found: Found, minor: Int, max_minor: Int, max_micro: Int) -> Int:
    """Micro-units of the charged currency; NO_AMOUNT where the amount is none."""
    start, end = found[AT_AMOUNT, F_START], found[AT_AMOUNT, F_END]
    if found[AT_AMOUNT, F_KIND] == STRING:
        return amount_of(data, start, end)
    number = whole_of(data, start, end)
    if number < 0 or number > max_minor or minor == 0 or number >= max_micro // minor:
        return NO_AMOUNT
    return number * minor


@compiled
def _date(since: npt.NDArray[np.int64], time: Int) -> Int:
    """The row of the table that holds at a time."""
    held = 0
    for date in range(1, len(since)):
        if since[date] <= time:
            held = date
    return held


@compiled
def _converted(charged: Int, rate: float, max_micro: Int) -> Int:
    """`fraud.money.Rates.convert` of one amount; NO_AMOUNT where there is no rate, or the result is too large."""
    converted = np.rint(charged * rate)
    return np.int64(converted) if converted < max_micro else NO_AMOUNT  # what is no number is not below
