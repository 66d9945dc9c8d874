"""The model directory: versions in it, and the moves that training makes; see `runtime.model_registry` for the slots.

Layout and manifest are those of `fraud.models.bundle`. Every move leaves the directory whole at each instant: folders
are renamed, `serving.json` is replaced, both under one lock that the system releases when its holder dies. Nothing is
loaded here, so TensorFlow is not needed.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from fraud.models.bundle import BLESSED, InvalidBundle, Manifest, read_manifest, verify_files
from fraud.models.serving import AREAS, Area, Serving, Slot, area_folder, find_version
from runtime.files import sync, sync_tree, write_json
from runtime.model_registry import ROLLED_BACK, RegistryError, locked, read_slots, write_slots

REFUSED: Final = "REFUSED.json"
TEMPORARY: Final = ".new-"
ABANDONED_SECONDS: Final = 86_400
"""Without a change, after which a workspace is nobody's: training writes into it for minutes at most."""
KEEP_PREVIOUS: Final = 20


@dataclass(frozen=True, slots=True)
class Version:
    """One version as `list` shows it.

    Attributes:
        version: its number, unique over all areas.
        area: live (blessed, may serve), candidates, or bases.
        manifest: what it is.
        role: "champion", "shadow", "previous" or "".
        note: why it was refused or rolled back; "" otherwise.
    """

    version: int
    area: Area
    manifest: Manifest
    role: str
    note: str

    def as_json(self) -> dict[str, object]:
        """Flat, for `--json`."""
        trained = self.manifest.trained_on
        return {
            "version": self.version,
            "area": self.area,
            "role": self.role,
            "strategy": self.manifest.strategy,
            "created_at": self.manifest.created_at,
            "parent": self.manifest.parent,
            "rows": trained.rows,
            "frauds": trained.frauds,
            "features_fingerprint": self.manifest.features_fingerprint,
            "note": self.note,
        }


def next_version(root: Path) -> int:
    """One more than the highest number in any area. Hold the lock between asking and using it."""
    numbers = (int(path.name) for area in AREAS for path in _numbered(area_folder(root, area)))
    served = (n for slot in read_slots(root).root.values() for n in (slot.champion, *slot.previous))
    return max((0, *numbers, *served)) + 1


def workspace(root: Path) -> Path:
    """A new, private folder on the same file system, in which to build a version before `publish`."""
    path = root / f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    path.mkdir(parents=True)
    return path


def publish(root: Path, built: Path, area: Area, finish: Callable[[int], None]) -> int:
    """Gives a finished folder its number and renames it into place.

    Args:
        root: the model directory.
        built: a folder from `workspace`, complete but for what holds the version's number.
        area: where it goes.
        finish: called with the number, under the lock, to write what holds it (the manifest).

    Returns:
        The number.
    """
    with locked(root):
        version = next_version(root)
        finish(version)
        sync_tree(built)
        target = area_folder(root, area) / str(version)
        target.parent.mkdir(parents=True, exist_ok=True)
        built.rename(target)
        sync(target.parent)
    return version


def find(root: Path, version: int) -> tuple[Area, Path]:
    """Where a version lies; RegistryError when it does not exist."""
    found = find_version(root, version)
    if found is not None:
        return found
    known = ", ".join(str(v.version) for v in versions(root)) or "none"
    raise RegistryError(f"version {version} does not exist in {root} (it has: {known})")


def champion(root: Path, features_fingerprint: str) -> int | None:
    """The version that serves these features, or None."""
    slot = read_slots(root).root.get(features_fingerprint)
    return slot.champion if slot else None


def former(root: Path, features_fingerprint: str, version: int) -> int | None:
    """Who serves these features, or served before this version where that serves already; None where nobody did."""
    slot = read_slots(root).root.get(features_fingerprint)
    if slot is None:
        return None
    return next((n for n in (slot.champion, *slot.previous) if n != version), None)


def blessed_at(root: Path, version: int) -> int | None:
    """When a version was promoted, µs; None where that was not written down."""
    try:
        held = json.loads((root / str(version) / BLESSED).read_bytes())
        return int(datetime.fromisoformat(held["at"]).timestamp() * 1_000_000)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def versions(root: Path) -> list[Version]:
    """Every version in every area, by number. Unreadable folders are skipped: they are no versions."""
    roles = _roles(read_slots(root))
    found: list[Version] = []
    for area in AREAS:
        for path in _numbered(area_folder(root, area)):
            try:
                manifest = read_manifest(path)
            except InvalidBundle:
                continue
            version = int(path.name)
            found.append(Version(version, area, manifest, roles.get(version, ""), _note(path)))
    return sorted(found, key=lambda v: v.version)


def promote(root: Path, version: int, *, reason: str, at: str, shadow: bool = False, key: str | None = None) -> Path:
    """Blesses a version and lets it serve, as champion or as shadow beside the champion.

    Safe to repeat: after a crash at any point a second call completes the move.

    Args:
        root: the model directory.
        version: a candidate, or a live version.
        reason: what the gate said; kept in `BLESSED`.
        at: now, ISO 8601; kept in `BLESSED`.
        shadow: serve beside the champion, without effect on alerts.
        key: that the manifest must be signed under; None where the platform has none.

    Returns:
        The version's folder.

    Raises:
        RegistryError: no such version, a base, a damaged bundle, or a shadow without a champion.
    """
    with locked(root):
        area, path = find(root, version)
        manifest = _whole(path, area, key)
        slots = dict(read_slots(root).root)
        slot = slots.get(manifest.features_fingerprint)
        slots[manifest.features_fingerprint] = _seated(slot, version, shadow=shadow)
        if area == "candidates":
            (path / REFUSED).unlink(missing_ok=True)
            write_json(path / BLESSED, {"at": at, "reason": reason})
            path = path.rename(root / str(version))
            sync(root)
        write_slots(root, slots)
    return path


def drop_shadow(root: Path, features_fingerprint: str) -> None:
    """Ends a probation without promoting."""
    with locked(root):
        slots = dict(read_slots(root).root)
        slot = slots.get(features_fingerprint)
        if slot is not None and slot.shadow is not None:
            slots[features_fingerprint] = slot.model_copy(update={"shadow": None})
            write_slots(root, slots)


def refuse(root: Path, version: int, *, reason: str, at: str, evidence: dict[str, object]) -> None:
    """Leaves the gate's reason beside a candidate."""
    _, path = find(root, version)
    write_json(path / REFUSED, {"at": at, "reason": reason, "evidence": evidence})


def prune(root: Path, *, keep: int, also: frozenset[int] = frozenset()) -> list[int]:
    """Removes all but the newest `keep` versions of each area; what serves, or may be rolled back to, stays.

    So do the versions in `also`.

    Bases that a remaining version was adapted from stay too. Unfinished workspaces go a day after the last change in
    them: whose they are cannot be told, since trainers in several containers have the same process ids.

    Returns:
        The removed numbers.
    """
    with locked(root):
        known = versions(root)
        removed: list[int] = []
        stays = {v.version for v in known if v.role} | set(_newest(known, keep)) | also
        parents = {v.manifest.parent for v in known if v.version in stays}
        for v in known:
            if v.version not in stays and v.version not in parents:
                _remove(area_folder(root, v.area) / str(v.version))
                removed.append(v.version)
        oldest = _now_of(root) - ABANDONED_SECONDS
        for path in [found for area in AREAS for found in area_folder(root, area).glob(f"{TEMPORARY}*")]:
            if max(_changed(found) for found in (path, *path.rglob("*"))) < oldest:
                shutil.rmtree(path, ignore_errors=True)
    return removed


def _seated(slot: Slot | None, version: int, *, shadow: bool) -> Slot:
    if shadow:
        if slot is None:
            raise RegistryError(f"version {version} cannot be a shadow: these features have no champion; promote it")
        return slot.model_copy(update={"shadow": None if slot.champion == version else version})
    if slot is None:
        return Slot(champion=version)
    if slot.champion == version:
        return slot
    former = tuple(n for n in (slot.champion, *slot.previous) if n != version)
    return Slot(
        champion=version,
        shadow=None if slot.shadow == version else slot.shadow,
        previous=former[:KEEP_PREVIOUS],
    )


def _whole(path: Path, area: Area, key: str | None) -> Manifest:
    if area == "bases":
        raise RegistryError(f"{path} is a pre-trained base, not a model to serve: adapt it first")
    try:
        manifest = read_manifest(path, key)
        verify_files(path, manifest)
    except InvalidBundle as error:
        raise RegistryError(str(error)) from None
    return manifest


def _roles(slots: Serving) -> dict[int, str]:
    roles: dict[int, str] = {}
    for slot in slots.root.values():
        roles |= dict.fromkeys(slot.previous[:1], "previous")
        if slot.shadow is not None:
            roles[slot.shadow] = "shadow"
        roles[slot.champion] = "champion"
    return roles


def _note(path: Path) -> str:
    for name, what in ((ROLLED_BACK, "rolled back"), (REFUSED, "refused")):
        if (path / name).is_file():
            return f"{what}: {json.loads((path / name).read_text(encoding='utf-8'))['reason']}"
    return ""


def _newest(known: list[Version], keep: int) -> Iterator[int]:
    for area in AREAS:
        yield from [v.version for v in known if v.area == area][-keep:] if keep else []


def _numbered(path: Path) -> list[Path]:
    return [p for p in path.iterdir() if p.name.isdecimal() and p.is_dir()] if path.is_dir() else []


def _remove(path: Path) -> None:
    gone = path.with_name(f"{TEMPORARY}{os.getpid()}-gone-{path.name}")
    path.rename(gone)
    shutil.rmtree(gone)


def _now_of(root: Path) -> float:
    """The time by the clock that stamps files here, which on shared storage is another machine's."""
    lock = root / ".lock"
    lock.touch()
    return lock.stat().st_mtime


def _changed(path: Path) -> float:
    """When a file was last changed; never, when it has gone in the meantime."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
