"""What the name of a column says."""

import re
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


TIME_WORDS: Final = word_set("time date datetime timestamp dt ts at when unix epoch step")
PAYMENT_WORDS: Final = word_set("transaction trans tx txn trx payment order event purchase auth created occurred paid")
OTHER_TIMES: Final = word_set(
    "birth dob signup registration registered account opened joined expiry exp expire chargeback dispute report "
    "reported label review reviewed resolved settled settlement updated local"
)
AMOUNT_WORDS: Final = word_set("amount amt betrag montant importe valor bedrag")
MONEY_WORDS: Final = word_set("price value total sum paid cost spend charge charged gross")
NO_AMOUNT: Final = word_set(
    "balance limit avg average mean max min old new ratio count fee tax income score std median prev previous "
    "last num h d 24h 7d 30d"
)
MINOR_WORDS: Final = word_set("cents cent minor pence pennies")
ID_WORDS: Final = word_set("id num number no nr key ref reference uuid guid hash token fingerprint")
LABEL_WORDS: Final = word_set("fraud fraudulent chargeback chargebacks isfraud fraudflag scam")
LABEL_NAMES: Final = ("class", "target", "label", "y", "outcome")
CODE_WORDS: Final = word_set(
    "code type category cat class group zip zipcode postal postcode state region city product brand model plan "
    "status segment mcc gender job id channel method country currency bin merchant terminal store shop"
)
PERSONAL_WORDS: Final = word_set(
    "first last firstname lastname surname name fullname street address ssn passport dob birth iban"
)
ROW_NUMBERS: Final = {"", "index", "unnamed", "row", "rowid", "rownum"}


def words(name: str) -> tuple[str, ...]:
    """The words of a name, lower case: "TransactionDT" and "transaction_dt" are (transaction, dt)."""
    return tuple(word.lower() for word in _WORD.findall(name))


def says(name: str, *groups: Iterable[str]) -> bool:
    """Whether the name has a word of every group."""
    held = set(words(name))
    return all(held & set(group) for group in groups)


def slug(name: str, taken: Iterable[str] = ()) -> str:
    """A name for a field that no other has: letters, digits and underscores."""
    plain = re.sub(r"\W+", "_", name.strip()).strip("_").lower()[:60] or "column"
    held = set(taken)
    if plain not in held:
        return plain
    return next(f"{plain}_{number}" for number in range(2, len(held) + 3) if f"{plain}_{number}" not in held)
