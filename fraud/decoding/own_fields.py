"""A shop's own fields, declared entries of `attributes`, as columns: what each kind takes of a JSON value.

Both builders of batches come through here, so that a value is read alike from the wire and from files:

    number    a number; text that is a plain decimal ("12.50": many producers keep money out of floats)
    flag      true and false; 1 and 0, as numbers or text; "true" and "false"
    category  text; of numbers and flags their text: 5 and 5.0 are both "5", true is "true"
    entity    as a category, but hashed to 64 bits as ids are

Anything else is of the wrong kind: missing, counted, and told to models by the flag `malformed`. Nothing is guessed:
"1,234.50" means different numbers in different places.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final, TypeAlias

import numpy as np

from fraud.decoding.batch import Float32s, UInt64s
from fraud.decoding.hashing import hash_all, hash_categories

Value: TypeAlias = str | float | bool
Held: TypeAlias = Mapping[str, Value] | None
"""The `attributes` of one event."""

_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_NUMBERS: Final = frozenset({int, float, type(None)})
_TEXTS: Final = frozenset({str, type(None)})
_WRONG: Final = 2.0
_FLAGS: Final[dict[Value | None, float]] = {
    None: float("nan"), False: 0.0, True: 1.0, "0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0,
}  # fmt: skip
"""True and 1 and 1.0 are one key."""


@dataclass(frozen=True, slots=True)
class OwnFields:
    """Names of the declared fields by kind, each in the order of its columns in `Batch`."""

    numbers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """Columns of `Batch.attributes`; the categories come last."""
        return self.numbers + self.flags + self.categories


NO_FIELDS: Final = OwnFields()


@dataclass(frozen=True, slots=True)
class OwnColumns:
    """Own fields of n events.

    Attributes:
        attributes: float32 [n, values]; categories hashed, NaN where missing.
        ids: uint64 [n, entities], 0 where missing.
        wrong: (row, name) of every value of the wrong kind.
    """

    attributes: Float32s
    ids: UInt64s
    wrong: tuple[tuple[int, str], ...]

    @property
    def rows(self) -> list[int]:
        """Rows with a value of the wrong kind, ascending."""
        return sorted({row for row, _ in self.wrong})

    @property
    def counts(self) -> Mapping[str, int]:
        """Name -> values of the wrong kind."""
        return Counter(name for _, name in self.wrong)


def own_columns(held: Sequence[Held], fields: OwnFields) -> OwnColumns:
    """The declared fields of n events as columns."""
    rows = [attributes or {} for attributes in held]
    numbers, no_numbers = _as_numbers(_flat(rows, fields.numbers))
    flags, no_flags = _as_flags(_flat(rows, fields.flags))
    parts = (numbers, flags, _as_categories(_flat(rows, fields.categories)))
    groups = (fields.numbers, fields.flags, fields.categories)
    shaped = [part.reshape(len(rows), len(names)) for part, names in zip(parts, groups, strict=True)]
    ids = _as_ids(_flat(rows, fields.entities)).reshape(len(rows), len(fields.entities))
    wrong = chain(_placed(no_numbers, fields.numbers), _placed(no_flags, fields.flags))
    return OwnColumns(np.concatenate(shaped, axis=1), ids, tuple(wrong))


def number_of(value: Value) -> float | None:
    """The number that a value is, within float32's range; None of the wrong kind."""
    if isinstance(value, bool) or (isinstance(value, str) and not _DECIMAL.fullmatch(value)):
        return None
    return float(value)


def text_of(value: Value) -> str:
    """A category's or an id's text, whatever it was sent as."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if value % 1 == 0 else repr(value)


def _flat(rows: Sequence[Mapping[str, Value]], names: Sequence[str]) -> list[Value | None]:
    """All values row by row: one pass of C code over them, however many columns there are."""
    return list(chain.from_iterable([map(row.get, names) for row in rows])) if names else []


def _placed(places: Iterable[int], names: Sequence[str]) -> Iterable[tuple[int, str]]:
    return ((place // len(names), names[place % len(names)]) for place in places)


def _as_numbers(values: list[Value | None]) -> tuple[Float32s, list[int]]:
    wrong = []
    if not set(map(type, values)) <= _NUMBERS:
        for place, value in enumerate(values):
            if type(value) not in _NUMBERS:
                values[place] = number_of(value)  # type: ignore[arg-type]  # None is in _NUMBERS
                if values[place] is None:
                    wrong.append(place)
    found = np.array(values, np.float64)  # None becomes NaN
    return np.clip(found, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32), wrong


def _as_flags(values: list[Value | None]) -> tuple[Float32s, list[int]]:
    found = np.fromiter(map(_FLAGS.get, values, repeat(_WRONG)), np.float32, len(values))
    wrong = np.flatnonzero(found == _WRONG)
    found[wrong] = np.nan
    return found, wrong.tolist()


def _as_texts(values: list[Value | None]) -> list[str | None]:
    if not set(map(type, values)) <= _TEXTS:
        return [value if value is None or type(value) is str else text_of(value) for value in values]
    return values  # type: ignore[return-value]  # just looked at


def _as_categories(values: list[Value | None]) -> Float32s:
    hashes = hash_categories(_as_texts(values))
    found = hashes.astype(np.float32)
    found[hashes == 0] = np.nan
    return found


def _as_ids(values: list[Value | None]) -> UInt64s:
    return hash_all(_as_texts(values))
