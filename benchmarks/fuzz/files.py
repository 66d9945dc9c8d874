"""Damaged files by seed and index: which original, and what was done to it."""

import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.fuzz.damage import BYTES, NASTY
from fraud.models.bundle import MANIFEST, checksum

TARGETS: Final[Sequence[tuple[str, str, int]]] = (
    ("bundle", MANIFEST, 4), ("bundle", "policy.json", 4), ("bundle", "golden.npz", 4), ("bundle", "saved_model.pb", 4),
    ("bundle", "variables/variables.index", 2), ("bundle", "variables/variables.data-00000-of-00001", 2),
    ("bundle", "metrics.json", 1), ("bundle", "risk/merchant.npz", 4), ("bundle", "BLESSED", 1),
    ("serving", "serving.json", 6), ("snapshot", "snapshot.npz", 8),
    ("ledger", "events/day=2026-01-01/0-00000000000000000000-00000000000000000002.parquet", 4),
    ("ledger", "decisions/day=2026-01-01/0-00000000000000000000-00000000000000000002.parquet", 3),
    ("ledger", "labels/day=2026-01-02/0-00000000000000000003-00000000000000000005.parquet", 3),
    ("ledger", "progress.json", 4),
    ("state", "state.json", 4), ("record", "runs/00001/record.json", 3), ("labels", "labels.jsonl", 4),
    ("labels", "labels.parquet", 3), ("events", "events.jsonl", 4), ("events", "events.parquet", 3),
    ("rates", "rates.json", 4), ("mapping", "mapping.toml", 3), ("policy", "policy.json", 3),
)  # fmt: skip
"""Loader, file below its folder, weight."""


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file.

    Attributes:
        loader: who reads it, a name of `benchmarks.fuzz.loaders.LOADERS`.
        name: of the file, below the loader's folder.
        how: what is done to it.
        sealed: whether the manifest names the damaged file's checksum, as if it had been exported like that.
    """

    loader: str
    name: str
    how: str
    sealed: bool

    def __str__(self) -> str:
        """For people."""
        return f"{self.loader}/{self.name}, {self.how}{', sealed' if self.sealed else ''}"


def case(seed: int, index: int, folder: Path) -> Case:
    """Damages the case's file in `folder`, a copy of the originals of its loader, and says what it did.

    A loader's folder is chosen by `loader_of` before.
    """
    draw = _draw(seed, index)
    loader, name = _target(draw)
    path = folder / name
    how = draw.choice(("bytes", "bytes", "bytes", "structure", "structure", "gone", "folder", "empty"))
    sealed = loader == "bundle" and name not in {MANIFEST, "BLESSED"} and draw.random() < 0.7
    raw = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "empty":
        path.touch()
    elif how != "gone":
        path.write_bytes(_structural(path.suffix, raw, draw) if how == "structure" else draw.choice(BYTES)(raw, draw))
    if sealed:
        _seal(folder)
    return Case(loader, name, how, sealed)


def loader_of(seed: int, index: int) -> str:
    """Who reads the file of a case."""
    return _target(_draw(seed, index))[0]


def _draw(seed: int, index: int) -> random.Random:
    return random.Random(f"{seed}:file:{index}")  # noqa: S311 - seeded


def _target(draw: random.Random) -> tuple[str, str]:
    loader, name, _ = draw.choices(TARGETS, [weight for *_, weight in TARGETS])[0]
    return loader, name


def _seal(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    files = {name for name in manifest["files"] if (folder / name).is_file()}
    manifest["files"] = {name: checksum(folder / name) for name in sorted(files)}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _structural(suffix: str, raw: bytes, draw: random.Random) -> bytes:
    """Damage that leaves the file's form whole, where that has one."""
    if suffix == ".npz":
        return _arrays(raw, draw)
    if suffix in {".json", ".jsonl"}:
        return _json(raw, draw)
    if suffix == ".toml":
        lines = raw.splitlines(keepends=True)
        place = draw.randrange(len(lines))
        lines[place] = draw.choice(
            (b"", lines[place] * 2, lines[place].partition(b"=")[0] + b"= " + draw.choice(NASTY) + b"\n")
        )
        return b"".join(lines)
    return draw.choice(BYTES)(draw.choice(BYTES)(raw, draw), draw)


def _json(raw: bytes, draw: random.Random) -> bytes:
    """A value somewhere inside replaced by another JSON text, or a key by another."""
    lines = raw.splitlines() or [b"{}"]
    whole = raw if lines[0].strip() in {b"{", b"["} or len(lines) == 1 else None
    place = draw.randrange(len(lines))
    document = json.loads(whole or lines[place])
    marked = _replaced(document, draw)
    changed = json.dumps(marked).encode().replace(b'"@@"', draw.choice(NASTY), 1)
    return changed if whole else b"\n".join((*lines[:place], changed, *lines[place + 1 :])) + b"\n"


def _replaced(value: Any, draw: random.Random) -> Any:  # noqa: ANN401 - any JSON
    """The value with one place inside it marked, moved or removed."""
    if draw.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return "@@"
    if isinstance(value, list):
        place = draw.randrange(len(value))
        return [*value[:place], _replaced(value[place], draw), *value[place + 1 :]]
    name = draw.choice(list(value))
    rest = {key: held for key, held in value.items() if key != name}
    action = draw.random()
    if action < 0.1:
        return rest
    if action < 0.2:
        return {**rest, draw.choice(("", "x", "é", name + "x")): value[name]}
    return {**value, name: _replaced(value[name], draw)}


def _arrays(raw: bytes, draw: random.Random) -> bytes:
    """The archive with one array of another type, shape or name; all checksums are right."""
    with np.load(io.BytesIO(raw), allow_pickle=False) as held:
        arrays: dict[str, Any] = {name: held[name] for name in held.files}
    name = draw.choice(sorted(arrays))
    array = arrays.pop(name)
    action = draw.choice(("gone", "renamed", "type", "longer", "shorter", "scalar", "flat", "deeper", "text", "values"))
    changes: Mapping[str, Callable[[], dict[str, Any]]] = {
        "gone": lambda: {},  # noqa: PIE807 - mypy takes no bare `dict` here
        "renamed": lambda: {name + "x": array},
        "type": lambda: {name: _cast(array, draw)},
        "longer": lambda: {name: np.concatenate([np.atleast_1d(array)] * 3)},
        "shorter": lambda: {name: np.atleast_1d(array)[: len(np.atleast_1d(array)) // 2]},
        "scalar": lambda: {name: np.array(7)},
        "flat": lambda: {name: array.ravel()[:1]},
        "deeper": lambda: {name: array[None]},
        "text": lambda: {name: np.array(["a", "b"])},
        "values": lambda: {name: np.full_like(array, np.nan) if array.dtype.kind == "f" else np.array(array)[::-1]},
    }
    arrays |= changes[action]()
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _cast(array: Any, draw: random.Random) -> Any:  # noqa: ANN401 - an array
    kind = draw.choice((np.float64, np.int8, np.complex128, np.bool_))
    return np.zeros(array.shape, kind) if array.dtype.kind not in "fiub" else array.astype(kind)
