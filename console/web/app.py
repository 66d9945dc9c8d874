"""The console as an ASGI application: which address is which page, and whose."""

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from console.accounts.roles import Role
from console.web import audit, case, controls, guard, login, models, queue, rules
from console.web.site import FOLDER, Site, see

_log = structlog.get_logger("console")


def application(site: Site) -> ASGIApp:
    """Every page of a console."""
    pages: list[tuple[str, guard.Page, Role, str]] = [
        ("/queue", queue.queue_page, Role.viewer, "GET"),
        ("/queue/next", queue.take_next, Role.analyst, "POST"),
        ("/views", queue.save_view, Role.viewer, "POST"),
        ("/views/remove", queue.remove_view, Role.viewer, "POST"),
        ("/case/{case_id}", case.case_page, Role.viewer, "GET"),
        ("/case/{case_id}/act", case.simple_act, Role.analyst, "POST"),
        ("/case/{case_id}/verdict", case.judge, Role.analyst, "POST"),
        ("/case/{case_id}/snooze", case.snooze, Role.analyst, "POST"),
        ("/case/{case_id}/merge", case.merge, Role.analyst, "POST"),
        ("/case/{case_id}/assign", case.assign, Role.lead, "POST"),
        ("/case/{case_id}/group/{kind}", case.group_page, Role.analyst, "GET"),
        ("/case/{case_id}/group/{kind}", case.judge_group, Role.analyst, "POST"),
        ("/case/{case_id}/offer", controls.offer, Role.analyst, "POST"),
        ("/controls", controls.controls_page, Role.viewer, "GET"),
        ("/controls", controls.write, Role.analyst, "POST"),
        ("/names", rules.names_page, Role.viewer, "GET"),
        ("/controls/new/{kind}", controls.new_page, Role.analyst, "GET"),
        ("/controls/{control_id}", controls.control_page, Role.viewer, "GET"),
        ("/controls/{control_id}/step", controls.step, Role.analyst, "POST"),
        ("/controls/{control_id}/backtest", rules.try_on_past, Role.analyst, "POST"),
        ("/controls/{control_id}/backtest", rules.found_in_past, Role.viewer, "GET"),
        ("/models", models.models_page, Role.viewer, "GET"),
        ("/models/rollback", models.roll_back, Role.admin, "POST"),
        ("/models/reports/{name}", models.report_page, Role.analyst, "GET"),
        ("/audit", audit.audit_page, Role.lead, "GET"),
        ("/logout", login.log_out, Role.viewer, "POST"),
    ]
    routes: list[Route | Mount] = [
        Route(path, guard.endpoint(site, path, page, role), methods=[method]) for path, page, role, method in pages
    ]

    async def home(_: Request) -> Response:
        return see("/queue")

    async def missing(_: Request, __: Exception) -> Response:
        return guard.failure(site, 404, "missing")

    async def broken(request: Request, error: Exception) -> Response:
        _log.error("a page failed", path=request.url.path, exc_info=error)
        return guard.failure(site, 500, "broken")

    pages_and_forms = Starlette(
        routes=[
            Route("/", home),
            Route("/login", login.log_in_page(site), methods=["GET"]),
            Route("/login", login.log_in(site), methods=["POST"]),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
            *routes,
        ],
        exception_handlers={404: missing, 405: missing, 500: broken},
    )
    # Around everything: the page of an error carries the headers as well.
    return guard.Headers(pages_and_forms, https=site.settings.console_https)
