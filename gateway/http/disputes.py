"""`POST /v1/disputes/stripe` and `/v1/disputes/adyen`: verified notices become labels; the others are kept."""

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway import entries as kept
from gateway.digest import digest_of
from gateway.disputes import adyen, stripe
from gateway.disputes.notice import Forged, Notice
from gateway.entries import Entry, Kind
from gateway.http.batches import keep
from gateway.http.context import Gateway, gateway_of
from gateway.http.payments import JSON
from gateway.http.problems import Problem
from gateway.http.requests import body_of, passed_on
from gateway.labels import InvalidLabel, label_entry, label_fields

MOST_BYTES: Final = 512 << 10


async def post_stripe(request: Request) -> Response:
    """Takes in an event of Stripe."""
    gateway = gateway_of(request)
    body = await body_of(request, MOST_BYTES)
    try:
        notice = stripe.read(
            body, request.headers.get("stripe-signature", ""), gateway.secrets["stripe"], now=gateway.now()
        )
    except (Forged, ValueError) as error:
        raise _refused(gateway, "stripe", error) from None
    request.state.shop = notice.shop
    await _taken_in(gateway, request, "stripe", body, [notice])
    return Response(msgspec.json.encode({"received": True}), media_type=JSON)


async def post_adyen(request: Request) -> Response:
    """Takes in notices of Adyen."""
    gateway = gateway_of(request)
    body = await body_of(request, MOST_BYTES)
    try:
        notices = adyen.read(body, gateway.secrets["adyen"])
    except (Forged, ValueError) as error:
        raise _refused(gateway, "adyen", error) from None
    request.state.shop = notices[0].shop
    await _taken_in(gateway, request, "adyen", body, notices)
    return Response(b"[accepted]", media_type="text/plain")


def _refused(gateway: Gateway, processor: str, error: Exception) -> Problem:
    gateway.metrics.notice(processor, "refused")
    if isinstance(error, Forged):
        return Problem(401, "unverified", str(error))
    return Problem(400, "no_notice", "it is no notice of this processor")


async def _taken_in(gateway: Gateway, request: Request, processor: str, body: bytes, notices: Sequence[Notice]) -> None:
    headers = passed_on(request)
    entries = [_entry(gateway, notice, body, headers) for notice in notices]
    for notice in notices:
        if notice.signature is not None and not await gateway.journal.submit(
            kept.first_sight(notice.signature, gateway.now_ms())
        ):
            gateway.metrics.notice(processor, "refused")
            raise Problem(409, "replayed", "this signature was seen before")
    for entry, (_, new) in zip(entries, await keep(gateway, entries), strict=True):
        result = "repeated" if not new else "label" if entry.kind is Kind.LABEL else "unknown"
        gateway.metrics.notice(processor, result)


def _entry(gateway: Gateway, notice: Notice, body: bytes, headers: tuple[tuple[str, bytes], ...]) -> Entry:
    """A label's entry; of a notice that gives none, one that holds it as it came."""
    why = notice.why
    if notice.label is not None:
        try:
            fields = label_fields(notice.label, now=gateway.now())
        except InvalidLabel as error:
            why = str(error)
        else:
            return label_entry(
                fields,
                shop=notice.shop,
                topic=gateway.topics.labels,
                headers=headers,
                now_ms=gateway.now_ms(),
                received=False,
            )
    told = (("shop", notice.shop.encode()), ("kind", notice.kind.encode()), ("detail", why.encode()))
    return Entry(
        kind=Kind.NOTICE,
        id=notice.id[:256],
        shop=notice.shop,
        digest=digest_of(body),
        topic=gateway.topics.disputes,
        key=notice.id[:256].encode(),
        value=body,
        headers=(*headers, *told),
        accepted_ms=gateway.now_ms(),
    )
