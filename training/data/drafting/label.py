"""Which column says what was fraud, and which of its values mean it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.data.drafting.names import LABEL_NAMES, LABEL_WORDS, says, word_set
from training.data.drafting.profile import TableProfile
from training.data.importing.labels import plain
from training.data.importing.mapping import InvalidMapping, listed
from training.data.importing.warnings import quoted

FRAUD: Final = word_set("1 true yes y t fraud fraudulent chargeback chargedback positive bad scam confirmed")
GENUINE: Final = word_set(
    "0 -1 false no n f genuine legit legitimate normal good negative ok non-fraud nonfraud not-fraud not_fraud "
    "non_fraud none valid clean"
)
MOST_VALUES: Final = 30


@dataclass(frozen=True, slots=True)
class LabelGuess:
    """The label.

    Attributes:
        column: its name.
        fraud, genuine, other: its values by what they mean; `other` says nothing.
        notes: what its owner should check.
        found: it was not named by the owner.
    """

    column: str
    fraud: tuple[str, ...]
    genuine: tuple[str, ...]
    other: tuple[str, ...]
    notes: tuple[str, ...]
    found: bool

    def marks(self, table: TableProfile) -> npt.NDArray[np.bool_]:
        """Frauds among the sampled rows, bool [n]."""
        column = table.columns[self.column]
        marked = np.zeros(len(column.sample), np.bool_)
        texts = column.texts
        marked[texts.index[texts.map(plain).isin({plain(value) for value in self.fraud})]] = True
        return marked


def label_like(names: Sequence[str]) -> list[str]:
    """Columns that are named like a label, the likeliest first."""
    named = [name for name in names if says(name, LABEL_WORDS)]
    short = {name.strip().lower(): name for name in names}
    plainest = sorted(named, key=len)
    return [*plainest, *(short[word] for word in LABEL_NAMES if word in short and short[word] not in named)]


def guess_label(table: TableProfile, given: str | None) -> LabelGuess | None:
    """The label that the owner named, or the likeliest column; None without any.

    Raises:
        InvalidMapping: the named column is not there, or is no label.
    """
    if given is not None and given not in table.columns:
        raise InvalidMapping(f"{table.path} has no column {given} (it has: {listed(list(table.columns))})")
    for name in [given] if given is not None else label_like(list(table.columns)):
        values = table.values[name]
        if 0 < len(values) <= MOST_VALUES and (guess := _of_values(table, name, values, found=given is None)):
            return guess
        if given is not None:
            what = "is empty" if not values else f"has {len(values):,} different values; a label has a few"
            raise InvalidMapping(f"column {given} {what}: name the column that says which payments were fraud")
    return None


def _of_values(table: TableProfile, name: str, values: Counter[str], *, found: bool) -> LabelGuess | None:
    fraud = [value for value in values if plain(value).replace(" ", "_") in FRAUD]
    genuine = [value for value in values if plain(value).replace(" ", "_") in GENUINE]
    other = [value for value in values if value not in fraud and value not in genuine]
    notes = []
    if not fraud and len(values) == 2:
        rare, common = values.most_common()[1][0], values.most_common()[0][0]
        if found and not says(name, LABEL_WORDS):
            return None
        fraud, genuine, other = [rare], [common], []
        notes.append(f'"{rare}" is taken as fraud because it is rarer than "{common}": check it')
    elif not fraud:
        if found:
            return None
        notes.append(f"none of the values is known to mean fraud ({quoted(values)}): name them in label.fraud")
    empty = table.columns[name].empty
    if not genuine and not other and empty:
        notes.append(f"{empty:,} rows are empty and count as genuine")
    elif other or empty:
        rest = ([quoted(values, other)] if other else []) + ([f"empty ({empty:,} rows)"] if empty else [])
        notes.append(f"neither fraud nor genuine, hence not learnt from: {', '.join(rest)}")
    unclear = bool(other or (empty and genuine))
    return LabelGuess(name, tuple(fraud), tuple(genuine) if unclear else (), tuple(other), tuple(notes), found)
