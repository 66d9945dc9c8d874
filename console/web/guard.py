"""Who may come in: headers, sessions, roles, forged and cross-site forms; around every page."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from urllib.parse import quote, urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.accounts.roles import Role
from console.accounts.store import Session
from console.web.site import Site, Visit, render, see
from runtime.errors import Unavailable

COOKIE: Final = "fraud_console"
LARGEST: Final = 256 << 10
"""Bytes of a form."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
Page: TypeAlias = Callable[[Visit], Response]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_log = structlog.get_logger("console")


class Headers:
    """Sets the security headers of every answer; what a page says is stored nowhere."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._extra = {"Strict-Transport-Security": "max-age=31536000"} if https else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (HEADERS | self._extra).items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


def cookie_name(site: Site) -> str:
    """With https the browser itself guards that no other host and no plain page sets it."""
    return f"__Host-{COOKIE}" if site.settings.console_https else COOKIE


def address_of(request: Request) -> str:
    """Where a request comes from, as the socket has it; no header is believed."""
    return request.client.host if request.client else ""


def session_of(site: Site, request: Request) -> Session | None:
    """Who sends a request: by the cookie, or by the header of the trusted proxy."""
    header = site.settings.console_proxy_header
    if header:
        if address_of(request) not in site.settings.console_proxy_addresses:
            return None
        user = site.accounts.user(request.headers.get(header, ""))
        if user is None:
            return None
        return Session(user, hmac.new(site.key, f"csrf {user.name}".encode(), "sha256").hexdigest())
    token = request.cookies.get(cookie_name(site))
    return site.accounts.session(token, now_us=site.now_us()) if token else None


def same_site(request: Request) -> bool:
    """Whether a form was sent from a page of this host: both headers are the browser's, no script can set them."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def endpoint(site: Site, route: str, page: Page, role: Role) -> Endpoint:
    """A page for people of a role: runs in a thread, since it reads files and waits for the log."""

    async def answer(request: Request) -> Response:
        session = await run_in_threadpool(session_of, site, request)
        if session is None:
            return _log_in(request)
        form = FormData()
        if request.method == "POST":
            if int(request.headers.get("content-length") or LARGEST + 1) > LARGEST:
                return failure(site, 413, "too_large")
            form = await request.form(max_files=0, max_fields=1_000)
            given = str(form.get("csrf", ""))
            if not same_site(request) or not hmac.compare_digest(given.encode(), session.csrf.encode()):
                await run_in_threadpool(_note, site, session, request, "forged")
                return failure(site, 403, "forged")
        if session.user.role < role:
            await run_in_threadpool(_note, site, session, request, "role")
            return failure(site, 403, "role")
        with site.metrics.requests.labels(route).time():
            return await run_in_threadpool(_run, site, page, Visit(site, request, session, form))

    return answer


def failure(site: Site, status: int, reason: str) -> Response:
    """A page that says what is wrong."""
    return render(site, "error.html.j2", status, reason=reason, code=status)


def _run(site: Site, page: Page, visit: Visit) -> Response:
    try:
        return page(visit)
    except Unavailable as error:
        _log.warning("an act is in doubt", by=visit.name, path=visit.request.url.path, error=str(error))
        return failure(site, 503, "away")


def _log_in(request: Request) -> Response:
    wanted = request.url.path if request.method == "GET" else "/queue"
    return see(f"/login?next={quote(wanted)}")


def _note(site: Site, session: Session, request: Request, result: str) -> None:
    site.accounts.note(session.user.name, "request", request.url.path, result, now_us=site.now_us())
    site.metrics.acts.labels("request", result).inc()
