"""The past of a file teaches, its last part tests: the cut in time, and the version that was learnt before it.

Without a base the older part of the past plays the source and the newer one the target, so that the way of adapting is
chosen on payments that the source has not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from fraud.features.catalogue import default_spec
from fraud.features.platform import FieldKind, Platform
from fraud.features.risk_tables import RiskTables
from fraud.features.spec import FeatureKind, FeatureSpec
from fraud.models.bundle import BASE, TrainedOn
from fraud.money import Rates
from training.data.dataset import Dataset
from training.data.errors import InvalidDataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import Stream, count_risk, from_stream
from training.data.risk_plan import RiskPlan
from training.data.sample import MIN_FRAUDS, Sample
from training.evaluation.shop_policy import shop_policy
from training.modelling.adapt import adapt
from training.modelling.base import Base, save_base
from training.modelling.export import export_bundle, write_version
from training.modelling.inputs import matched, open_base
from training.modelling.pretrain import PretrainOptions, pretrain
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import Progress

TAUGHT: Final = 0.72
"""Share of the payments, by time, that the model learns from."""

SOURCE_SHARE: Final = 0.6
"""Share of the past's frauds in the part that plays the source."""

STRATEGY: Final = "auto"
_KINDS: Final = {FieldKind.FLAG: FeatureKind.FLAG, FieldKind.CATEGORY: FeatureKind.CATEGORY}


@dataclass(frozen=True, slots=True)
class Effort:
    """What learning costs: the base, and its adaptation."""

    pretrain: PretrainOptions = field(default_factory=lambda: PretrainOptions(teachers=2))
    adapt: AdaptOptions = field(default_factory=lambda: AdaptOptions(teachers=2))


USUAL: Final = Effort()


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
        return tuple(str(feature.kind) for feature in self.spec.features)


@dataclass(frozen=True, slots=True)
class Learnt:
    """A version in the model directory.

    Attributes:
        version: its number.
        base: of the base it came from.
        why: what was chosen, and why.
    """

    version: int
    base: int
    why: str


def context_of(platform: Platform) -> FeatureContext:
    """The features of a platform with these fields."""
    spec = default_spec(platform.named())
    features = tuple(
        replace(f, kind=_KINDS.get(platform.fields[f.source[1]].kind, f.kind)) if f.source[0] == "attribute" else f
        for f in spec.features
    )
    return FeatureContext(
        replace(spec, features=features),
        rates=Rates.default(platform.base_currency),
        partitions=platform.partitions,
        stage=platform.stage,
    )


def split(stream: Stream, context: FeatureContext, *, share: float = TAUGHT) -> Split:
    """Cuts a stream in time.

    Raises:
        InvalidDataset: too few frauds on either side to learn or to measure.
    """
    times = np.sort(stream.ledger.records.transactions["time"].to_numpy())
    cut = int(times[min(int(share * len(times)), len(times) - 1)])
    risk = count_risk(stream, RiskPlan(), until=cut)
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
    effort: Effort = USUAL,
) -> Learnt:
    """Learns from the past and writes a version that can be served.

    Args:
        parts: the file, cut in time.
        root: the model directory.
        base: version to adapt; None pre-trains on the past itself.
        seed: of everything drawn.
        now: with offset.
        key: signs manifests; None where the platform has none.
        progress: told what is going on.
        effort: see there.

    Raises:
        InvalidDataset, RegistryError: nothing can be learnt, or the base does not fit.
    """
    past = Sample.of(parts.past)
    if base is None:
        source, target = _older_and_newer(past)
        made = pretrain(
            source,
            target.features,
            names=parts.spec.names,
            kinds=parts.kinds,
            seed=seed,
            options=effort.pretrain,
            progress=progress,
        )
        base = _save(made, source, parts, root, seed=seed, now=now, key=key)
    else:
        target = past
        base, made = open_base(root, base, key)
        made = matched(made, parts.past.features)
        _check_names(made, parts.spec.names)
    # Every label of the past is counted, so they are the fraud rate.
    task = Task(made, target, parts.past.features, seed, effort.adapt, progress)
    candidate = adapt(task, STRATEGY, frauds_counted=parts.past.frauds, rows_counted=int(parts.past.observed.sum()))
    policy = shop_policy(parts.past, None)
    version = export_bundle(
        root,
        candidate,
        identity=parts.past.identity,
        created_at=now,
        parent=base,
        policy=policy.model_dump_json(indent=2).encode() + b"\n",
        write_risk=parts.risk.to_file if parts.risk.tables else None,
        key=key,
    )
    return Learnt(version, base, str(candidate.report["why"]))


def _older_and_newer(past: Sample) -> tuple[Sample, Sample]:
    frauds = np.flatnonzero(past.label == 1)
    if len(frauds) < 2 * MIN_FRAUDS:
        raise InvalidDataset(
            f"{len(frauds)} frauds are known before the test; at least {2 * MIN_FRAUDS} are needed without a base"
        )
    place = max(min(round(SOURCE_SHARE * len(frauds)), len(frauds) - MIN_FRAUDS), MIN_FRAUDS)
    edge = int(frauds[place])
    return past.take(slice(0, edge)), past.take(slice(edge, None))


def _save(base: Base, source: Sample, parts: Split, root: Path, *, seed: int, now: datetime, key: str | None) -> int:
    facts = {
        "feature_names": base.names,
        "strategy": BASE,
        "seed": seed,
        "prior": base.source_prior,
        "trained_on": TrainedOn(rows=len(source), frauds=source.frauds),
    }
    return write_version(
        root, "bases", partial(save_base, base), facts, identity=parts.past.identity, created_at=now, key=key
    )


def _check_names(base: Base, names: Sequence[str]) -> None:
    if base.names != tuple(names):
        other = sorted(set(base.names) ^ set(names))
        differ = f"{len(other)} differ, e.g. {other[0]}" if other else "their order differs"
        raise InvalidDataset(
            f"the base reads other features than this file has ({differ}): leave --base out to learn from the file"
        )


def _day(time_us: int) -> str:
    return str(np.datetime64(time_us, "us"))[:16]
