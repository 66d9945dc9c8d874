"""The page of models: versions with what they promised and what came of it, runs of the loop, and the way back."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import FileResponse, Response

from console.model_files import PAGE, Run, rolled_back, runs_in, slots_in, versions_in, why_not_writable
from console.projection.known import realised
from console.web.guard import failure
from console.web.site import Visit, see
from fraud.contracts.outbound import Announcement
from fraud.timestamps import to_datetime
from runtime.errors import Unavailable
from runtime.model_registry import RegistryError

NEWEST: Final = 50
FIGURES: Final = ("precision", "recall")


def models_page(visit: Visit) -> Response:
    """Versions and what became of them."""
    settings = visit.site.settings
    with visit.site.readers.view() as connection:
        rows = connection.execute("SELECT raw FROM announcement ORDER BY at_us DESC LIMIT ?", (NEWEST,)).fetchall()
        came = realised(connection)
    told = [msgspec.json.decode(row["raw"], type=dict[str, Any]) for row in rows]
    folder, reports = settings.console_models_dir, settings.console_reports_dir
    runs = None if reports is None else runs_in(reports, NEWEST)
    return visit.page(
        "models.html.j2",
        told=told,
        versions=None if folder is None else versions_in(folder, NEWEST),
        slots={} if folder is None else slots_in(folder),
        closed="" if folder is None else why_not_writable(folder),
        runs=runs,
        promised=_promised(runs or []),
        realised=came,
        figures=FIGURES,
        folder=folder,
    )


def report_page(visit: Visit) -> Response:
    """The report of one run, as a file: it is not ours to show inside a page."""
    folder, name = visit.site.settings.console_reports_dir, visit.request.path_params["name"]
    if folder is None or not any(run.folder == name and run.has_page for run in runs_in(folder, NEWEST)):
        return failure(visit.site, 404, "missing")
    path = folder / name / PAGE
    return FileResponse(path, media_type="application/octet-stream", filename=f"run-{name}.html")


def roll_back(visit: Visit) -> Response:
    """Puts the former champion back, where the console may write the directory, and announces it."""
    site, folder = visit.site, visit.site.settings.console_models_dir
    features, reason = visit.text("features") or "", visit.text("reason")
    if folder is None or reason is None or why_not_writable(folder):
        return failure(site, 404, "missing")
    now = to_datetime(site.now_us())
    try:
        failed, back = rolled_back(folder, features, visit.number("champion"), reason=f"{visit.name}: {reason}", at=now)
    except RegistryError as error:
        _note(visit, f"features {features}", "refused")
        return visit.page("control_refused.html.j2", 409, told=str(error), back="/models")
    _note(visit, f"version {failed} -> {back}: {reason}", "done")
    said = Announcement(
        type="rollback",
        version=back,
        former=failed,
        at=now,
        reason=f"{visit.name}: {reason}",
        features_fingerprint=features,
    )
    try:
        site.announce(said)
    except Unavailable:  # it serves all the same; who asks the topic is told by nobody
        _note(visit, f"version {failed} -> {back}", "not announced")
        return visit.page("control_refused.html.j2", 503, told=site.text.models.unannounced, back="/models")
    return see("/models")


def _note(visit: Visit, subject: str, result: str) -> None:
    visit.site.accounts.note(visit.name, "model rollback", subject, result, now_us=visit.site.now_us())
    visit.site.metrics.acts.labels("model_rollback", result).inc()


def _promised(runs: list[Run]) -> dict[int, Mapping[str, float]]:
    """Version -> figures of the run that made it."""
    return {run.candidate: run.promised for run in reversed(runs) if run.candidate is not None}
