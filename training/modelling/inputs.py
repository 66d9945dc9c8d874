"""Event files to what pre-training and adaptation take."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fraud.features.encoder import SPEC
from fraud.features.risk_tables import RiskTables
from fraud.models.bundle import BASE, InvalidBundle, read_manifest, verify_files
from training.data.dataset import (
    Dataset,
)
from training.data.errors import (
    InvalidDataset,
)
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import build, read_stream
from training.data.sample import Floats, Sample
from training.labels.delay import DelayCurve, Reports
from training.modelling.base import Base, load_base
from training.registry.versions import RegistryError, find, versions

LABELS: str = "labels.parquet"

PRESENT: float = 1e-3
"""A feature that fewer target rows have counts as one that the target lacks."""


def kinds_of(names: Sequence[str]) -> tuple[str, ...]:
    """The kind of each feature by its name; names are those of the default spec."""
    kinds = {feature.name: str(feature.kind) for feature in SPEC.features}
    unknown = [name for name in names if name not in kinds]
    if unknown:
        raise InvalidDataset(f"feature {unknown[0]} is not in this version's spec: build the data set again")
    return tuple(kinds[name] for name in names)


def open_base(root: Path, version: int | None, key: str | None = None) -> tuple[int, Base]:
    """(version, base) of that version, of the newest one by default; verified, and signed under the key if any.

    Raises:
        RegistryError, InvalidDataset: there is none or it is damaged; it is no base.
    """
    if version is None:
        bases = [v.version for v in versions(root) if v.area == "bases"]
        if not bases:
            raise RegistryError(f"{root} has no base to adapt: run pretrain first")
        version = bases[-1]
    area, path = find(root, version)
    try:
        manifest = read_manifest(path, key)
        if area == "bases":
            verify_files(path, manifest)
    except InvalidBundle as error:
        raise RegistryError(str(error)) from None
    if area != "bases" or manifest.strategy != BASE:
        raise InvalidDataset(f"version {version} is not a base; name one that pretrain printed")
    return version, load_base(path)


def matched(base: Base, target: Floats) -> Base:
    """The base as a target with these features [u, d] needs it: what the target lacks is missing from the source too.

    What the target lacks must not be learnt from the source.
    """
    absent = lacking(target)
    return replace(base, source=without(base.source, absent), held_out=without(base.held_out, absent))


def labels_beside(events: Path, labels: Path | None) -> Path:
    """The label file: the given one, else `labels.parquet` in the events' folder."""
    path = labels or events.with_name(LABELS)
    if not path.is_file():
        raise InvalidDataset(f"{path} does not exist: labels belong beside the events, or name their file")
    return path


def read_source(
    files: Sequence[Path], *, partitions: int, cache: Path | None, progress: bool
) -> tuple[Dataset, Sample]:
    """Labelled rows of every source platform, each replayed on its own, joined in time order."""
    parts = [
        build(path, labels_beside(path, None), partitions=partitions, cache=cache, progress=progress) for path in files
    ]
    joined = Dataset.concatenate(parts)
    return joined, Sample.of(joined)


def source_delay(files: Sequence[Path], *, partitions: int) -> DelayCurve:
    """How late the frauds of the source platforms were reported."""
    context = FeatureContext(partitions=partitions)
    streams = [read_stream([path], labels_beside(path, None), context) for path in files]
    return DelayCurve.of(Reports.concatenate([Reports.of(stream.ledger) for stream in streams]))


def read_unlabelled(
    files: Sequence[Path], *, partitions: int, cache: Path | None, progress: bool, width: int
) -> Floats:
    """Features of target rows whose labels are not looked at, float32 [u, d]; [0, d] without files."""
    parts = [
        build(path, None, partitions=partitions, risk=RiskTables(), cache=cache, progress=progress).features
        for path in files
    ]
    return np.concatenate([np.zeros((0, width), np.float32), *parts])


def lacking(features: Floats) -> list[int]:
    """Columns that (almost) no row of a domain has."""
    if len(features) == 0:
        return []
    present = 1 - np.isnan(features).mean(axis=0)
    return [int(column) for column in np.flatnonzero(present < PRESENT)]


def without(sample: Sample, columns: Sequence[int]) -> Sample:
    """The sample with these columns missing."""
    if not columns:
        return sample
    features = sample.features.copy()
    features[:, list(columns)] = np.nan
    return replace(sample, features=features)
