"""What is left once standard fields are found: the shop's own numbers, flags, categories and entities."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fraud.features.platform import MAX_ENTITIES, FieldKind
from training.data.drafting.identifiers import id_like, is_unique, repeats
from training.data.drafting.names import CODE_WORDS, ID_WORDS, PERSONAL_WORDS, ROW_NUMBERS, says, words
from training.data.drafting.profile import ColumnProfile
from training.data.importing.attributes import FALSE, TRUE

MOST_CODES: Final = 1_000
"""Distinct whole numbers that are still codes where the name says so."""

ENTITY_VALUES: Final = 200
"""Fewer distinct values are a category: counters of their own would tell nothing that its value does not."""

MANY_ROWS: Final = 200
"""Rows to a value from which on a text that is not named like an id is a category."""

LEAST_VALUES: Final = 10
"""Fewer values in the whole file teach nothing."""


@dataclass(frozen=True, slots=True)
class OwnGuess:
    """A column that becomes a field of the shop's own, or is left out.

    Attributes:
        column: its name.
        kind: of the field; None: left out.
        why: what speaks for it.
    """

    column: str
    kind: FieldKind | None
    why: str


def guess_own(column: ColumnProfile) -> OwnGuess:
    """What a column is, by its values first and its name second."""
    why = _useless(column)
    if why:
        return OwnGuess(column.name, None, why)
    if _is_flag(column):
        return OwnGuess(column.name, FieldKind.FLAG, "two values, yes and no")
    if column.mostly_numbers:
        return _of_numbers(column)
    return _of_texts(column)


def _useless(column: ColumnProfile) -> str:
    """Why a column can teach nothing, the first that holds; "" where it can."""
    few = column.rows > 10 * LEAST_VALUES and column.filled < LEAST_VALUES
    reasons = (
        (column.is_nested, "lists, objects or bytes"),
        (column.filled == 0, "empty"),
        (column.constant and column.empty == 0, "constant"),
        (few, "nearly empty"),
        (column.is_time, "another time"),
    )
    found = next((reason for holds, reason in reasons if holds), "")
    return found or ("numbers the rows" if _numbers_rows(column) else "")


def _numbers_rows(column: ColumnProfile) -> bool:
    if not (column.mostly_numbers and column.whole and column.empty == 0 and len(column.known_numbers) > 2):
        return False
    steps = np.diff(column.known_numbers)
    even = bool((steps > 0).all()) and is_unique(column) and float(steps.max()) < 2 * float(steps.min())
    return even or (bool((steps > 0).all()) and set(words(column.name)) <= ROW_NUMBERS)


def _is_flag(column: ColumnProfile) -> bool:
    if column.is_measure or column.distinct > 2:
        return False
    held = {text.strip().lower() for text in column.texts.unique()[:3]}
    return len(held) <= 2 and (held <= {"0", "1"} or held <= {*TRUE, *FALSE})


def _of_numbers(column: ColumnProfile) -> OwnGuess:
    if not column.whole:
        return OwnGuess(column.name, FieldKind.NUMBER, "numbers")
    if says(column.name, ID_WORDS) and repeats(column) and column.distinct >= ENTITY_VALUES:
        return OwnGuess(column.name, FieldKind.ENTITY, f"named like an id, {column.repetition:.1f} rows to a value")
    if says(column.name, ID_WORDS) and is_unique(column):
        return OwnGuess(column.name, None, "an id that never comes back")
    if says(column.name, CODE_WORDS) and column.distinct <= MOST_CODES and column.repetition > 2:
        return OwnGuess(column.name, FieldKind.CATEGORY, "whole numbers named like a code")
    return OwnGuess(column.name, FieldKind.NUMBER, "numbers")


def _of_texts(column: ColumnProfile) -> OwnGuess:
    if says(column.name, PERSONAL_WORDS) and column.distinct > 100:
        return OwnGuess(column.name, None, "looks like names or addresses of people")
    is_name = says(column.name, ID_WORDS) or column.repetition < MANY_ROWS
    if column.distinct >= ENTITY_VALUES and repeats(column) and is_name:
        return OwnGuess(column.name, FieldKind.ENTITY, f"many texts that come back, {column.repetition:.1f} rows each")
    if id_like(column) and column.repetition < 1.5:
        return OwnGuess(column.name, None, "texts that hardly ever come back")
    return OwnGuess(column.name, FieldKind.CATEGORY, "texts that come back")


def within_limits(guesses: list[OwnGuess], profiles: dict[str, ColumnProfile]) -> list[OwnGuess]:
    """At most `MAX_ENTITIES` entities: those named like ids and those with most values stay, others are categories."""
    entities = sorted(
        (guess for guess in guesses if guess.kind is FieldKind.ENTITY),
        key=lambda guess: (not says(guess.column, ID_WORDS), -profiles[guess.column].distinct),
    )
    demoted = {guess.column for guess in entities[MAX_ENTITIES:]}
    return [
        OwnGuess(guess.column, FieldKind.CATEGORY, f"{guess.why}; {MAX_ENTITIES} entities are the most")
        if guess.column in demoted
        else guess
        for guess in guesses
    ]
