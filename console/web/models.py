"""The page of models: what was announced, what lies in the model directory, and the loop's reports."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.responses import FileResponse, Response

from console.web.guard import failure
from console.web.site import Visit

NEWEST: Final = 50


def models_page(visit: Visit) -> Response:
    """Versions and what became of them."""
    with visit.site.readers.view() as connection:
        rows = connection.execute("SELECT raw FROM announcement ORDER BY at_us DESC LIMIT ?", (NEWEST,)).fetchall()
    told = [msgspec.json.decode(row["raw"], type=dict[str, Any]) for row in rows]
    folder, reports = visit.site.settings.console_models_dir, visit.site.settings.console_reports_dir
    return visit.page(
        "models.html.j2",
        told=told,
        versions=None if folder is None else versions_in(folder),
        reports=None if reports is None else reports_in(reports),
        folder=folder,
    )


def report_page(visit: Visit) -> Response:
    """One report of the loop, as a file: it is not ours to show inside a page."""
    folder, name = visit.site.settings.console_reports_dir, visit.request.path_params["name"]
    if folder is None or name not in reports_in(folder):
        return failure(visit.site, 404, "missing")
    return FileResponse(folder / name, media_type="application/octet-stream", filename=name)


def versions_in(folder: Path) -> list[dict[str, Any]]:
    """Versions of a model directory, newest first: what their manifests say, and which serves."""
    serving = _read(folder / "serving.json")
    slots = [slot for slot in serving.values() if isinstance(slot, dict)]
    found = []
    numbers = sorted((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), reverse=True)
    for number in numbers[:NEWEST]:
        manifest = _read(folder / str(number) / "manifest.json")
        found.append(
            {
                "version": number,
                "created_at": manifest.get("created_at", ""),
                "strategy": manifest.get("strategy", ""),
                "blessed": (folder / str(number) / "BLESSED").is_file(),
                "roles": [role for role in ("champion", "shadow") if any(slot.get(role) == number for slot in slots)],
                "promised": _figures(_read(folder / str(number) / "metrics.json")),
            }
        )
    return found


def reports_in(folder: Path) -> list[str]:
    """Names of the reports, newest first."""
    files = [path for path in folder.glob("*") if path.is_file() and path.suffix in (".html", ".json", ".md")]
    return [path.name for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)[:NEWEST]]


def _figures(metrics: dict[str, Any]) -> dict[str, float]:
    """The plain numbers of a version's metrics."""
    return {
        name: value for name, value in metrics.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; one that is being replaced, or is damaged, has nothing to say."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
