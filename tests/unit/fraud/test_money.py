"""Money as charged and in the base currency."""

import numpy as np
import pytest

from fraud.money import MAX_MICRO, MINOR_DIGITS, InvalidRates, Rates, minor_to_micro, parse_amount
from fraud.timestamps import parse_time

NEW_YEAR = parse_time("2025-01-01T00:00:00Z")


def convert(rates: Rates, micro: int, currency: str, time: int = NEW_YEAR) -> int:
    base, valid = rates.convert(np.array([micro]), [currency], np.array([time]))
    assert valid.all()
    return int(base[0])


@pytest.mark.parametrize(
    ("amount", "currency", "micro"),
    [
        ("12.50", "EUR", 12_500_000),
        ("0", "EUR", 0),
        ("0.000001", "EUR", 1),
        ("9999999999.999999", "EUR", MAX_MICRO - 1),
        (1250, "EUR", 12_500_000),
        (1250, "JPY", 1_250_000_000),
        (1250, "KWD", 1_250_000),
    ],
)
def test_a_string_counts_major_and_an_integer_minor_units(amount: str | int, currency: str, micro: int) -> None:
    assert parse_amount(amount, currency) == micro


@pytest.mark.parametrize(
    "amount", ["-1", "1e3", "nan", " 1", "1.0000001", "10000000000", "", "1_0", "١", -1, 10**13, "1\n"]
)
def test_an_amount_that_is_negative_too_large_or_no_plain_decimal_is_refused(amount: str | int) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_amount(amount, "EUR")


def test_the_base_currency_stays_exact_up_to_the_largest_amount() -> None:
    rates = Rates.default("USD")
    mixed, valid = rates.convert(np.array([MAX_MICRO - 1, 1]), ["USD", "EUR"], np.array([NEW_YEAR, NEW_YEAR]))
    assert valid.all()
    assert mixed.tolist() == [MAX_MICRO - 1, 1]


def test_a_column_converts_like_its_rows_alone() -> None:
    rates = Rates.default("EUR")
    codes = sorted(rates.codes)
    micro = np.arange(len(codes)) * 1_234_567
    together, valid = rates.convert(micro, codes, np.full(len(codes), NEW_YEAR))
    assert valid.all()
    assert together.tolist() == [convert(rates, int(m), code) for m, code in zip(micro, codes, strict=True)]


def test_the_rate_is_that_of_the_events_date() -> None:
    rates = Rates.parse('{"2024-01-01": {"USD": 1, "EUR": 1.1}, "2025-01-01": {"EUR": 1.2}}', "USD")
    assert convert(rates, 1_000_000, "EUR", NEW_YEAR - 1) == 1_100_000
    assert convert(rates, 1_000_000, "EUR", NEW_YEAR) == 1_200_000
    assert convert(rates, 1_000_000, "EUR", 0) == 1_100_000, "before the first date the first rate holds"


def test_a_currency_is_known_from_its_first_date_on() -> None:
    rates = Rates.parse('{"2024-01-01": {"USD": 1}, "2025-01-01": {"EUR": 1.2}}', "USD")
    assert rates.knows("EUR", NEW_YEAR)
    assert not rates.knows("EUR", NEW_YEAR - 1)
    assert not rates.knows("GBP", NEW_YEAR)


def test_an_amount_without_a_rate_or_past_the_limit_is_refused() -> None:
    rates = Rates.parse('{"2024-01-01": {"USD": 1}, "2025-01-01": {"EUR": 1.2}}', "USD")
    times = np.array([NEW_YEAR - 1, NEW_YEAR, NEW_YEAR])
    base, valid = rates.convert(np.array([1, MAX_MICRO - 1, 5]), ["EUR", "EUR", "EUR"], times)
    assert valid.tolist() == [False, False, True]
    assert base.tolist() == [0, 0, 6]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "not JSON"),
        ("[]", "must look like"),
        ("{}", "no date"),
        ('{"soon": {"USD": 1}}', "no date like"),
        ('{"2024-01-01": {"USD": 0}}', "positive"),
        ('{"2024-01-01": {"USD": true}}', "positive"),
        ('{"2024-01-01": {"USD": 1, "XXX": 1}}', "ISO 4217"),
        ('{"2024-01-01": {"EUR": 1}}', "lack the base currency"),
    ],
)
def test_a_wrong_rate_table_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(InvalidRates, match=says) as caught:
        Rates.parse(text, "USD")
    assert "\n" not in str(caught.value)


def test_default_rates_name_known_currencies_only_and_the_common_ones() -> None:
    codes = set(Rates.default().codes)
    assert codes <= set(MINOR_DIGITS)
    assert {"USD", "EUR", "GBP", "JPY", "AUD", "CAD", "INR", "BRL"} <= codes


def test_minor_units_become_micro_units_by_the_currencys_digits() -> None:
    assert minor_to_micro(np.array([1, 1, 1]), ["EUR", "JPY", "KWD"]).tolist() == [10_000, 1_000_000, 1_000]
