"""`POST /v1/payments` and `GET /v1/decisions/{id}`."""

from typing import Final

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from fraud.contracts.inbound import Attempt, InvalidEvent, Reason, Transaction
from fraud.decoding.validation import MAX_BYTES, check, contract, read
from fraud.money import MICRO, parse_amount
from fraud.timestamps import to_us
from gateway import entries as kept
from gateway.checkout.tracking import Because, Conflict, Outcome
from gateway.digest import digest_of, encode_in_order
from gateway.entries import Entry, Kind
from gateway.http.context import Gateway, gateway_of
from gateway.http.problems import Problem
from gateway.http.requests import authorised, body_of, passed_on
from gateway.keys import Scope
from gateway.messages import Answer, encode, is_rejection, place_of

DEADLINE: Final = "x-deadline-ms"
MARGIN_SECONDS: Final = 0.005
"""Kept back from a deadline for the answer's own way."""

JSON: Final = "application/json"


async def post_payment(request: Request) -> Response:
    """Answers a payment: with the decision, or within the deadline with the declared fallback."""
    gateway = gateway_of(request)
    key = authorised(gateway, request, Scope.PAYMENTS)
    seconds = deadline_of(gateway, request)
    began = gateway.clock.monotonic()
    raw = await body_of(request, MAX_BYTES)
    event, value = valid_event(gateway, raw, key.shop, Transaction)
    entry = event_entry(gateway, request, Kind.PAYMENT, event, value, shop=key.shop)
    # What it has waited for the loop to read it counts too, as far as one can know.
    until = began + seconds - gateway.checkout.lag
    left = max(0.0, until - MARGIN_SECONDS - gateway.clock.monotonic())
    try:
        outcome = await gateway.checkout.outcome(entry, seconds=left)
        if outcome.because is None and not outcome.repeated and gateway.clock.monotonic() > until:
            outcome = Outcome(because=Because.TIMEOUT)  # the loop was busy: both have come, the deadline first
    except Conflict:
        raise Problem(409, "conflict", "this transaction_id was sent before with other content") from None
    response = _response(gateway, outcome, event, key.shop)
    gateway.metrics.answer_seconds.observe(gateway.clock.monotonic() - began)
    return response


async def get_decision(request: Request) -> Response:
    """What became of a payment, and what was answered in its place."""
    gateway = gateway_of(request)
    key = authorised(gateway, request, Scope.DECISIONS)
    transaction_id = request.path_params["id"]
    found = await gateway.journal.submit(kept.find(Kind.PAYMENT, transaction_id))
    if found is None or found.shop != key.shop:
        raise Problem(404, "unknown", "no such payment within the time that ids are known for")
    state = "pending" if found.decision is None else "rejected" if is_rejection(found.decision) else "decided"
    body = {
        "transaction_id": transaction_id,
        "status": state,
        "decision": None if found.decision is None else msgspec.Raw(found.decision),
        "answered": None if found.answer is None else msgspec.Raw(found.answer),
    }
    return Response(msgspec.json.encode(body), media_type=JSON)


def deadline_of(gateway: Gateway, request: Request) -> float:
    """The seconds that a request gives us.

    Raises:
        Problem: 400 where its header is no number.
    """
    given, bounds = request.headers.get(DEADLINE), gateway.deadlines
    if given is None:
        return bounds.usual
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise Problem(400, "invalid_deadline", "X-Deadline-Ms must be a whole number of milliseconds")
    return min(bounds.most, max(bounds.least, int(given) / 1000))


def valid_event(gateway: Gateway, raw: bytes, shop: str, model: type[Attempt]) -> tuple[Attempt, bytes]:
    """An event by the contract, and its bytes as they go on: known fields in a fixed order, with the shop.

    Raises:
        Problem: 422 for what the scorer would refuse.
    """
    try:
        fields = read(raw)
        event = contract(fields).event
        check(event, timestamp_us=gateway.clock.now_us(), rates=gateway.rates, max_ahead_us=gateway.max_ahead_us)
    except InvalidEvent as error:
        raise Problem(422, error.reason, error.detail) from None
    if not isinstance(event, model):
        raise Problem(422, Reason.UNKNOWN_TYPE, f"type: must be {model.__name__.lower()} here")
    if fields.get("shop_id", shop) != shop:
        raise Problem(422, "invalid_field", "shop_id: is the key's, leave it out")
    return event, encode_in_order({**fields, "shop_id": shop})


def event_entry(gateway: Gateway, request: Request, kind: Kind, event: Attempt, value: bytes, *, shop: str) -> Entry:
    """A payment or outcome as an entry of the journal."""
    of = event.transaction_id if kind is Kind.PAYMENT else event.outcome_id  # type: ignore[attr-defined] # an Outcome
    return Entry(
        kind=kind,
        id=of,
        shop=shop,
        digest=digest_of(value),
        topic=gateway.topics.transactions,
        key=event.customer_id.encode(),
        value=value,
        headers=passed_on(request),
        accepted_ms=gateway.now_ms(),
    )


def _response(gateway: Gateway, outcome: Outcome, event: Attempt, shop: str) -> Response:
    if outcome.answer is None:
        return _fallback(gateway, outcome.because or Because.TIMEOUT, event, shop)
    rejected = is_rejection(outcome.answer)
    by = "repetition" if outcome.repeated else "rejection" if rejected else "decision"
    gateway.metrics.answered(shop, by)
    if rejected:
        found = msgspec.json.decode(outcome.answer)
        status = 409 if found["rejected"] == Reason.CONFLICT else 422
        raise Problem(status, found["rejected"], found["detail"])
    return Response(outcome.answer, media_type=JSON)


def _fallback(gateway: Gateway, because: Because, event: Attempt, shop: str) -> Response:
    gateway.metrics.answered(shop, "fallback")
    gateway.metrics.fallbacks.labels(because).inc()
    accepted = because not in {Because.JOURNAL, Because.FULL}
    answer = encode(
        Answer(
            transaction_id=event.transaction_id,
            action=gateway.fallback.action(base_amount(gateway, event)),
            fallback=True,
            decision=place_of(event.transaction_id),
            fallback_reason=because,
            accepted=accepted,
        )
    )
    if accepted:
        gateway.checkout.said(event.transaction_id, answer)
        return Response(answer, media_type=JSON)
    return Response(answer, 503, {"retry-after": "1"}, JSON)


def base_amount(gateway: Gateway, event: Attempt) -> float:
    """A payment's amount in units of the base currency."""
    charged = parse_amount(event.amount, event.currency)
    converted = gateway.rates.convert(np.array([charged]), [event.currency], np.array([to_us(event.event_time)]))[0]
    return float(converted[0]) / MICRO
