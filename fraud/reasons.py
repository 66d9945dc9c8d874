"""Why a transaction was flagged, for an analyst: contributions of features, told by group with the row's own values."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud import wording
from fraud.events import AlertReason
from fraud.feature_spec import EVENT, Feature, FeatureKind, FeatureSpec
from fraud.quantity import Quantity

LIMIT: Final = 5
PHRASES: Final = 3
"""Features named in one reason."""

PLACES: Final = 4
"""Decimals of a contribution that are published, and by which reasons are ordered."""

_VARIANT: Final = re.compile(r"_(10min|1h|24h|7d|30d|90d|sin|cos)$|(?<=amount)_(gap|score)$")
"""What features that say much the same differ by."""

_SIGNS_OF_LIFE: Final = frozenset(
    {"attempts_30d", "first_30d", "second_30d", "active_days", "hours_since_last", "hours_since_first"}
)
"""Measures of an entity that are 0 or missing when it was not seen for 30 days."""


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction and what moved its score.

    Attributes:
        spec: names, groups and wordings of the d features.
        features: raw values, float32 [d], NaN where missing.
        contributions: log-odds of each feature, [d].
        texts: the event's own fields; categories are told by them.
        currency: of amounts.
    """

    spec: FeatureSpec
    features: npt.NDArray[np.float32]
    contributions: npt.NDArray[np.floating]
    texts: Mapping[str, object]
    currency: str

    def share(self, column: int) -> float:
        """A feature's contribution as published."""
        return round(float(self.contributions[column]), PLACES)


def reasons(
    features: npt.NDArray[np.float32],
    contributions: npt.NDArray[np.floating],
    spec: FeatureSpec,
    *,
    texts: Mapping[str, object] | None = None,
    currency: str = "",
    limit: int = LIMIT,
) -> list[AlertReason]:
    """The groups of features that raised a score most, strongest first.

    A group counts with the sum of its features' contributions, so that correlated features neither crowd out others nor
    cancel unseen. Ties keep the order of the spec, so equal rows are told alike.

    Args:
        features: raw values of one row, float32 [d], NaN where missing.
        contributions: log-odds of each feature, [d].
        spec: names, groups and wordings of the d features.
        texts: the event's own fields by name, to tell categories, whose features are hashes.
        currency: of the amounts among the features.
        limit: at most so many reasons.
    """
    row = Row(spec, features, contributions, texts or {}, currency)
    groups: dict[str, list[int]] = {}
    for column, feature in enumerate(spec.features):
        groups.setdefault(feature.group, []).append(column)
    sums = {
        group: round(math.fsum(float(contributions[column]) for column in columns), PLACES)
        for group, columns in groups.items()
    }
    strongest = sorted((group for group in groups if sums[group] > 0), key=lambda group: -sums[group])[:limit]
    return [
        AlertReason(code=group, text=_sentence(row, groups[group]), contribution=sums[group]) for group in strongest
    ]


def named_columns(
    features: npt.NDArray[np.float32], contributions: npt.NDArray[np.floating], spec: FeatureSpec, code: str
) -> list[int]:
    """The columns that the text of a reason names, strongest first."""
    row = Row(spec, features, contributions, {}, "")
    return _chosen(row, [column for column, feature in enumerate(spec.features) if feature.group == code])


def phrase(row: Row, column: int) -> str:
    """One feature in words, with its value; segments are still divided by `|`."""
    feature, value = row.spec.features[column], float(row.features[column])
    place = feature.source[0]
    if math.isnan(value):
        return (
            _blank(row, place) if _is_blank(row, place) else feature.wording.absent or f"{feature.meaning}: not known"
        )
    if feature.kind is FeatureKind.FLAG and value == 0:
        return feature.wording.denied
    if feature.kind is FeatureKind.CATEGORY:
        text = row.texts.get(feature.source[1])
        plain = f"this {feature.source[1].replace('_', ' ')}"
        return plain if text is None else feature.wording.said.format(text=str(text).replace("|", "/"))
    return feature.wording.said.format(value=Quantity(value, row.currency, _partner(row, feature)))


def _sentence(row: Row, columns: Sequence[int]) -> str:
    """The group's phrases; what the one before has said of whom and when is not said again."""
    told, whom, when = [], "", ""
    for column in _chosen(row, columns):
        what, of, time = [*phrase(row, column).split("|"), "", ""][:3]
        known = time == when and of == whom and time.startswith(" in ")
        told.append(what + (of if of != whom else "") + ("" if known else time))
        whom, when = of or whom, time or when
    return ", ".join(told)


def _chosen(row: Row, columns: Sequence[int]) -> list[int]:
    """The group's features that raised the score most; of those that say much the same only the strongest."""
    chosen: dict[object, int] = {}
    for column in sorted(columns, key=lambda column: -row.share(column)):
        if row.contributions[column] > 0:
            chosen.setdefault(_said(row, column), column)
    return list(chosen.values())[:PHRASES]


def _said(row: Row, column: int) -> tuple[str, str]:
    """What a feature is about: features with the same answer would say much the same."""
    place, measure = row.spec.features[column].source
    if place in _PAIRS or _is_blank(row, place) or _is_unseen(row, place):
        return place, ""
    if place == EVENT and math.isnan(row.features[column]):
        return place, "not given"
    return place, _VARIANT.sub("", measure)


_PAIRS: Final = frozenset(pair for pair, _ in wording.PAIRED)


def _is_blank(row: Row, place: str) -> bool:
    """Whether nothing but perhaps its being shared is known of an entity."""
    if place not in wording.NOUN:
        return False
    known = (column for column in row.spec.columns(place) if row.spec.features[column].source[1] != "shared")
    return all(math.isnan(row.features[column]) for column in known)


def _is_unseen(row: Row, place: str) -> bool:
    """Whether a known entity's first attempt in 30 days is this one: whatever its features say, they say that."""
    signs = [c for c in row.spec.columns(place) if row.spec.features[c].source[1] in _SIGNS_OF_LIFE]
    told = (float(row.features[column]) for column in signs)
    return place in wording.NOUN and bool(signs) and all(math.isnan(value) or value == 0 for value in told)


def _blank(row: Row, place: str) -> str:
    told = [c for c in row.spec.columns(place) if row.spec.features[c].source[1] == "shared"]
    return wording.blank(place, shared=bool(row.features[told[0]] == 1) if told else None)


def _partner(row: Row, feature: Feature) -> tuple[float, float] | None:
    """Sine and cosine of a time of day or weekday."""
    stem, dash, half = feature.name.rpartition("_")
    if not dash or half not in {"sin", "cos"} or f"{stem}_cos" not in row.spec.names:
        return None
    sine, cosine = (float(row.features[row.spec.names.index(f"{stem}_{name}")]) for name in ("sin", "cos"))
    return sine, cosine
