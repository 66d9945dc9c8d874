"""What a raw message must be to count as an event."""

import json
import random
import sys

import pytest

from fraud.contracts.inbound import MAX_ATTRIBUTES, OPTIONAL_FIELDS, InvalidEvent, Reason, Transaction
from fraud.decoding import validation
from fraud.money import Rates
from fraud.timestamps import parse_time
from simulator.output.malformed import malformed, partly_invalid, valid_event

NOW = parse_time("2026-01-05T10:00:00Z")


def event(text: str = "1", /, **changes: object) -> bytes:
    """A valid event with raw JSON text in an unknown field."""
    fields = valid_event(random.Random(1), unknown="@", **changes)  # noqa: S311 - a seeded sample
    return json.dumps(fields).replace('"@"', text).encode()


def refusal(raw: bytes | None, *, rates: Rates | None = None) -> Reason | None:
    try:
        event = validation.contract(validation.read(raw)).event
        validation.check(event, timestamp_us=NOW, rates=rates or Rates.default("EUR"), max_ahead_us=0)
    except InvalidEvent as error:
        return error.reason
    return None


@pytest.mark.parametrize("raw", malformed(6, 200), ids=range(200))
def test_details_are_one_short_line(raw: bytes) -> None:
    with pytest.raises(InvalidEvent) as caught:
        validation.check(
            validation.contract(validation.read(raw)).event, timestamp_us=NOW, rates=Rates.default(), max_ahead_us=0
        )
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) < 256


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_counts_from_the_message_itself_up_to_the_limit(opening: str, closing: str) -> None:
    inside = validation.MAX_DEPTH - 1
    assert refusal(event(opening * inside + "1" + closing * inside)) is None
    assert refusal(event(opening * (inside + 1) + "1" + closing * (inside + 1))) is Reason.TOO_DEEP


def test_brackets_side_by_side_or_in_strings_are_no_depth() -> None:
    assert refusal(event("[" + "[]," * 500 + "[]]")) is None
    assert refusal(event('"' + "[{" * 500 + r"\"[[[[" + '"')) is None


def test_the_limit_of_depth_does_not_depend_on_the_callers_stack() -> None:
    def deeper(levels: int) -> Reason | None:
        if levels:
            return deeper(levels - 1)
        return refusal(event("[" * 31 + "]" * 31)) or refusal(event("[" * 400 + "]" * 400))

    assert deeper(sys.getrecursionlimit() // 2) is Reason.TOO_DEEP


def test_a_message_at_the_limit_of_size_is_read() -> None:
    rest = len(event('""'))
    assert refusal(event('"' + "x" * (validation.MAX_BYTES - rest) + '"')) is None
    assert refusal(event('"' + "x" * (validation.MAX_BYTES - rest + 1) + '"')) is Reason.TOO_LARGE


def test_unclosed_strings_and_brackets_cost_linear_time() -> None:
    assert refusal(b'{"a":"' + b'\\"[' * 60_000) is Reason.NOT_JSON
    assert refusal(b'{"a":' + b'"["' * 60_000) is Reason.NOT_JSON


def test_the_schema_version_is_judged_before_the_fields() -> None:
    assert refusal(event(schema_version="2.0", customer_id=5)) is Reason.UNKNOWN_SCHEMA


def test_a_known_currency_without_a_rate_is_unknown_to_us() -> None:
    rates = Rates.parse('{"2020-01-01": {"EUR": 1}}', "EUR")
    assert refusal(event(currency="USD"), rates=rates) is Reason.UNKNOWN_CURRENCY
    assert refusal(event(currency="EUR"), rates=rates) is None


def test_an_amount_past_the_limit_in_the_base_currency_is_refused() -> None:
    assert refusal(event(amount="9999999999", currency="KWD")) is Reason.INVALID_FIELD
    assert refusal(event(amount="9999999999", currency="EUR")) is None


def test_an_event_may_not_be_later_than_kafka_allows() -> None:
    assert refusal(event(event_time="2026-01-05T10:00:00Z")) is None
    assert refusal(event(event_time="2026-01-05T10:00:00.000001Z")) is Reason.TOO_FAR_AHEAD


def accepted(**changes: object) -> validation.Accepted:
    return validation.contract(validation.read(event(**changes)))


@pytest.mark.parametrize(("raw", "ignored"), partly_invalid(6, 80), ids=range(80))
def test_an_invalid_optional_field_is_missing_and_named(raw: bytes, ignored: tuple[str, ...]) -> None:
    read = validation.contract(validation.read(raw))
    assert read.ignored == ignored
    assert all(read.fields.get(name) is None for name in ignored if name != "attributes")


def test_every_optional_field_may_be_anything_and_no_required_one() -> None:
    for name in Transaction.model_fields:
        if name in OPTIONAL_FIELDS:
            assert accepted(**{name: {"": [1]}}).ignored == (name,)
        elif name not in {"type", "schema_version"}:
            assert refusal(event(**{name: {"": [1]}})) is Reason.INVALID_FIELD


def test_of_invalid_attributes_the_valid_entries_stay() -> None:
    read = accepted(attributes={"agent": "x" * 257, "weight": 1.5, "seen": [True], "": 1, "k" * 257: 1, "none": None})
    assert (read.fields["attributes"], read.ignored) == ({"weight": 1.5}, ("attributes",))


@pytest.mark.parametrize("entry", [[True], None, 2**70, [], "", "x" * 257, "a\0b", {"b": 1}], ids=repr)
def test_hundreds_of_invalid_attributes_leave_the_valid_one(entry: object) -> None:
    read = accepted(attributes={**{f"a{i}": entry for i in range(MAX_ATTRIBUTES - 1)}, "weight": 1.5})
    assert (read.fields["attributes"], read.ignored) == ({"weight": 1.5}, ("attributes",))


def test_of_too_many_attributes_the_first_stay() -> None:
    most = {f"a{i}": i for i in range(MAX_ATTRIBUTES)}
    assert accepted(attributes=most).ignored == ()
    read = accepted(attributes={**most, "one": "more"})
    assert (read.fields["attributes"], read.ignored) == (most, ("attributes",))


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\udfffb"', r'"\ud83d\ud83d\ude00"', r'"\udc00\ud800"', "1e400"])
def test_what_no_string_or_number_can_hold_is_missing_in_its_entry_alone(text: str) -> None:
    raw = event(attributes={"basket": "@@", "weight": 1}).replace(b'"@@"', text.encode())
    read = validation.contract(validation.read(raw))
    assert (read.fields["attributes"], read.ignored) == ({"weight": 1}, ("attributes",))
    assert refusal(event(text)) is None, "in unknown fields it does not matter"
    assert refusal(event(customer_id="@@").replace(b'"@@"', text.encode())) is Reason.INVALID_FIELD


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_what_they_were() -> None:
    raw = event(wallet="@@").replace(b"@@", rb"\ud83d\ude00\\ud800\n")
    read = validation.contract(validation.read(raw))
    assert (read.fields["wallet"], read.ignored) == ("\U0001f600\\ud800\n", ())
    both = event(wallet="@@", ip="@!").replace(b"@@", rb"\ud83d\ude00\\ud800\n").replace(b"@!", rb"\ud800")
    read = validation.contract(validation.read(both))
    assert (read.fields["wallet"], read.ignored) == ("\U0001f600\\ud800\n", ("ip",))


def test_of_duplicates_the_last_counts_also_where_it_is_invalid() -> None:
    raw = event(ip="192.0.2.1")
    assert validation.contract(validation.read(raw[:-1] + b',"ip":""}')).ignored == ("ip",)
    assert validation.contract(validation.read(b'{"ip":"",' + raw[1:])).ignored == ()


def test_a_schema_version_or_a_required_field_is_judged_whatever_the_optional_ones_hold() -> None:
    assert refusal(event(schema_version="2.0", ip="", customer_id=5)) is Reason.UNKNOWN_SCHEMA
    assert refusal(event(customer_id="", ip="")) is Reason.INVALID_FIELD
    assert refusal(event(attempt_no=-1, currency="XXX")) is Reason.UNKNOWN_CURRENCY
    outcome = {"type": "outcome", "outcome_id": "o", "kind": "declined"}
    assert accepted(**outcome, avs=5, liability="").ignored == ("avs", "liability")
    assert refusal(event(**{**outcome, "kind": "lost"})) is Reason.INVALID_FIELD
