"""Card numbers in events: found by tests that cost next to nothing where there are none, masked in place."""

from collections.abc import Mapping, Sequence
from typing import Final

from fraud.contracts.fields import FIELD, SEARCHED, FieldType
from fraud.contracts.inbound import MAX_TEXT
from fraud.decoding.batch_columns import Columns
from fraud.decoding.structs import Event
from fraud.privacy.card_numbers import SHORTEST, Token, is_pan, mask_plain, mask_text, may_hold_pan, whole_digits

TRACE_HEADERS: Final = frozenset({"x-datadog-trace-id", "x-datadog-parent-id"})
"""Exempt headers: ids of tracing, written as decimal numbers."""


def mask_events(events: Sequence[Event], columns: Columns, token: Token) -> int:
    """Replaces the card numbers in n events, whose columns are given; returns how many there were."""
    suspects = _in_attributes(columns["attributes"])
    for name in SEARCHED:
        search = _in_tokens if FIELD[name].type is FieldType.TOKEN else _in_texts
        suspects |= search(columns.get(name, ()))
    return sum(_mask_event(events[row], token) for row in sorted(suspects))


def _in_tokens(values: Sequence[str | None]) -> set[int]:
    """Rows whose token may be a number; most tokens are not, so one search over all of them is cheapest."""
    if not may_hold_pan("x".join(filter(None, values))):
        return set()
    return {row for row, value in enumerate(values) if value and may_hold_pan(value)}


def _in_texts(values: Sequence[str | None]) -> set[int]:
    """Rows of a column of few distinct, short values that are long enough."""
    long = {value for value in set(values) if value and len(value) >= SHORTEST and may_hold_pan(value)}
    return {row for row, value in enumerate(values) if value in long} if long else set()


def _in_attributes(values: Sequence[Mapping[str, str | float] | None]) -> set[int]:
    present = [(row, attributes) for row, attributes in enumerate(values) if attributes]
    names = {name for name in set().union(*(attributes for _, attributes in present)) if is_suspect(name)}
    return {
        row
        for row, attributes in present
        if any(map(is_suspect, attributes.values())) or not names.isdisjoint(attributes)
    }


def is_suspect(value: str | float) -> bool:
    """Whether an attribute's name or value may hold a card number."""
    return len(value) >= SHORTEST and may_hold_pan(value) if isinstance(value, str) else whole_digits(value) != ""


def _mask_event(event: Event, token: Token) -> int:
    masked = 0
    for name in SEARCHED:
        text = getattr(event, name, None)
        if text:
            held, count = mask_value(text, token)
            setattr(event, name, held)
            masked += count
    if event.attributes:
        attributes = {}
        for name, value in event.attributes.items():
            (shown, in_name), (held, in_value) = mask_value(name, token), mask_value(value, token)
            attributes[str(shown)] = held
            masked += in_name + in_value
        event.attributes = attributes
    return masked


def mask_value(value: str | float, token: Token) -> tuple[str | float, int]:
    """A field's or an attribute's value without card numbers, and how many there were.

    A whole number, of whatever sign, is looked at as its digits; one that is a card number becomes the token's text.
    """
    if isinstance(value, str):
        text, count = mask_text(value, token)
        return text[:MAX_TEXT], count
    digits = whole_digits(value)
    return (token(digits), 1) if is_pan(digits) else (value, 0)


def mask_headers(headers: Sequence[tuple[str, bytes]], token: Token) -> tuple[list[tuple[str, bytes]], int]:
    """A record's headers without card numbers in names and values, and how many there were; tracing's ids are left."""
    kept, masked = [], 0
    for name, value in headers:
        if name.lower() in TRACE_HEADERS:
            kept.append((name, value))
            continue
        (shown, in_name), (held, in_value) = mask_text(name, token), mask_plain(value, token)
        kept.append((shown, held))
        masked += in_name + in_value
    return kept, masked
