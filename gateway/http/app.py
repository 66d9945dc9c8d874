"""The application: routes, and around them what every request has: an id, a line in the log, a count, a refusal."""

from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.batches import post_labels, post_outcomes
from gateway.http.context import Gateway, gateway_of
from gateway.http.disputes import post_adyen, post_stripe
from gateway.http.entities import get_entity
from gateway.http.payments import get_decision, post_payment
from gateway.http.problems import Problem
from gateway.http.requests import REQUEST_ID, request_id_of
from gateway.metrics import OPERATIONS

_log = structlog.get_logger("gateway.access")

_ONLY_THIS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
}
"""The page loads nothing, and talks to nobody else."""

PAYMENTS: Final = "/v1/payments"
BUSY_SECONDS: Final = 0.25
"""How late the event loop may come to its turn before payments are refused unread."""

_BUSY: Final = Problem(503, "busy", "more comes than can be read; decide by your own rule", Retry_After="1").response()
_WORDS: Final = {404: "unknown", 405: "wrong_method"}


def create_app(gateway: Gateway) -> ASGIApp:
    """The application of a gateway."""
    app = Starlette(
        routes=ROUTES,
        exception_handlers={Problem: _problem, HTTPException: _http_error, Exception: _mistake},
    )
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return Edge(app, gateway)


async def get_openapi(request: Request) -> Response:
    """The description of all this."""
    return Response(gateway_of(request).documents["openapi.json"], media_type="application/json")


async def get_page(request: Request) -> Response:
    """The same for people, with a form to try each operation."""
    return Response(
        gateway_of(request).documents["page.html"], headers=_ONLY_THIS, media_type="text/html; charset=utf-8"
    )


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - Starlette calls it for nothing else
    return error.response()


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    word = _WORDS.get(error.status_code, "refused")
    problem = Problem(error.status_code, word, str(error.detail))
    problem.headers |= error.headers or {}
    return problem.response()


async def _mistake(_request: Request, _error: Exception) -> Response:
    return Problem(500, "internal", "an error of the program; its log says which").response()


ROUTES: Final = (
    Route(PAYMENTS, post_payment, methods=["POST"]),
    Route("/v1/outcomes", post_outcomes, methods=["POST"]),
    Route("/v1/labels", post_labels, methods=["POST"]),
    Route("/v1/disputes/stripe", post_stripe, methods=["POST"]),
    Route("/v1/disputes/adyen", post_adyen, methods=["POST"]),
    Route("/v1/decisions/{id:path}", get_decision, methods=["GET"]),
    Route("/v1/entities/{kind}/{id:path}", get_entity, methods=["GET"]),
    Route("/openapi.json", get_openapi, methods=["GET"]),
    Route("/docs", get_page, methods=["GET"]),
)


class Edge:
    """Wraps the application; plain ASGI, since Starlette's own middleware would cost more than a payment's parsing."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the start and end of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == PAYMENTS and self._gateway.checkout.lag > BUSY_SECONDS:
            # Reading them would make the next ones later still; this costs a tenth of it.
            self._gateway.metrics.request("post_payment", 503)
            await _BUSY(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == REQUEST_ID.encode()), None)
        request_id = request_id_of(None if given is None else given.decode("latin-1"))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began = self._gateway.clock.monotonic()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID.encode(), request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:  # noqa: BLE001 - Starlette answers 500 and raises on; the line below is what we want of it
            _log.exception("an error of the program", request_id=request_id)
        finally:
            operation = getattr(scope.get("endpoint"), "__name__", "other")
            operation = operation if operation in OPERATIONS else "other"
            self._gateway.metrics.request(operation, status)
            # Neither address nor path nor query: they lead to people.
            _log.info(
                "request",
                operation=operation,
                status=status,
                ms=round((self._gateway.clock.monotonic() - began) * 1000, 1),
                shop=state.get("shop"),
                key=state.get("key"),
                request_id=request_id,
            )
