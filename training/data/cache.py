"""Data sets on disk, named by the content of everything that they were made from."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fraud.features.platform import Platform
from runtime.files import replacing
from training.data.dataset import COLUMNS, Dataset, Identity


def key_of(paths: Sequence[Path], facts: dict[str, object]) -> str:
    """16 hex digits that name files' contents and the settings of a replay."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def cached(folder: Path, key: str, make: Callable[[], Dataset]) -> Dataset:
    """The data set of that key, made and kept when it is not there yet."""
    path = folder / f"dataset-{key}.npz"
    if path.is_file():
        return load(path)
    dataset = make()
    folder.mkdir(parents=True, exist_ok=True)
    save(dataset, path)
    return dataset


def save(dataset: Dataset, path: Path) -> None:
    """Writes a data set, in one step, without pickles."""
    arrays = {name: getattr(dataset, name) for name in COLUMNS}
    arrays["transaction_ids"] = arrays["transaction_ids"].astype(np.str_)
    arrays |= {f"segment_{name}": values for name, values in dataset.segments.items()}
    arrays |= {f"risk_{entity}": ids for entity, ids in dataset.risk_ids.items()}
    arrays |= {"names": np.array(dataset.names), "identity": np.array(_text_of(dataset.identity))}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def _text_of(identity: Identity) -> str:
    return json.dumps(asdict(identity), default=lambda platform: platform.model_dump(mode="json"))


def load(path: Path) -> Dataset:
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in COLUMNS}
        arrays["transaction_ids"] = arrays["transaction_ids"].astype(object)
        identity = json.loads(str(held["identity"]))
        identity |= {"sources": tuple(identity["sources"]), "platform": Platform.model_validate(identity["platform"])}
        segments, risk_ids = (
            {name.removeprefix(prefix): held[name] for name in held.files if name.startswith(prefix)}
            for prefix in ("segment_", "risk_")
        )
        names = tuple(held["names"].tolist())
        return Dataset(identity=Identity(**identity), names=names, segments=segments, risk_ids=risk_ids, **arrays)
