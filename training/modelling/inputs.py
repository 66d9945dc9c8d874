"""Event files to what pre-training and adaptation take."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fraud.features.catalogue import spec_of
from fraud.features.platform import STANDARD, Platform
from fraud.features.risk_tables import RiskTables
from fraud.models.bundle import BASE, InvalidBundle, read_manifest, verify_files
from runtime.model_registry import RegistryError
from training.data.dataset import (
    Dataset,
)
from training.data.errors import (
    InvalidDataset,
)
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import build, read_stream
from training.data.sample import Floats, Sample, some_rows
from training.labels.delay import DelayCurve, Reports
from training.modelling.base import Base, load_base
from training.modelling.columns.matched import in_columns
from training.registry.versions import find, versions

LABELS: str = "labels.parquet"

ENCODED_ROWS: int = 50_000
"""Of the target, at most, for the encoding of what only it has."""

PRESENT: float = 1e-3
"""A feature that fewer target rows have counts as one that the target lacks."""


def kinds_of(names: Sequence[str], platforms: Iterable[Platform] = (STANDARD,)) -> tuple[str, ...]:
    """The kind of each feature by its name, as one or more platforms have them.

    Raises:
        InvalidDataset: none of them has a feature, or two have it of different kinds.
    """
    kinds: dict[str, str] = {}
    for spec in map(spec_of, platforms):
        for name, kind in zip(spec.names, spec.kinds, strict=True):
            if kinds.setdefault(name, kind) != kind:
                raise InvalidDataset(f"{name} is a {kinds[name]} on one platform and a {kind} on another: rename one")
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


def matched(base: Base, target: Dataset) -> Base:
    """The base as a target needs it: in its columns, and what the target lacks is missing from the source too.

    What the target lacks must not be learnt from the source.

    Raises:
        InvalidDataset: a feature of both is of another kind in each.
    """
    mapped = base
    if target.names != base.names:
        kinds = kinds_of(target.names, [target.identity.platform])
        mapped = in_columns(base, target.names, kinds, some_rows(target.features, ENCODED_ROWS, seed=0))
    absent = lacking(target.features)
    return replace(mapped, source=without(mapped.source, absent), held_out=without(mapped.held_out, absent))


def labels_beside(events: Path, labels: Path | None) -> Path:
    """The label file: the given one, else `labels.parquet` in the events' folder."""
    path = labels or events.with_name(LABELS)
    if not path.is_file():
        raise InvalidDataset(f"{path} does not exist: labels belong beside the events, or name their file")
    return path


def read_source(
    files: Sequence[Path],
    contexts: Sequence[FeatureContext],
    *,
    names: Sequence[str],
    cache: Path | None,
    progress: bool,
) -> tuple[Dataset, Sample]:
    """Labelled rows of every source platform, each replayed on its own, joined in time order.

    Args:
        files: events of each source.
        contexts: the platform of each.
        names: of the features wanted; what a platform lacks is missing in its rows.
        cache: see `training.data.replayed_stream.build`.
        progress: as there.

    Raises:
        InvalidDataset: a file cannot be used, or amounts are in different currencies.
    """
    currencies = sorted({context.platform.base_currency for context in contexts})
    if len(currencies) > 1:
        raise InvalidDataset(f"sources count in {' and '.join(currencies)}: declare one base_currency for all")
    parts = [
        build(path, labels_beside(path, None), context=context, cache=cache, progress=progress)
        for path, context in zip(files, contexts, strict=True)
    ]
    joined = Dataset.concatenate(part.in_columns(names) for part in parts)
    return joined, Sample.of(joined)


def source_delay(files: Sequence[Path], contexts: Sequence[FeatureContext]) -> DelayCurve:
    """How late the frauds of the source platforms were reported."""
    streams = [
        read_stream([path], labels_beside(path, None), context) for path, context in zip(files, contexts, strict=True)
    ]
    return DelayCurve.of(Reports.concatenate([Reports.of(stream.ledger) for stream in streams]))


def read_unlabelled(
    files: Sequence[Path],
    contexts: Sequence[FeatureContext],
    *,
    names: Sequence[str],
    cache: Path | None,
    progress: bool,
) -> Floats:
    """Named features of target rows whose labels are not looked at, float32 [u, d]; [0, d] without files."""
    parts = [
        build(path, None, context=context, risk=RiskTables(), cache=cache, progress=progress)
        for path, context in zip(files, contexts, strict=True)
    ]
    return np.concatenate([np.zeros((0, len(names)), np.float32), *(part.in_columns(names).features for part in parts)])


def united_names(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Every name once, in the order in which the lists bring them."""
    return tuple(dict.fromkeys(name for names in lists for name in names))


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
