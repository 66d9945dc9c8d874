"""Refusals, as problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

PROBLEM: Final = "application/problem+json"


class Problem(Exception):  # noqa: N818 - it is the document's name
    """Ends a request with a refusal.

    Attributes:
        status: HTTP's.
        reason: a stable word for programs.
        detail: one line for people, without what the request held.
        headers: to send beside.
    """

    def __init__(self, status: int, reason: str, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        """It as an answer."""
        body = {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
        }
        return Response(msgspec.json.encode(body), self.status, self.headers, PROBLEM)
