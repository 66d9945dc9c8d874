"""Validation of raw messages, one at a time: the definition of an event, which the readers follow.

In the order of the checks of `Reason`: bytes, JSON, fields, money, time. It is the slow road,
taken by what the fast one refuses, so it also says why.

An invalid optional field, or entry of `attributes`, is treated as missing and named: otherwise whoever fills in such a
field, often the payer himself, would decide whether his payment is scored.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

import msgspec
import numpy as np
from pydantic import OnErrorOmit, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from fraud.contracts.inbound import (
    MAX_ATTRIBUTES,
    OPTIONAL_FIELDS,
    Contract,
    InvalidEvent,
    Number,
    Outcome,
    Reason,
    Text,
    Transaction,
)
from fraud.money import Rates, parse_amount
from fraud.timestamps import to_us

MAX_BYTES: Final = 256 * 1024
"""Larger messages are refused unread."""

MAX_DEPTH: Final = 32
"""Objects and arrays inside one another, in unknown fields too; a limit of our own, since the parser's depends on the
caller's stack."""

Fields: TypeAlias = dict[str, object]
"""Known fields of one message as plain JSON values, without nulls."""

MODELS: Final[dict[object, type[Transaction | Outcome]]] = {"transaction": Transaction, "outcome": Outcome}

_ENVELOPE: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY: Final = msgspec.json.Decoder()
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape in a string; the group is there when it is half a surrogate pair."""

_NESTING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_VALID: Final = TypeAdapter(dict[OnErrorOmit[Text], OnErrorOmit[Text | Number | bool]], config=Contract.model_config)
"""Attributes -> the valid ones. Hundreds of errors are thus neither described nor raised, which would take milliseconds
an event, at the payer's choice."""

_REASONS: Final = {
    "missing": Reason.MISSING_FIELD,
    "unknown_schema": Reason.UNKNOWN_SCHEMA,
    "unknown_currency": Reason.UNKNOWN_CURRENCY,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event, and what of its message was not used.

    Attributes:
        event: by the contract.
        fields: what it was made of: the valid known fields.
        ignored: names of the optional fields that were invalid, wholly or, of `attributes`, in part; in the contract's
            order.
    """

    event: Transaction | Outcome
    fields: Fields
    ignored: tuple[str, ...]


def read(raw: bytes | None) -> Fields:
    """The known fields of a message; unknown ones are skipped, of duplicates the last counts.

    A number past double precision is read as infinite, half a surrogate pair as the null character: neither is valid in
    any field.

    Raises:
        InvalidEvent: when it is no JSON object of a known type, within the limits.
    """
    if not raw:
        raise InvalidEvent(Reason.EMPTY, "the message has no value")
    if len(raw) > MAX_BYTES:
        raise InvalidEvent(Reason.TOO_LARGE, f"{len(raw)} bytes, at most {MAX_BYTES} are read")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    if is_too_deep(raw):
        raise InvalidEvent(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    envelope = _envelope(raw)
    kind = _value(envelope["type"]) if "type" in envelope else None
    if kind is None:
        raise InvalidEvent(Reason.MISSING_FIELD, "type: Field required")
    if not isinstance(kind, str) or kind not in MODELS:
        raise InvalidEvent(Reason.UNKNOWN_TYPE, "type: must be transaction or outcome")
    known = MODELS[kind].model_fields
    fields = {name: _value(value) for name, value in envelope.items() if name in known}
    return {name: value for name, value in fields.items() if value is not None}


def contract(fields: Fields) -> Accepted:
    """The event of the fields that `read` returned, without those optional ones that are invalid.

    Of more attributes than there may be the first count.

    Raises:
        InvalidEvent: when a required field is missing or invalid; the schema version is judged first.
    """
    model, kept = MODELS[fields["type"]], dict(fields)
    ignored: set[object] = set()
    attributes = kept.get("attributes")
    if isinstance(attributes, dict):
        kept["attributes"] = valid = _VALID.validate_python(dict(islice(attributes.items(), MAX_ATTRIBUTES)))
        if len(valid) < len(attributes):
            ignored.add("attributes")
    try:
        return Accepted(model.model_validate(kept), kept, _named(ignored))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    _refuse([error for error in errors if error["loc"][0] not in OPTIONAL_FIELDS])
    for name in {str(error["loc"][0]) for error in errors}:
        ignored.add(name)
        del kept[name]
    return Accepted(model.model_validate(kept), kept, _named(ignored))


def _refuse(errors: list[ErrorDetails]) -> None:
    """Says why required fields make it no event, if there is an error in any."""
    if errors:
        first = min(errors, key=lambda error: error["type"] != "unknown_schema")
        reason = _REASONS.get(first["type"], Reason.INVALID_FIELD)
        raise InvalidEvent(reason, f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}")


def _named(ignored: Iterable[object]) -> tuple[str, ...]:
    return tuple(name for name in OPTIONAL_FIELDS if name in ignored)


def check(event: Transaction | Outcome, *, timestamp_us: int, rates: Rates, max_ahead_us: int) -> None:
    """Refuses what the contract alone cannot see.

    Raises:
        InvalidEvent: on an amount past the limit or without a rate, or a time too far after Kafka's.
    """
    try:
        charged = parse_amount(event.amount, event.currency)
    except ValueError as error:
        raise InvalidEvent(Reason.INVALID_FIELD, f"amount: {error}") from None
    time = to_us(event.event_time)
    if not rates.knows(event.currency, time):
        raise InvalidEvent(Reason.UNKNOWN_CURRENCY, f"currency: no rate for {event.currency} at the time of the event")
    if not rates.convert(np.array([charged]), [event.currency], np.array([time]))[1].all():
        raise InvalidEvent(Reason.INVALID_FIELD, f"amount: reaches 10^10 {rates.base}")
    if time > timestamp_us + max_ahead_us:
        ahead = (time - timestamp_us) // 1_000_000
        raise InvalidEvent(Reason.TOO_FAR_AHEAD, f"event_time: {ahead} s after Kafka's timestamp")


def is_too_deep(raw: bytes) -> bool:
    """Whether objects and arrays are nested deeper than the limit, brackets in strings aside."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    level = 0
    for token in _NESTING.finditer(raw):
        first = token[0][:1]
        level += (first in b"[{") - (first in b"]}")
        if level > MAX_DEPTH:
            return True
    return False


def _envelope(raw: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _ENVELOPE.decode(raw)
    except msgspec.ValidationError:
        _syntax(raw)
        raise InvalidEvent(Reason.NOT_OBJECT, "the message is JSON, but no object") from None
    except msgspec.DecodeError as error:
        whole = _ESCAPE.sub(lambda escape: rb"\u0000" if escape[1] else escape[0], raw)
        if whole != raw:
            return _envelope(whole)
        raise InvalidEvent(Reason.NOT_JSON, str(error)) from None


def _syntax(raw: bytes) -> None:
    try:
        _RAW.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidEvent(Reason.NOT_JSON, str(error)) from None


def _value(raw: msgspec.Raw) -> object:
    try:
        return _ANY.decode(raw)
    except msgspec.DecodeError:  # a number past double precision, here or further in
        pass
    try:
        return {name: _value(value) for name, value in _ENVELOPE.decode(raw).items()}
    except msgspec.DecodeError:
        return math.inf
