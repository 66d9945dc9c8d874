"""Why a transaction was flagged, for an analyst: contributions of features, told by group with the row's own values."""

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.events import AlertReason
from fraud.feature_spec import Feature, FeatureKind, FeatureSpec

LIMIT: Final = 5
PHRASES: Final = 3
"""Features named in one reason."""

_WINDOW: Final = re.compile(r"_(10min|1h|24h|7d|30d)$")


def reasons(
    features: npt.NDArray[np.float32],
    contributions: npt.NDArray[np.floating],
    spec: FeatureSpec,
    limit: int = LIMIT,
) -> list[AlertReason]:
    """The groups of features that raised a score most, strongest first.

    A group counts with the sum of its features' contributions, so that correlated features neither crowd out others nor
    cancel unseen. Ties keep the order of the spec, so equal rows are told alike.

    Args:
        features: raw values of one row, float32 [d], NaN where missing.
        contributions: log-odds of each feature, [d].
        spec: names, groups and wordings of the d features.
        limit: at most so many reasons.
    """
    groups: dict[str, list[int]] = {}
    for column, feature in enumerate(spec.features):
        groups.setdefault(feature.group, []).append(column)
    sums = {group: math.fsum(contributions[columns].tolist()) for group, columns in groups.items()}
    strongest = sorted((group for group in groups if sums[group] > 0), key=lambda group: -sums[group])[:limit]
    return [
        AlertReason(
            code=group,
            text=_sentence(features, contributions, spec.features, groups[group]),
            contribution=round(sums[group], 4),
        )
        for group in strongest
    ]


def named_columns(contributions: npt.NDArray[np.floating], spec: FeatureSpec, code: str) -> list[int]:
    """The columns that the text of a reason names, strongest first."""
    columns = [column for column, feature in enumerate(spec.features) if feature.group == code]
    return _chosen(contributions, spec.features, columns)


def _sentence(
    features: npt.NDArray[np.float32],
    contributions: npt.NDArray[np.floating],
    spec: Sequence[Feature],
    columns: list[int],
) -> str:
    return ", ".join(phrase(spec[c], float(features[c])) for c in _chosen(contributions, spec, columns))


def _chosen(contributions: npt.NDArray[np.floating], spec: Sequence[Feature], columns: list[int]) -> list[int]:
    """The group's features that raised the score most; of one measure's windows only the strongest."""
    chosen: dict[object, int] = {}
    for column in sorted(columns, key=lambda column: -float(contributions[column])):
        place, measure = spec[column].source
        if contributions[column] > 0:
            chosen.setdefault((place, _WINDOW.sub("", measure)), column)
    return list(chosen.values())[:PHRASES]


def phrase(feature: Feature, value: float) -> str:
    """One feature in words, with its value."""
    if math.isnan(value):
        return f"unknown: {feature.meaning}"
    if feature.kind is FeatureKind.FLAG:
        return feature.wording if value else f"not so: {feature.wording}"
    return feature.wording.format(value=value)
