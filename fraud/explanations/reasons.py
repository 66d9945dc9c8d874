"""Reasons of an alert, for an analyst: contributions of features, told by group with the row's own values."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.contracts.outbound import AlertReason
from fraud.decoding.own_fields import text_of
from fraud.explanations.formatting import Quantity
from fraud.features import phrases as wording
from fraud.features.phrases import Whom
from fraud.features.spec import ATTRIBUTE, EVENT, SEEN, FeatureKind, FeatureSpec

LIMIT: Final = 5
PHRASES: Final = 3
"""Features named in one reason."""

PLACES: Final = 4
"""Decimals of a contribution that are published, and by which reasons are ordered."""

_VARIANT: Final = re.compile(r"_(10min|1h|24h|1d|7d|30d|sin|cos)$|(?<=amount)_(gap|score)$")
"""What features that say much the same differ by."""

_SIGNS_OF_LIFE: Final = frozenset(
    {"attempts_30d", "first_30d", "second_30d", "active_days", "hours_since_last", "hours_since_first"}
)
"""Measures of an entity that are 0 or missing when it was not seen for 30 days."""

_SENT: Final = (EVENT, ATTRIBUTE, SEEN)
"""Sources whose value is missing where the event does not say it."""

_PAIRS: Final = frozenset(pair for pair, _ in wording.PAIRED)


@dataclass(frozen=True, slots=True)
class Entity:
    """Columns of one entity.

    Attributes:
        known: all but whether it is shared.
        signs: those of `_SIGNS_OF_LIFE`.
        shared: whether it is shared, where that is a feature.
        whom: how it is spoken of.
        own: it is one of the shop's own, which are never shared.
    """

    known: tuple[int, ...]
    signs: tuple[int, ...]
    shared: int | None
    whom: Whom
    own: bool

    @classmethod
    def of(cls, spec: FeatureSpec, name: str, whom: Whom) -> "Entity":
        """The columns that read the entity."""
        measures = {column: spec.features[column].source[1] for column in spec.columns(name)}
        return cls(
            known=tuple(column for column, measure in measures.items() if measure != "shared"),
            signs=tuple(column for column, measure in measures.items() if measure in _SIGNS_OF_LIFE),
            shared=next((column for column, measure in measures.items() if measure == "shared"), None),
            whom=whom,
            own=name in spec.whom,
        )

    def shared_phrase(self, values: Sequence[float]) -> str:
        """What all its features say alike: that it is missing, shared or new; else nothing."""
        if all(math.isnan(values[column]) for column in self.known):
            shared = False if self.own else None if self.shared is None else values[self.shared] == 1
            return wording.blank(self.whom, shared=shared)
        unseen = self.signs and all(math.isnan(values[c]) or values[c] == 0 for c in self.signs)
        return wording.unseen(self.whom) if unseen else ""


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction.

    Attributes:
        values: raw features, [d].
        contributions: log-odds of each feature, [d].
        texts: the event's own fields; categories are told by them.
        currency: of amounts.
        alike: entity -> what all its features say alike, as far as it was asked for.
    """

    values: Sequence[float]
    contributions: Sequence[float]
    texts: Mapping[str, object]
    currency: str
    alike: dict[str, str] = field(default_factory=dict)


class ReasonBuilder:
    """Tells the reasons of rows of one spec."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._features = spec.features
        self._groups: dict[str, list[int]] = {}
        for column, feature in enumerate(spec.features):
            self._groups.setdefault(feature.group, []).append(column)
        self._members = np.zeros((len(spec.features), len(self._groups)))
        for index, columns in enumerate(self._groups.values()):
            self._members[columns, index] = 1
        spoken_of = {name: wording.whom(name) for name in wording.NOUN} | dict(spec.whom)
        self._entities = {name: Entity.of(spec, name, whom) for name, whom in spoken_of.items() if spec.columns(name)}
        self._topics = [(place, _VARIANT.sub("", measure)) for place, measure in (f.source for f in spec.features)]
        halves = {name: column for column, name in enumerate(spec.names)}
        self._angles = {
            halves[name]: (halves[f"{stem}_sin"], halves[f"{stem}_cos"])
            for name in spec.names
            if (stem := name[:-4]) and {f"{stem}_sin", f"{stem}_cos"} <= set(halves) and name[-4:] in {"_sin", "_cos"}
        }

    def reasons(
        self,
        features: npt.NDArray[np.float32],
        contributions: npt.NDArray[np.floating],
        *,
        texts: Mapping[str, object] | None = None,
        currency: str = "",
        limit: int = LIMIT,
    ) -> list[AlertReason]:
        """The groups of features that raised a score most, strongest first.

        A group counts with the sum of its features' contributions, so that correlated features neither crowd out others
        nor cancel unseen. Ties keep the order of the spec, so equal rows are told alike.

        Args:
            features: raw values of one row, float32 [d], NaN where missing.
            contributions: log-odds of each feature, [d].
            texts: the event's own fields by name, to tell categories, whose features are hashes.
            currency: of the amounts among the features.
            limit: at most so many reasons.
        """
        row = Row(features.tolist(), contributions.tolist(), texts or {}, currency)
        totals = (
            contributions.astype(np.float64) @ self._members
        ).tolist()  # of 24-bit numbers: exact in whatever order
        sums = {group: round(total, PLACES) for group, total in zip(self._groups, totals, strict=True)}
        strongest = sorted((group for group in sums if sums[group] > 0), key=lambda group: -sums[group])[:limit]
        return [
            AlertReason(code=group, text=self._sentence(row, group), contribution=sums[group]) for group in strongest
        ]

    def phrase(self, row: Row, column: int) -> str:
        """One feature in words, with its value; segments are still divided by `|`."""
        feature, value, words = self._features[column], row.values[column], self._features[column].wording
        alike = self._alike(row, feature.source[0])
        if alike:
            return alike
        if math.isnan(value) or any(math.isnan(row.values[half]) for half in self._angles.get(column, ())):
            return words.absent or f"{feature.meaning}: not known"
        if feature.kind is FeatureKind.FLAG and value == 0:
            return words.denied
        if feature.kind is FeatureKind.CATEGORY:
            text = self._text(row, *feature.source)
            plain = f"this {feature.source[1].replace('_', ' ')}"
            return plain if text is None else words.said.format(text=str(text).replace("|", "/"))
        return words.said.format(value=Quantity(value, row.currency, self._angle(row, column)))

    def _text(self, row: Row, place: str, name: str) -> object:
        """The event's own text of a category."""
        if place != ATTRIBUTE:
            return row.texts.get(name)
        own = row.texts.get("attributes")
        value = own.get(name) if isinstance(own, Mapping) else None
        return value if value is None else text_of(value)

    def _sentence(self, row: Row, group: str) -> str:
        """The group's phrases; what the one before has said of whom and when is not said again."""
        told, whom, when = [], "", ""
        for column in self._chosen(row, group):
            what, of, time = [*self.phrase(row, column).split("|"), "", ""][:3]
            known = time == when and of == whom and time.startswith(" in ")
            told.append(what + (of if of != whom else "") + ("" if known else time))
            whom, when = of or whom, time or when
        return ", ".join(told)

    def _chosen(self, row: Row, group: str) -> list[int]:
        """The group's features that raised the score most; of those that say much the same only the strongest."""
        chosen: dict[tuple[str, str], int] = {}
        raising = [column for column in self._groups[group] if row.contributions[column] > 0]
        for column in sorted(raising, key=lambda column: -round(row.contributions[column], PLACES)):
            chosen.setdefault(self._topic(row, column), column)
            if len(chosen) == PHRASES:
                break
        return list(chosen.values())

    def _topic(self, row: Row, column: int) -> tuple[str, str]:
        """What a feature is about: features with the same answer would say much the same."""
        place, measure = self._topics[column]
        if place in _PAIRS or self._alike(row, place):
            return place, ""
        if place in _SENT and math.isnan(row.values[column]):
            return EVENT, "not given"
        return place, measure

    def _alike(self, row: Row, place: str) -> str:
        if place not in self._entities:
            return ""
        if place not in row.alike:
            row.alike[place] = self._entities[place].shared_phrase(row.values)
        return row.alike[place]

    def _angle(self, row: Row, column: int) -> tuple[float, float] | None:
        if column not in self._angles:
            return None
        sine, cosine = self._angles[column]
        return row.values[sine], row.values[cosine]
