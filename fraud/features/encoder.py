"""Events to feature rows: read the history, then update it, the same code in the service, in datasets and in replay."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import Batch, Float32s, UInt8s
from fraud.features.catalogue import SPEC, spec_of
from fraud.features.risk_tables import OWN, RiskTables
from fraud.features.spec import ATTRIBUTE, EVENT, RISK, SEEN, Feature, FeatureKind, FeatureSpec, Stage, valid_source
from fraud.fingerprint import fingerprint
from fraud.history.history import History, HistoryConfig, history_fingerprint
from fraud.history.kernel import update as kernel
from fraud.history.kernel.event_measures import EVENT_MEASURES, columns_of
from fraud.history.kernel.layout import KINDS
from fraud.history.kernel.measures import MEASURES, new_scratch
from fraud.history.kernel.own.values import SPAN_NAMES
from fraud.units import DAY_US

__all__ = [
    "SPEC",
    "Encoded",
    "Encoder",
    "Feature",
    "FeatureKind",
    "FeatureSpec",
    "Stage",
    "Status",
    "features_crc",
    "features_fingerprint",
    "history_fingerprint",
    "spec_of",
]

Bools: TypeAlias = npt.NDArray[np.bool_]


class Status(IntEnum):
    """What a record is to the scorer."""

    SCORE = kernel.SCORE
    OUTCOME = kernel.OUTCOME
    DUPLICATE = kernel.DUPLICATE
    CONFLICT = kernel.CONFLICT


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What `Encoder.encode` yields for n events.

    Attributes:
        features: float32 [n, d], NaN where missing; all NaN in rows that are not to be scored.
        status: uint8 [n], a `Status`.
        late: bool [n], event time before the newest of the partition.
        ahead: bool [n], event time more than an hour after the partition's watermark.
        asked: float32 [n, asked measures], as `features`; see `Encoder.ask`.
    """

    features: Float32s
    status: UInt8s
    late: Bools
    ahead: Bools
    asked: Float32s


class Encoder:
    """Turns batches of one partition into features, and takes them into its history.

    Raises:
        ValueError: a feature looks back further than the history remembers, or the history counts other own fields.
    """

    def __init__(self, spec: FeatureSpec, history: History) -> None:
        days = history.config.horizon_days
        for feature in spec.features:
            if feature.horizon > days * DAY_US:
                back = feature.horizon / DAY_US
                raise ValueError(f"feature {feature.name} looks back {back:g} days; the history remembers {days}")
        counted = history.config.own_entities, history.config.own_categories
        if counted != (spec.fields.entities, spec.fields.categories):
            raise ValueError(
                "the history counts other own entities and categories than the features read: make both from one "
                "platform"
            )
        self.spec = spec
        self.history = history
        self._asked: tuple[tuple[str, str], ...] = ()
        self._plan = _plan(spec, ())
        self._risky = spec.risk_columns()
        categories = len(spec.fields.categories)
        widest = len(EVENT_MEASURES) + len(spec.fields.values) + len(SPAN_NAMES) * categories
        self._scratch = new_scratch(len(KINDS), widest, categories)

    def ask(self, sources: Sequence[tuple[str, str]]) -> None:
        """Has these measures read with the features from the next batch on, in place of those asked for before.

        They are read as features are, before the event changes the history, and change neither features nor history;
        what nobody asks for costs nothing.

        Args:
            sources: as `Feature.source`, of the history or the event.

        Raises:
            ValueError: there is no such measure.
        """
        if tuple(sources) == self._asked:
            return
        for source in sources:
            if source[0] == RISK or not valid_source(source, self.spec.fields):
                raise ValueError(f"the history has no measure {source[1]} of {source[0]}")
        self._asked = tuple(sources)
        self._plan = _plan(self.spec, self._asked)

    def encode(self, batch: Batch, risk: RiskTables | None = None) -> Encoded:
        """Read each event's features, then update the history, event by event in the given order.

        `risk` holds what labels told until then; it changes with the model, unlike the history.
        """
        n = len(batch)
        held, fields = (batch.attributes.shape[1], batch.own_ids.shape[1]), self.spec.fields
        if held != (len(fields.values), len(fields.entities)):
            raise ValueError(f"batch has {sum(held)} own fields, the spec {len(fields.values) + len(fields.entities)}")
        read = np.full((n, self.spec.width + len(self._asked)), np.nan, np.float32)
        status, late, ahead = np.zeros(n, np.uint8), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        columns, history = columns_of(batch), self.history
        for start, stop in history.stretches(n):
            kernel.advance(
                history.state, history.limits, columns, start, stop, self._plan, self._scratch, read, status, late,
                ahead,
            )  # fmt: skip
        features = np.ascontiguousarray(read[:, : self.spec.width])  # a copy only where more was asked for
        self._add_risk(batch, features, status, risk or RiskTables())
        return Encoded(features, status, late, ahead, read[:, self.spec.width :])

    def _add_risk(self, batch: Batch, features: Float32s, status: UInt8s, risk: RiskTables) -> None:
        for entity, (columns, windows) in self._risky.items():
            if not risk.knows(entity):
                continue  # all missing, as they are
            risks = risk.lookup(entity, self.spec.ids(batch, entity), batch.time)[:, windows]
            features[:, columns] = np.where((status == Status.SCORE)[:, None], risks, np.float32(np.nan))


def _plan(spec: FeatureSpec, asked: Sequence[tuple[str, str]]) -> kernel.Plan:
    """Measures and columns ordered by kind, own entities after the standard ones, the event's own last.

    Features first, then what else is asked for.
    """
    places: Final = (*KINDS, *(OWN + name for name in spec.fields.entities), EVENT)
    own_at, values = len(EVENT_MEASURES), spec.fields.values
    measures: dict[str, list[int]] = {place: [] for place in places}
    columns: dict[str, list[int]] = {place: [] for place in places}
    for column, source in enumerate((*(feature.source for feature in spec.features), *asked)):
        place, measure = source
        if place == RISK:
            continue
        if place == ATTRIBUTE:
            place, position = EVENT, own_at + values.index(measure)
        elif place == SEEN:
            name, _, span = measure.rpartition("_")
            counts = len(SPAN_NAMES) * spec.fields.categories.index(name) + SPAN_NAMES.index(span)
            place, position = EVENT, own_at + len(values) + counts
        else:
            position = (EVENT_MEASURES if place == EVENT else MEASURES).index(measure)
        measures[place].append(position)
        columns[place].append(column)
    starts = np.cumsum([0, *(len(measures[place]) for place in places)])
    return kernel.Plan(
        starts=starts.astype(np.int64),
        measures=np.array([position for place in places for position in measures[place]], np.int64),
        columns=np.array([column for place in places for column in columns[place]], np.int64),
    )


def features_fingerprint(spec: FeatureSpec, config: HistoryConfig) -> str:
    """16 hex digits that name the features and the history behind them: bundles of another one are refused.

    Texts are left out: a reason may be worded better without a new model.
    """
    features = [(f.name, f.source, f.kind, f.horizon, f.stage) for f in spec.features]
    own = (*spec.fields.values, *spec.fields.entities)
    return fingerprint({"history": history_fingerprint(config), "features": features, "attributes": own})


def features_crc(row: Float32s) -> int:
    """CRC-32 of one row's float32 bytes, by which two runs compare their features."""
    return zlib.crc32(np.ascontiguousarray(row, np.float32).tobytes())
