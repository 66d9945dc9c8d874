"""What every handler does first: who asks, whether he may, and the body within its bound."""

import random
import re
from typing import Final

from starlette.requests import ClientDisconnect, Request

from gateway.http.context import Gateway
from gateway.http.problems import Problem
from gateway.keys import ApiKey, Scope

REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_IDS: Final = random.Random()  # noqa: S311 - they name requests and guard nothing; asking the kernel costs a tenth of one
_BEARER: Final = "bearer "
PASSED_ON: Final = ("traceparent", "tracestate")
"""Request headers that go on to Kafka, and from there to alerts (https://www.w3.org/TR/trace-context/)."""

MOST_PASSED: Final = 512
"""Characters of such a header."""


def request_id_of(given: str | None) -> str:
    """The request's own id where it is a harmless word, or a new one."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else f"{_IDS.getrandbits(128):032x}"


def authorised(gateway: Gateway, request: Request, scope: Scope) -> ApiKey:
    """The key of a request that may do this now.

    Raises:
        Problem: 401 without a valid key, 403 without the scope, 429 over the rate.
    """
    given = request.headers.get("authorization", "")
    key = gateway.keys.find(given[len(_BEARER) :], gateway.now()) if given[: len(_BEARER)].lower() == _BEARER else None
    if key is None:
        raise Problem(401, "unknown_key", "send Authorization: Bearer with a valid API key", WWW_Authenticate="Bearer")
    request.state.shop, request.state.key = key.shop, key.id
    if scope not in key.scopes:
        raise Problem(403, "out_of_scope", f"this key may not be used for {scope}")
    charge(gateway, key, 1.0)
    return key


def charge(gateway: Gateway, key: ApiKey, cost: float) -> None:
    """Takes from a key's rate.

    Raises:
        Problem: 429, with the time after which there is enough.
    """
    seconds = gateway.limits.take(key.id, key.rate, cost)
    if seconds:
        gateway.metrics.limited(key.shop)
        raise Problem(429, "over_rate", "more requests than this key may make", Retry_After=str(int(seconds) + 1))


async def body_of(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        Problem: 413 beyond `most` bytes, of which no more is read; 400 where the other side has gone.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > most:
        raise _too_large(most)
    body = b""
    try:
        async for part in request.stream():
            body = body + part if body else part
            if len(body) > most:
                raise _too_large(most)
    except ClientDisconnect:
        raise Problem(400, "cut_off", "the request did not arrive whole") from None
    return body


def _too_large(most: int) -> Problem:
    # What is still to come is not worth reading.
    return Problem(413, "too_large", f"at most {most} bytes", Connection="close")


def passed_on(request: Request) -> tuple[tuple[str, bytes], ...]:
    """The Kafka headers of what this request brings."""
    headers = [("request-id", str(request.state.request_id).encode())]
    for name in PASSED_ON:
        value = request.headers.get(name)
        if value is not None and len(value) <= MOST_PASSED:
            headers.append((name, value.encode("latin-1", "ignore")))
    return tuple(headers)
