"""The past of a file teaches, its last part tests: the cut in time, and the version that was learnt before it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from fraud.features.risk_tables import RiskTables
from fraud.features.spec import FeatureSpec
from training.data.dataset import Dataset
from training.data.errors import InvalidDataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import Stream, count_risk, from_stream
from training.data.risk_plan import RiskPlan
from training.data.sample import MIN_FRAUDS, Sample
from training.evaluation.shop_policy import shop_policy
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.export import export_bundle, learnt_from
from training.modelling.inputs import matched, open_base
from training.modelling.pretrain import without_source
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import Progress

TAUGHT: Final = 0.72
"""Share of the payments, by time, that the model learns from."""

STRATEGY: Final = "auto"


@dataclass(frozen=True, slots=True)
class Split:
    """A file cut in time.

    Attributes:
        past: payments before the cut, with what was known of them at the cut.
        test: the payments from the cut on, with all that is known of them.
        cut: µs.
        risk: dated tables of what was known at the cut.
        spec: the features.
    """

    past: Dataset
    test: Dataset
    cut: int
    risk: RiskTables
    spec: FeatureSpec

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of the features."""
        return self.spec.kinds


@dataclass(frozen=True, slots=True)
class Learnt:
    """A version in the model directory.

    Attributes:
        version: its number.
        base: of the base it came from; None where it learnt from the file alone.
        why: what was chosen, and why.
    """

    version: int
    base: int | None
    why: str


def split(stream: Stream, context: FeatureContext, *, share: float = TAUGHT) -> Split:
    """Cuts a stream in time.

    Raises:
        InvalidDataset: too few frauds on either side to learn or to measure.
    """
    times = np.sort(stream.ledger.records.transactions["time"].to_numpy())
    cut = int(times[min(int(share * len(times)), len(times) - 1)])
    risk = count_risk(stream, RiskPlan(), context.spec, until=cut)
    data = from_stream(stream, context, risk=risk)
    past = data.between(None, cut).with_labels(stream.ledger, cut)
    test = data.between(cut, None).labelled()
    for side, part, advice in (
        ("before", past, "labels that come late are not known yet: see delay_days in the mapping"),
        ("from", test, "the file needs a longer time"),
    ):
        if part.frauds < MIN_FRAUDS:
            raise InvalidDataset(
                f"{part.frauds} frauds are known {side} {_day(cut)}, where the model is cut from its test; at least "
                f"{MIN_FRAUDS} are needed on both sides: {advice}"
            )
    return Split(past, test, cut, risk, context.spec)


def learn(
    parts: Split,
    root: Path,
    *,
    base: int | None,
    seed: int,
    now: datetime,
    key: str | None,
    progress: Progress,
    effort: AdaptOptions | None = None,
) -> Learnt:
    """Learns from the past and writes a version that can be served.

    Args:
        parts: the file, cut in time.
        root: the model directory.
        base: version of the base to adapt; None learns from the past alone.
        seed: of everything drawn.
        now: with offset.
        key: signs manifests; None where the platform has none.
        progress: told what is going on.
        effort: what adaptation costs; None: as usual.

    Raises:
        InvalidDataset, RegistryError: nothing can be learnt, or the base does not fit.
    """
    past = Sample.of(parts.past)
    made = _base(parts, past, root, base, seed=seed, key=key)
    options = effort or AdaptOptions(teachers=max(len(made.teachers), 1))
    # Every label of the past is counted, so they are the fraud rate.
    task = Task(made, past, parts.past.features, seed, options, progress)
    candidate = adapt(task, STRATEGY, frauds_counted=parts.past.frauds, rows_counted=int(parts.past.observed.sum()))
    policy = shop_policy(parts.past, None)
    version = export_bundle(
        root,
        learnt_from(candidate, parts.past, parts.past.labelled().transaction, as_received=True, facts={}),
        identity=parts.past.identity,
        created_at=now,
        parent=base,
        policy=policy.model_dump_json(indent=2).encode() + b"\n",
        write_risk=parts.risk.to_file if parts.risk.tables else None,
        key=key,
    )
    return Learnt(version, base, str(candidate.report["why"]))


def _base(parts: Split, past: Sample, root: Path, version: int | None, *, seed: int, key: str | None) -> Base:
    """The base to adapt, in the file's columns; without one nothing is known beforehand."""
    if version is None:
        return without_source(past, parts.past.features, names=parts.spec.names, kinds=parts.kinds, seed=seed)
    return matched(open_base(root, version, key)[1], parts.past)


def _day(time_us: int) -> str:
    return str(np.datetime64(time_us, "us"))[:16]
