"""What training leaves in folders: versions, who serves, runs of the loop; read as files, and the one move back."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fraud.models.bundle import BLESSED, MANIFEST
from fraud.models.serving import SERVING, Slot
from runtime.model_registry import RegistryError, read_slots, rollback

PAGE: Final = "report.html"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the training loop, by its record.

    Attributes:
        folder: its name.
        number: of the run.
        at: ISO 8601.
        why: what triggered it.
        decision: what it led to.
        reason: of the gate.
        candidate: the version that it wrote.
        promised: figures of that.
        drift: by kind, where measured.
        has_page: whether its report is there.
    """

    folder: str
    number: int
    at: str
    why: str
    decision: str
    reason: str
    candidate: int | None
    promised: Mapping[str, float]
    drift: Mapping[str, float]
    has_page: bool


def runs_in(folder: Path, newest: int) -> list[Run]:
    """Runs of the loop, newest first; `folder`: the loop's `runs`."""
    names = sorted((path.name for path in folder.glob("*") if path.name.isdecimal()), reverse=True)[:newest]
    found = [(name, _read(folder / name / "record.json")) for name in names]
    return [_run(folder, name, record) for name, record in found if record]


def run_at(folder: Path, number: int) -> int | None:
    """The present of one run, µs: labels that came until then were before it; None without a record."""
    at_us = _read(folder / f"{number:05d}" / "record.json").get("at_us")
    return at_us if isinstance(at_us, int) else None


def versions_in(folder: Path, newest: int) -> list[dict[str, Any]]:
    """Versions of a model directory, newest first: what their manifests say, and which serves."""
    slots = slots_in(folder).values()
    numbers = sorted((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), reverse=True)
    found = []
    for number in numbers[:newest]:
        manifest = _read(folder / str(number) / MANIFEST)
        roles = [role for role in ("champion", "shadow") if any(getattr(slot, role) == number for slot in slots)]
        found.append(
            {
                "version": number,
                "created_at": manifest.get("created_at", ""),
                "strategy": manifest.get("strategy", ""),
                "blessed": (folder / str(number) / BLESSED).is_file(),
                "roles": roles,
            }
        )
    return found


def slots_in(folder: Path) -> Mapping[str, Slot]:
    """Features fingerprint -> who serves, and who did before; empty where nothing does, or the file is damaged."""
    try:
        return read_slots(folder).root
    except RegistryError:
        return {}


def why_not_writable(folder: Path) -> str:
    """Why this process cannot change who serves; "" where it can."""
    for path in (folder, folder / SERVING, folder / ".lock"):
        if (path == folder or path.exists()) and not os.access(path, os.W_OK):
            return f"{path} is not writable"
    return ""


def rolled_back(folder: Path, features: str, champion: int, *, reason: str, at: datetime) -> tuple[int, int]:
    """Puts the former champion back; the version that failed, and the one that serves now.

    Raises:
        RegistryError: another one serves by now than the page showed, or there is nobody to put back.
    """
    try:
        return rollback(folder, features, reason=reason, at=at.isoformat(timespec="seconds"), failed=champion)
    except OSError as error:
        raise RegistryError(f"{error.filename} cannot be written: {error.strerror}") from None


def _run(folder: Path, name: str, record: Mapping[str, Any]) -> Run:
    candidate = record.get("candidate")
    return Run(
        folder=name,
        number=int(name),
        at=str(record.get("at", "")),
        why=str(record.get("why", "")),
        decision=str(record.get("decision", "")),
        reason=str(record.get("reason", "")),
        candidate=candidate if isinstance(candidate, int) else None,
        promised=_figures(record.get("promised")),
        drift=_figures(record.get("drift")),
        has_page=(folder / name / PAGE).is_file(),
    )


def _figures(found: object) -> dict[str, float]:
    held = found if isinstance(found, dict) else {}
    return {str(name): float(value) for name, value in held.items() if isinstance(value, int | float)}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; one that is being replaced, or is damaged, has nothing to say."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
