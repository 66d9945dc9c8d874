"""`POST /v1/outcomes` and `POST /v1/labels`: one, or an array of them; each is accepted or refused by itself."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fraud.contracts.inbound import Outcome
from gateway import entries as kept
from gateway.entries import Entry, Kept, Kind
from gateway.http.context import Gateway, gateway_of
from gateway.http.payments import JSON, event_entry, valid_event
from gateway.http.problems import Problem
from gateway.http.requests import authorised, body_of, charge, passed_on
from gateway.keys import Scope
from gateway.labels import InvalidLabel, label_entry, label_fields
from runtime.errors import Unavailable

MOST_ITEMS: Final = 1_000
MOST_BYTES: Final = 2 << 20


async def post_outcomes(request: Request) -> Response:
    """Takes in what became of payments."""
    gateway = gateway_of(request)
    key = authorised(gateway, request, Scope.OUTCOMES)

    def read(raw: bytes) -> Entry:
        event, value = valid_event(gateway, raw, key.shop, Outcome)
        return event_entry(gateway, request, Kind.OUTCOME, event, value, shop=key.shop)

    items = _items(await body_of(request, MOST_BYTES))
    charge(gateway, key, len(items) - 1)
    return await _taken_in(gateway, Kind.OUTCOME, items, read)


async def post_labels(request: Request) -> Response:
    """Takes in what somebody found out about payments."""
    gateway = gateway_of(request)
    key = authorised(gateway, request, Scope.LABELS)
    headers = passed_on(request)

    def read(raw: bytes) -> Entry:
        try:
            given = msgspec.json.decode(raw)
            fields = label_fields(given, now=gateway.now())
        except (msgspec.DecodeError, InvalidLabel) as error:
            raise Problem(422, "invalid_label", str(error)) from None
        return label_entry(
            fields,
            shop=key.shop,
            topic=gateway.topics.labels,
            headers=headers,
            now_ms=gateway.now_ms(),
            received="received_at" in given,
        )

    items = _items(await body_of(request, MOST_BYTES))
    charge(gateway, key, len(items) - 1)
    return await _taken_in(gateway, Kind.LABEL, items, read)


async def keep(gateway: Gateway, entries: Sequence[Entry]) -> list[tuple[Kept, bool]]:
    """Keeps entries and has the new ones delivered; each with what is known of its id, and whether it is new.

    Raises:
        Problem: 503 where the journal cannot be written or holds too much.
    """
    if gateway.checkout.waiting >= gateway.checkout.most:
        raise Problem(503, "full", "too much waits for Kafka", Retry_After="5")
    operations = [kept.accept(entry) for entry in entries]
    try:
        done = await gateway.journal.submit(lambda connection: [operation(connection) for operation in operations])
    except Unavailable:
        raise Problem(503, "journal", "it cannot be kept now", Retry_After="1") from None
    gateway.checkout.deliver(
        [entry.outgoing(known.seq) for entry, (known, new) in zip(entries, done, strict=True) if new]
    )
    return done


def _items(raw: bytes) -> list[bytes]:
    """The items of a body, each as it came.

    Raises:
        Problem: 400 where it is neither an object nor an array of at most MOST_ITEMS.
    """
    try:
        found = msgspec.json.decode(raw, type=list[msgspec.Raw]) if raw.lstrip()[:1] == b"[" else [msgspec.Raw(raw)]
    except msgspec.DecodeError as error:
        raise Problem(400, "not_json", str(error)) from None
    if not 1 <= len(found) <= MOST_ITEMS:
        raise Problem(400, "too_many", f"send 1 to {MOST_ITEMS} at once")
    return [bytes(item) for item in found]


async def _taken_in(gateway: Gateway, kind: Kind, items: Sequence[bytes], read: Callable[[bytes], Entry]) -> Response:
    entries: list[Entry] = []
    rows: list[int] = []
    refused: list[dict[str, object]] = []
    problem: Problem | None = None
    for row, raw in enumerate(items):
        try:
            entries.append(read(raw))
            rows.append(row)
        except Problem as error:
            problem = error
            refused.append({"item": row, "reason": error.reason, "detail": error.detail})
    repeated = 0
    conflicts = 0
    for row, entry, (known, new) in zip(rows, entries, await keep(gateway, entries) if entries else (), strict=True):
        if new:
            continue
        if (known.shop, known.digest) == (entry.shop, entry.digest):
            repeated += 1
        else:
            conflicts += 1
            problem = Problem(409, "conflict", "this id was sent before with other content")
            refused.append({"item": row, "reason": problem.reason, "detail": problem.detail})
    name = kind.name.lower()
    gateway.metrics.accepted.labels(name).inc(len(entries) - repeated - conflicts)
    gateway.metrics.rejected.labels(name).inc(len(refused))
    if problem is not None and len(items) == 1:
        raise problem
    refused.sort(key=lambda one: int(str(one["item"])))
    body = {"accepted": len(entries) - conflicts - repeated, "repeated": repeated, "refused": refused}
    return Response(msgspec.json.encode(body), 202, media_type=JSON)
