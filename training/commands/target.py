"""The target platform as `adapt` is given it: all of its payments, and the labelled ones to learn from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fraud.features.risk_tables import RiskTables
from training.data.dataset import Dataset, draw_labels
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import build, count_risk, read_stream
from training.data.risk_plan import RiskPlan
from training.data.sample import MIN_FRAUDS, Sample


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of the target.

    Attributes:
        data: all of its transactions.
        sample: the labelled rows to learn from.
        frauds_counted, rows_counted: for its fraud rate.
        risk: dated tables behind its features.
    """

    data: Dataset
    sample: Sample
    frauds_counted: int
    rows_counted: int
    risk: RiskTables


def with_budget(
    events: Path, labels: Path, count: int, *, seed: int, context: FeatureContext, cache: Path | None
) -> Target:
    """A drawn budget of matured labels. Risk features stay empty: their tables would know more labels than that."""
    data = build(events, labels, context=context, risk=RiskTables(), cache=cache, progress=True)
    drawn = draw_labels(data, count, seed, MIN_FRAUDS)
    known = int(data.observed.sum())
    # The fraud rate comes from the uniform draw, before frauds were exchanged in.
    uniform = np.random.default_rng(seed).permutation(np.flatnonzero(data.observed))[: min(count, known)]
    return Target(data, Sample.of(data.take(drawn)), int(data.label[uniform].sum()), count, RiskTables())


def as_received(events: Path, labels: Path, as_of: int, *, context: FeatureContext) -> Target:
    """Everything that had been received by a time (µs), dated risk tables included."""
    stream = read_stream([events], labels, context)
    risk = count_risk(stream, RiskPlan(), context.spec, until=as_of)
    data = build(events, labels, as_of=as_of, context=context, risk=risk, progress=True)
    sample = Sample.of(data)
    # Silence is no label yet, but it does count in the rate: known frauds alone would be all of the labels at first.
    return Target(data, sample, sample.frauds, len(data), risk)
