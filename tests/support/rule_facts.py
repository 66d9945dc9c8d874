"""Facts of a few payments for rules, from plain Python values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fraud.controls.language.columns import Bools, Numbers, Texts


@dataclass
class PlainFacts:
    """Columns by name, None where missing; lists by name."""

    columns: Mapping[str, Sequence[object]]
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def numbers(self, name: str) -> Numbers:
        values = self.columns.get(name) or [None] * len(self)
        return Numbers.of(np.array([np.nan if value is None else value for value in values], np.float64))

    def texts(self, name: str) -> Texts:
        return Texts([None if value is None else str(value) for value in self.columns[name]])

    def in_list(self, name: str, held: str) -> Bools:
        return np.array([value in self.lists.get(name, ()) for value in self.columns[held]])

    def rate(self, currency: str) -> Numbers:
        return Numbers(np.full(len(self), self.rates[currency]), True)
