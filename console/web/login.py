"""Logging in and out."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from console.accounts.store import User
from console.web.guard import LARGEST, Endpoint, address_of, cookie_name, failure, same_site
from console.web.site import Site, Visit, render, see


def log_in_page(site: Site) -> Endpoint:
    """The form."""

    async def answer(request: Request) -> Response:
        return _form(site, next_path(request.query_params.get("next", "")))

    return answer


def log_in(site: Site) -> Endpoint:
    """What the form sends."""

    async def answer(request: Request) -> Response:
        if not same_site(request):
            return failure(site, 403, "forged")
        if int(request.headers.get("content-length") or LARGEST + 1) > LARGEST:
            return failure(site, 413, "too_large")
        form = await request.form(max_files=0, max_fields=10)
        name, password = str(form.get("name", ""))[:64], str(form.get("password", ""))[:1024]
        after = next_path(str(form.get("next", "")))
        return await run_in_threadpool(_try, site, address_of(request), name, password, after)

    return answer


def log_out(visit: Visit) -> Response:
    """Ends the session."""
    token = visit.request.cookies.get(cookie_name(visit.site))
    if token:
        visit.site.accounts.close_session(token)
    visit.note("log_out", visit.name)
    answer = see("/login")
    answer.delete_cookie(
        cookie_name(visit.site), secure=visit.site.settings.console_https, httponly=True, samesite="strict"
    )
    return answer


def next_path(wanted: str) -> str:
    """Where to go after logging in: a path of ours, never another host."""
    local = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if local and wanted.isprintable() and "\\" not in wanted else "/queue"


def _try(site: Site, address: str, name: str, password: str, after: str) -> Response:
    now = site.monotonic()
    if not site.tries.allowed(name, address, now):
        _note(site, name, "too_many")
        return _form(site, after, "too_many", 429)
    user = site.accounts.check(name, password)
    if user is None:
        site.tries.failed(name, address, now)
        _note(site, name, "wrong")
        return _form(site, after, "wrong", 403)
    _note(site, name, "done")
    return _welcome(site, user, after)


def _welcome(site: Site, user: User, after: str) -> Response:
    seconds = site.settings.console_session.total_seconds()
    token = site.accounts.open_session(user, now_us=site.now_us(), seconds=seconds)
    answer = see(after)
    answer.set_cookie(
        cookie_name(site), token, max_age=int(seconds), path="/", secure=site.settings.console_https, httponly=True,
        samesite="strict",
    )  # fmt: skip
    return answer


def _form(site: Site, after: str, trouble: str = "", status: int = 200) -> Response:
    return render(site, "login.html.j2", status, after=after, wrong=trouble)


def _note(site: Site, name: str, result: str) -> None:
    site.accounts.note(name, "log_in", name, result, now_us=site.now_us())
    site.metrics.logins.labels(result).inc()
