"""What a raw message must be to count as an event."""

import json
import random
import sys

import pytest

from fraud import validation
from fraud.events import InvalidEvent, Reason
from fraud.money import Rates
from fraud.times import parse_time
from training.simulate.malformed import malformed, valid_event

NOW = parse_time("2026-01-05T10:00:00Z")


def event(text: str = "1", **changes: object) -> bytes:
    """A valid event with raw JSON text in an unknown field."""
    fields = valid_event(random.Random(1), unknown="@", **changes)  # noqa: S311 - a seeded sample
    return json.dumps(fields).replace('"@"', text).encode()


def refusal(raw: bytes | None, *, rates: Rates | None = None) -> Reason | None:
    try:
        model = validation.contract(validation.read(raw))
        validation.check(model, timestamp_us=NOW, rates=rates or Rates.default("EUR"), max_ahead_us=0)
    except InvalidEvent as error:
        return error.reason
    return None


@pytest.mark.parametrize("raw", malformed(6, 200), ids=range(200))
def test_details_are_one_short_line(raw: bytes) -> None:
    with pytest.raises(InvalidEvent) as caught:
        validation.check(
            validation.contract(validation.read(raw)), timestamp_us=NOW, rates=Rates.default(), max_ahead_us=0
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
