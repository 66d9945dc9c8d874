"""The table of exchange rates that a setting names."""

from pathlib import Path

from fraud.money import InvalidRates, Rates
from runtime.errors import Misconfigured


def read_rates(path: Path | None, base_currency: str) -> Rates:
    """Exchange rates into the base currency; the built-in ones without a file.

    Raises:
        Misconfigured: the table cannot be used.
    """
    try:
        return Rates.default(base_currency) if path is None else Rates.parse(path.read_bytes(), base_currency)
    except OSError as error:
        raise Misconfigured(f"FRAUD_RATES_FILE: cannot read {path}: {error.strerror}") from None
    except InvalidRates as error:
        raise Misconfigured(f"FRAUD_RATES_FILE: {error}") from None
