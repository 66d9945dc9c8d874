"""Times on the wire."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.timestamps import parse_time, parse_times, to_datetime, to_us

DIGITS = "0123456789"


@st.composite
def almost_times(draw: st.DrawFn) -> str:
    """Texts on both sides of the grammar: real times of every layout, some with one character changed."""
    moment = draw(st.datetimes(datetime(1890, 1, 1), datetime(2210, 1, 1)))  # noqa: DTZ001 - local part of a text
    fraction = draw(st.text(DIGITS, max_size=10))
    zone = draw(st.sampled_from(["Z", "Z", "+00:00", "-05:30", "+14:00", "+24:00", "+10:60", "", "z", "+0100"]))
    text = moment.isoformat(timespec="seconds") + (f".{fraction}" if fraction else "") + zone
    if draw(st.booleans()):
        return text
    place = draw(st.integers(0, len(text) - 1))
    return text[:place] + draw(st.sampled_from(" 0369-:.,TZ+é٣")) + text[place + 1 :]


@given(st.lists(almost_times(), min_size=1, max_size=8))
def test_a_column_of_times_is_read_like_each_text_alone(texts: list[str]) -> None:
    times, valid = parse_times(texts)
    for text, time, good in zip(texts, times.tolist(), valid.tolist(), strict=True):
        if good:
            assert parse_time(text) == time
        else:
            with pytest.raises(ValueError, match=r"ISO 8601|no such|offset"):
                parse_time(text)


def format_time(micros: int) -> str:
    """The wire form, always with six fractional digits and Z, so that equal times are equal text."""
    return to_datetime(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")


@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)))  # noqa: DTZ001 - hypothesis wants them naive
def test_a_time_survives_writing_and_reading(moment: datetime) -> None:
    micros = to_us(moment.replace(tzinfo=UTC))
    assert parse_time(format_time(micros)) == micros
    assert to_datetime(micros) == moment.replace(tzinfo=UTC)
    times, valid = parse_times([format_time(micros)])
    assert valid.all()
    assert times.tolist() == [micros]


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T18:30:00.5-05:30", 500_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
    ],
)
def test_offsets_and_fractions_count(text: str, micros: int) -> None:
    assert parse_time(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z",
        "1899-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-01-01 00:00:00Z", "1767225600", "",
        "2026-01-01T00:00:00Z\n",
    ],
)  # fmt: skip
def test_a_text_without_offset_or_without_such_a_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|no such|offset"):
        parse_time(text)
    assert not parse_times([text])[1].any()


@pytest.mark.parametrize("rows", [500, 501, 2_000])
def test_one_date_that_does_not_exist_is_refused_however_many_are_beside_it(rows: int) -> None:
    texts = ["2026-01-31T00:00:00Z"] * rows
    texts[rows // 2] = "2026-02-30T00:00:00Z"  # numpy's parser ends the process at this, from 501 texts on
    _, valid = parse_times(texts)
    assert [row for row, good in enumerate(valid.tolist()) if not good] == [rows // 2]
