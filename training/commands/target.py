"""The target platform as `adapt` is given it: all of its payments, and the labelled ones to learn from."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fraud.features.risk_tables import RiskTables
from training.commands.console import now, to_us
from training.data.dataset import END_OF_TIME, Dataset, draw_labels
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import Stream, build, count_risk, read_stream
from training.data.risk_plan import RiskPlan
from training.data.sample import MIN_FRAUDS, Sample
from training.data.training_rows import fraud_rate, training_rows
from training.labels.delay import DelayCurve, Reports


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of the target.

    Attributes:
        data: all of its transactions.
        sample: the labelled rows to learn from, silent ones that are presumed genuine among them.
        learnt: their hashed transaction ids, uint64 [m].
        as_received: whether it is everything up to its last payment; else a draw.
        frauds_counted, rows_counted: for its fraud rate, corrected for reports that are still to come.
        risk: dated tables behind its features.
    """

    data: Dataset
    sample: Sample
    learnt: npt.NDArray[np.uint64]
    as_received: bool
    frauds_counted: float
    rows_counted: float
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
    chosen = data.take(drawn)
    frauds = int(data.label[uniform].sum())
    return Target(data, Sample.of(chosen), chosen.transaction, False, frauds, count, RiskTables())


def as_received(
    events: Path, labels: Path, as_of: int, *, context: FeatureContext, source: DelayCurve | None, seed: int
) -> Target:
    """Everything that had been received by a time (µs), dated risk tables included.

    Args:
        events: of the target.
        labels: of the target.
        as_of: labels received by then are known, µs.
        context: of its features.
        source: how late the source's frauds were reported, where the base knows it.
        seed: of the draw of silent payments.
    """
    stream = read_stream([events], labels, context)
    risk = count_risk(stream, RiskPlan(), context.spec, until=as_of)
    data = build(events, labels, as_of=as_of, context=context, risk=risk, progress=True)
    curve = DelayCurve.of(Reports.of(stream.ledger, as_of), source)
    taught = training_rows(data, curve, as_of, seed=seed)
    rate = fraud_rate(data, curve, as_of)
    return Target(data, taught.sample, taught.transaction, True, rate.frauds, rate.payments, risk)


def known_from(as_of: datetime | None, stream: Stream) -> int:
    """When labels must have been received to count, µs: at the time that was asked for, else now.

    Where a label file says that its silence matures at once, all of its labels are final, whatever their dates.
    """
    if as_of is None and stream.ledger.maturity_days == 0:
        return END_OF_TIME
    return to_us(now() if as_of is None else as_of)
