"""`GET /v1/entities/{kind}/{id}`: what the scorer's history knows now."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.context import gateway_of
from gateway.http.payments import JSON
from gateway.http.problems import Problem
from gateway.http.requests import authorised
from gateway.keys import Scope
from runtime.errors import Unavailable


async def get_entity(request: Request) -> Response:
    """Asks the scorer."""
    gateway = gateway_of(request)
    authorised(gateway, request, Scope.ENTITIES)
    if gateway.entities is None:
        raise Problem(404, "not_offered", "this gateway looks up no entities")
    kind, of = request.path_params["kind"], request.path_params["id"]
    try:
        status, body = await asyncio.to_thread(gateway.entities, kind, of)
    except Unavailable:
        raise Problem(503, "scorer_away", "the scorer does not answer", Retry_After="1") from None
    if status != 200:
        raise Problem(404, "unknown", "the scorer knows no such entity, or no such kind")
    return Response(body, media_type=JSON)
