"""What a raw message must be to count as an event: the definition that the fast reader in `fraud.decode` follows.

One message at a time, in the order of the checks of `Reason`: bytes, JSON, fields, money, time. It is the slow road,
taken by what the fast one refuses, so it also says why.
"""

import re
from typing import Final, TypeAlias

import msgspec
import numpy as np
from pydantic import ValidationError

from fraud.events import InvalidEvent, Outcome, Reason, Transaction
from fraud.money import Rates, parse_amount
from fraud.times import to_us

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
_NESTING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_REASONS: Final = {
    "missing": Reason.MISSING_FIELD,
    "unknown_schema": Reason.UNKNOWN_SCHEMA,
    "unknown_currency": Reason.UNKNOWN_CURRENCY,
}


def read(raw: bytes | None) -> Fields:
    """The known fields of a message; unknown ones are skipped, of duplicates the last counts.

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
    kind = _value("type", envelope["type"]) if "type" in envelope else None
    if kind is None:
        raise InvalidEvent(Reason.MISSING_FIELD, "type: Field required")
    if not isinstance(kind, str) or kind not in MODELS:
        raise InvalidEvent(Reason.UNKNOWN_TYPE, "type: must be transaction or outcome")
    known = MODELS[kind].model_fields
    fields = {name: _value(name, value) for name, value in envelope.items() if name in known}
    return {name: value for name, value in fields.items() if value is not None}


def contract(fields: Fields) -> Transaction | Outcome:
    """The event of the fields that `read` returned.

    Raises:
        InvalidEvent: when a field is missing or invalid; the schema version is judged first.
    """
    try:
        return MODELS[fields["type"]].model_validate(fields)
    except ValidationError as error:
        errors = sorted(
            error.errors(include_url=False, include_input=False), key=lambda e: e["type"] != "unknown_schema"
        )
        name = str(errors[0]["loc"][0])
        reason = _REASONS.get(errors[0]["type"], Reason.INVALID_FIELD)
        raise InvalidEvent(reason, f"{name}: {errors[0]['msg'].removeprefix('Value error, ')}") from None


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
        raise InvalidEvent(Reason.NOT_JSON, str(error)) from None


def _syntax(raw: bytes) -> None:
    try:
        _RAW.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidEvent(Reason.NOT_JSON, str(error)) from None


def _value(name: str, raw: msgspec.Raw) -> object:
    try:
        return _ANY.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidEvent(Reason.INVALID_FIELD, f"{name}: {str(error).split(' - at')[0]}") from None
