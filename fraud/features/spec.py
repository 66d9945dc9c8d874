"""The specification of features and of a list of them; the standard list is `fraud.features.catalogue`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from fraud.contracts.fields import OUTCOME_CATEGORIES
from fraud.decoding.batch import ENTITIES, Batch, UInt64s
from fraud.decoding.own_fields import NO_FIELDS, OwnFields
from fraud.features.phrases import Whom, Wording
from fraud.features.risk_tables import OWN, risk_measures
from fraud.history.kernel.event_measures import EVENT_MEASURES
from fraud.history.kernel.layout import BUCKETED, KINDS, PAIRS
from fraud.history.kernel.measures import MEASURES
from fraud.history.kernel.own.values import SPAN_NAMES

EVENT: Final = "event"
ATTRIBUTE: Final = "attribute"
SEEN: Final = "seen"
RISK: Final = "risk"

RISK_ENTITIES: Final = ("merchant", "device", "ip", "bin")
"""Entities whose risk by labels is a feature by default."""


class FeatureKind(StrEnum):
    """How a model should take the value."""

    NUMBER = "number"
    CATEGORY = "category"
    FLAG = "flag"


class Stage(StrEnum):
    """When the value is known."""

    PRE_AUTH = "pre_auth"
    POST_AUTH = "post_auth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column.

    Attributes:
        name: unique in its spec.
        meaning: one line for a reader.
        source: where it is read: (entity, pair, `event`, `attribute`, `seen` or `risk`; measure). Own entities have
            their name behind OWN.
        wording: what a reason says.
        group: reasons of one group are told as one.
        kind: number, category (a hash below 2**24) or flag (0, 1).
        horizon: how far back it looks, in µs; 0 for the event alone.
        stage: the earliest stage at which it is known.
    """

    name: str
    meaning: str
    source: tuple[str, str]
    wording: Wording
    group: str
    kind: FeatureKind = FeatureKind.NUMBER
    horizon: int = 0
    stage: Stage = Stage.PRE_AUTH


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Features in column order, and the shop's own fields that they read.

    Attributes:
        features: the columns.
        fields: the own fields.
        whom: own entity, its name behind OWN -> how it is spoken of.

    Raises:
        ValueError: two features share a name, or a source does not exist or is known later than the feature says.
    """

    features: tuple[Feature, ...]
    fields: OwnFields = NO_FIELDS
    whom: Mapping[str, Whom] = field(default_factory=dict)
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(feature.name for feature in self.features)
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"feature names must differ; twice: {', '.join(twice)}")
        for feature in self.features:
            if not valid_source(feature.source, self.fields):
                raise ValueError(f"feature {feature.name} reads {feature.source}, which does not exist")
            if feature.source[1] in OUTCOME_CATEGORIES and feature.stage is Stage.PRE_AUTH:
                raise ValueError(f"feature {feature.name} reads {feature.source[1]}: known after authorisation only")
        object.__setattr__(self, "names", names)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.features)

    @property
    def kinds(self) -> tuple[str, ...]:
        """How a model should take each column."""
        return tuple(str(feature.kind) for feature in self.features)

    @property
    def horizon(self) -> int:
        """The longest look-back of all features, in µs."""
        return max((feature.horizon for feature in self.features), default=0)

    def columns(self, source: str) -> list[int]:
        """The columns that read a source."""
        return [column for column, feature in enumerate(self.features) if feature.source[0] == source]

    def risk_columns(self) -> dict[str, tuple[list[int], list[int]]]:
        """Entity -> (its risk columns, and the column of a look-up that each of them takes)."""
        found: dict[str, tuple[list[int], list[int]]] = {}
        for column in self.columns(RISK):
            measure = self.features[column].source[1]
            entity = measure.rpartition("_")[0]
            columns, windows = found.setdefault(entity, ([], []))
            columns.append(column)
            windows.append(risk_measures(entity).index(measure))
        return found

    def risk_ids(self, batch: Batch) -> dict[str, UInt64s]:
        """Entity -> the ids of a batch's events by which its risk is looked up, 0 where absent."""
        return {entity: self.ids(batch, entity) for entity in self.risk_columns()}

    def ids(self, batch: Batch, entity: str) -> UInt64s:
        """Hashed ids of an entity, uint64 [n], 0 where absent; of an own category its hashed values."""
        if entity in ENTITIES:
            return batch.ids[:, ENTITIES.index(entity)]
        name = entity.removeprefix(OWN)
        if name in self.fields.entities:
            return batch.own_ids[:, self.fields.entities.index(name)]
        hashes = batch.attributes[:, self.fields.values.index(name)]
        return np.where(np.isnan(hashes), 0, hashes).astype(np.uint64)

    def later_than(self, stage: Stage) -> list[str]:
        """Names of features that are not known yet at a stage."""
        if stage is Stage.POST_AUTH:
            return []
        return [feature.name for feature in self.features if feature.stage is not Stage.PRE_AUTH]


def valid_source(source: tuple[str, str], fields: OwnFields = NO_FIELDS) -> bool:
    """Whether an entity, pair, event or own field has such a measure."""
    place, measure = source
    name, _, span = measure.rpartition("_")
    counted = (*ENTITIES, *(OWN + own for own in (*fields.categories, *fields.entities)))
    judges = {
        ATTRIBUTE: lambda: measure in fields.values,
        SEEN: lambda: name in fields.categories and span in SPAN_NAMES,
        RISK: lambda: name in counted and measure in risk_measures(name),
        EVENT: lambda: measure in EVENT_MEASURES,
        **dict.fromkeys(PAIRS, lambda: measure in {"new", "active_days", "hours_since_last"}),
        **dict.fromkeys(BUCKETED, lambda: measure in MEASURES and not _is_of_partners(measure)),
    }
    entities = (*KINDS, *(OWN + own for own in fields.entities))
    return judges[place]() if place in judges else place in entities and measure in MEASURES


def _is_of_partners(measure: str) -> bool:
    """Whether it needs a ring of attempts."""
    return measure.startswith(("first_", "second_", "new_")) or measure == "hours_since_first"
