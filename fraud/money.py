"""Money: amounts as charged, and as int64 micro-units of the base currency by a dated rate.

A rate table says what one unit of each currency was worth in a common quote currency from a date on. The rate is that
of the event's date, never today's, so that a replay gives the same features. Amounts in the base currency itself are
exact; others are rounded to the micro-unit once, by one float64 product, the same for one amount and for a column.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.fingerprint import fingerprint
from fraud.units import DAY_US

Int64s: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

MICRO: Final = 1_000_000
"""Micro-units in a unit."""

MAX_MICRO: Final = 10**10 * MICRO
"""Amounts are below this, as charged and in the base currency."""

MAX_MINOR: Final = 10**14 - 1
AMOUNT_PATTERN: Final = r"^[0-9]{1,10}(\.[0-9]{1,6})?$"

_AMOUNT: Final = re.compile(AMOUNT_PATTERN.strip("^$"))
_AMOUNTS: Final = re.compile(rf"(?:{AMOUNT_PATTERN.strip('^$')};)*+")
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_NO_DIGIT: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS: Final = "BHD IQD JOD KWD LYD OMR TND"
_TWO_DIGITS: Final = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
MINOR_DIGITS: Final[Mapping[str, int]] = (
    dict.fromkeys(_TWO_DIGITS.split(), 2)
    | dict.fromkeys(_NO_DIGIT.split(), 0)
    | dict.fromkeys(_THREE_DIGITS.split(), 3)
)
"""Decimal digits of the minor unit of the currencies in circulation (ISO 4217)."""

MINOR_MICRO: Final[Mapping[str, int]] = {code: MICRO // 10**digits for code, digits in MINOR_DIGITS.items()}
"""Micro-units in a minor unit."""

_DEFAULT_DATE: Final = "2025-01-01"
_DEFAULT: Final = """
USD 1 EUR 1.04 GBP 1.25 CHF 1.10 JPY .00636 CNY .137 HKD .129 TWD .0305 KRW .00068 SGD .732 INR .0117 IDR .0000621
MYR .224 THB .0291 PHP .0173 VND .0000392 AUD .619 NZD .56 CAD .695 MXN .048 BRL .162 ARS .00097 CLP .001 COP .000227
PEN .267 UYU .0227 BOB .145 PYG .000128 CRC .00196 DOP .0164 GTQ .13 SEK .0904 NOK .088 DKK .139 ISK .0072 PLN .242
CZK .0411 HUF .00252 RON .208 BGN .53 RSD .0089 MKD .0169 ALL .0106 BAM .53 MDL .054 UAH .0238 BYN .306 RUB .0088
GEL .357 AMD .00252 AZN .588 KZT .0019 KGS .0115 UZS .0000775 TJS .0916 TMT .286 TRY .0283 ILS .275 AED .272 SAR .266
QAR .275 KWD 3.24 BHD 2.65 OMR 2.6 JOD 1.41 IQD .000763 LBP .0000112 EGP .0197 MAD .0988 TND .314 DZD .00737 LYD .203
ZAR .053 NGN .00065 GHS .068 KES .00773 TZS .000413 UGX .000272 ETB .0079 RWF .00072 ZMW .0358 BWP .072 NAD .053
MUR .0213 XOF .00158 XAF .00158 AOA .0011 MZN .0156 PKR .00359 BDT .00837 LKR .00342 NPR .00731 MMK .000476 KHR .000248
LAK .0000457 MNT .000293 MVR .065 MOP .125 BND .732 FJD .431 PGK .247 XPF .0087 XCD .37 JMD .0064 TTD .147 BSD 1 BBD .5
BMD 1 PAB 1 HNL .0394 NIO .0272 HTG .00766 SRD .0283 GYD .00478 AWG .555 KYD 1.2 BZD .5
"""


class InvalidRates(Exception):  # noqa: N818 - as `InvalidEvent`
    """A rate table that cannot be used; one line that says why."""


def parse_amount(amount: str | int, currency: str) -> int:
    """Micro-units of the charged currency: a decimal string counts major units, an integer minor units.

    Raises:
        ValueError: when it is negative, too large, or no decimal number with at most six decimals.
    """
    if isinstance(amount, str) and not _AMOUNT.fullmatch(amount):
        raise ValueError("must be a decimal number with at most six decimals")
    micro = int(Decimal(amount) * MICRO) if isinstance(amount, str) else amount * MINOR_MICRO[currency]
    if not 0 <= micro < MAX_MICRO:
        raise ValueError("must be from 0 to below 10^10 units")
    return micro


def parse_amounts(amounts: Sequence[str | int], currencies: Sequence[str]) -> tuple[Int64s, Mask]:
    """`parse_amount` over a column: int64 [n], and a mask [n] of the rows that are amounts (others hold 0)."""
    if set(map(type, amounts)) == {str}:
        joined = ";".join(amounts) + ";"  # type: ignore[arg-type]  # all are strings
        if _AMOUNTS.fullmatch(joined) and joined.count(";") == len(amounts):
            units = np.fromiter(map(float, amounts), np.float64, len(amounts))
            # Below 10^8 units the product is within a thirtieth of the right integer, so rounding is exact.
            if (units < 1e8).all():
                return np.rint(units * MICRO).astype(np.int64), np.ones(len(amounts), np.bool_)
    micro = np.zeros(len(amounts), np.int64)
    valid = np.zeros(len(amounts), np.bool_)
    for row, (amount, currency) in enumerate(zip(amounts, currencies, strict=True)):
        if currency in MINOR_MICRO:
            with suppress(ValueError):
                micro[row] = parse_amount(amount, currency)
                valid[row] = True
    return micro, valid


@dataclass(frozen=True, slots=True)
class Rates:
    """Dated rates into one base currency.

    Attributes:
        base: the base currency.
        since: int64 [k], µs from which the rates of a row hold, ascending; earlier events use the first row.
        codes: column of each currency in `table`.
        table: float64 [k, c + 1], units of base per unit of the currency, NaN where none is known; the last column,
            reached by -1, stands for unknown currencies.
    """

    base: str
    since: Int64s
    codes: Mapping[str, int]
    table: npt.NDArray[np.float64]

    @classmethod
    def default(cls, base: str = "USD") -> Self:
        """Approximate built-in rates of the start of 2025; a running shop brings its own table."""
        words = _DEFAULT.split()
        return cls.of({_DEFAULT_DATE: dict(zip(words[::2], map(float, words[1::2]), strict=True))}, base)

    @classmethod
    def parse(cls, text: str | bytes, base: str) -> Self:
        """A table from JSON: `{"2025-01-01": {"USD": 1, "EUR": 1.04, …}, …}`, value of one unit in any one currency.

        Raises:
            InvalidRates: when it is no such table, or lacks the base currency.
        """
        try:
            tables = json.loads(text)
        except ValueError as error:
            raise InvalidRates(f"rates are not JSON: {error}") from error
        if not isinstance(tables, dict) or not all(isinstance(rates, dict) for rates in tables.values()):
            raise InvalidRates('rates must look like {"2025-01-01": {"USD": 1, "EUR": 1.04}}')
        return cls.of(tables, base)

    @classmethod
    def of(cls, tables: Mapping[str, Mapping[str, float]], base: str) -> Self:
        """A table by ISO date; a currency that a date does not name keeps its earlier rate.

        Raises:
            InvalidRates: on a wrong date, currency or value, or when the first date lacks the base currency.
        """
        if not tables:
            raise InvalidRates("rates name no date")
        days = sorted(tables)
        codes = {code: i for i, code in enumerate(sorted({code for rates in tables.values() for code in rates}))}
        if base not in tables[days[0]]:
            raise InvalidRates(f"rates of {days[0]} lack the base currency {base}")
        values = np.full((len(days), len(codes) + 1), np.nan)
        for row, day in enumerate(days):
            values[row] = values[row - 1] if row else np.nan
            for code, value in tables[day].items():
                values[row, codes[code]] = _checked(day, code, value)
        table = values / values[:, [codes[base]]]
        table[:, codes[base]] = 1.0
        return cls(base, np.array([_day_us(day) for day in days], np.int64), codes, table)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the base currency, the dates and every rate."""
        return fingerprint(
            {
                "base": self.base,
                "since": self.since.tolist(),
                "codes": list(self.codes),
                "table": self.table.tobytes().hex(),
            }
        )

    def knows(self, currency: str, time_us: int) -> bool:
        """Whether there is a rate for the currency at that time."""
        return currency in self.codes and bool(np.isfinite(self.table[self._row(time_us), self.codes[currency]]))

    def convert(self, micro: Int64s, currencies: Sequence[str], time_us: Int64s) -> tuple[Int64s, Mask]:
        """Micro-units of the base currency, int64 [n], by the rate of each event's date, and a mask [n] of sound rows.

        The others hold 0: there is no rate at that time, or the result reaches 10^10 units.
        """
        if set(currencies) <= {self.base}:
            return micro, np.ones(len(micro), np.bool_)
        columns = np.fromiter((self.codes.get(code, -1) for code in currencies), np.intp, len(currencies))
        rows = np.maximum(np.searchsorted(self.since, time_us, side="right") - 1, 0)
        base = np.rint(micro * self.table[rows, columns])
        native = columns == self.codes[self.base]
        valid = native | (base < MAX_MICRO)
        return np.where(native, micro, np.where(valid, base, 0).astype(np.int64)), valid

    def _row(self, time_us: int) -> int:
        return max(int(np.searchsorted(self.since, time_us, side="right")) - 1, 0)


def minor_to_micro(minor: Int64s, currencies: Sequence[str]) -> Int64s:
    """Micro-units of the charged currency from integer minor units, both int64 [n]."""
    return minor * np.fromiter(map(MINOR_MICRO.__getitem__, currencies), np.int64, len(currencies))


def _day_us(day: str) -> int:
    try:
        return (date.fromisoformat(day).toordinal() - _EPOCH_DAY) * DAY_US
    except ValueError as error:
        raise InvalidRates(f"rates: {day!r} is no date like 2025-01-01") from error


def _checked(day: str, code: str, value: object) -> float:
    if code not in MINOR_DIGITS:
        raise InvalidRates(f"rates of {day}: {code!r} is no ISO 4217 code")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidRates(f"rates of {day}: {code} must be a positive number")
    return float(value)
