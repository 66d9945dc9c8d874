"""A payment over HTTP: the decision in time, or the declared fallback, and never two."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.http.requests import REQUEST_ID
from gateway.keys import Scope
from gateway.messages import DecisionIn, Source
from local.testbed.events import transaction
from runtime.kafka.delivery import Placed
from tests.support.gateways import shop


def test_a_payment_is_answered_by_its_decision(tmp_path: Path) -> None:
    async def scenario() -> tuple[httpx.Response, dict[str, bytes]]:
        async with shop(tmp_path) as s:
            answer = await s.post(
                "/v1/payments",
                transaction(transaction_id="t/1", customer_id="c", unknown=1),
                x_request_id="req-7",
                traceparent="00-1",
                x_deadline_ms="2000",
            )
            (message,) = s.scorer.sent
            assert (message.topic, message.key) == ("in", b"c")
            assert b'"shop_id":"shop-1"' in message.value
            return answer, dict(message.headers)

    answer, headers = asyncio.run(scenario())
    assert answer.status_code == 200
    body = answer.json()
    assert (body["action"], body["fallback"], body["score"], body["model_version"]) == ("allow", False, 0.9, 3)
    assert (body["reasons"], body["controls_offset"], body["decision"]) == ([], 7, "/v1/decisions/t%2F1")
    assert answer.headers[REQUEST_ID] == "req-7"
    assert headers == {"request-id": b"req-7", "traceparent": b"00-1"}


def test_a_flagged_payment_brings_the_reasons_of_its_alert(tmp_path: Path) -> None:
    async def scenario() -> httpx.Response:
        async with shop(tmp_path) as s:
            return await s.pay(amount="900.00")

    body = asyncio.run(scenario()).json()
    assert (body["action"], body["risk_level"]) == ("block", "high")
    assert [reason["text"] for reason in body["reasons"]] == ["a large amount"]


@pytest.mark.parametrize(("amount", "action"), [("20.00", "allow"), ("50.01", "challenge"), ("500.01", "review")])
def test_without_a_decision_in_time_the_fallback_is_answered_by_amount_and_linked_later(
    tmp_path: Path, amount: str, action: str
) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            s.scorer.silent = True
            answer = await s.pay(amount=amount, deadline_ms=60)
            body = answer.json()
            assert (answer.status_code, body["fallback"], body["fallback_reason"]) == (200, True, "timeout")
            assert body["action"] == action
            pending = (await s.get(body["decision"])).json()
            assert (pending["status"], pending["answered"]) == ("pending", body)
            s.gateway.checkout.seen(s.scorer.say(s.scorer.sent[0], 0), {})
            linked = (await s.get(body["decision"])).json()
            assert (linked["status"], linked["decision"]["fallback"]) == ("decided", False)
            assert linked["answered"] == body
            assert s.gateway.checkout.linked == 1
            assert (await s.pay(amount=amount)).json() == body, "the same content, the same answer"

    asyncio.run(scenario())


def test_the_same_content_gets_the_same_answer_and_is_sent_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            first = await s.pay(1)
            again = await s.pay(1)
            assert again.json() == first.json()
            assert s.scorer.ids == ["t1"]

    asyncio.run(scenario())


def test_who_asks_twice_at_once_waits_for_one_decision(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            first, second = await asyncio.gather(s.pay(1), s.pay(1))
            assert first.json() == second.json()
            assert s.scorer.ids == ["t1"]

    asyncio.run(scenario())


def test_other_content_is_a_conflict_even_while_the_first_is_undecided(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            await s.pay(1)
            assert (await s.pay(1, amount="21.00")).status_code == 409
            s.scorer.silent = True
            await s.pay(2, deadline_ms=30)
            answer = await s.pay(2, amount="21.00")
            assert (answer.status_code, answer.json()["reason"]) == (409, "conflict")
            assert s.scorer.ids == ["t1", "t2"]

    asyncio.run(scenario())


def test_another_shops_id_is_a_conflict_and_its_decision_is_unknown(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            await s.pay(1)
            other = s.key_of("shop-2")
            assert (await s.pay(1, key=other)).status_code == 409
            assert (await s.get("/v1/decisions/t1", key=other)).status_code == 404

    asyncio.run(scenario())


def test_after_a_restart_ids_are_known_and_what_was_not_sent_is_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            decided = (await s.pay(1)).json()
            s.scorer.away = True
            said = (await s.pay(2, deadline_ms=30)).json()
        async with shop(tmp_path) as s:
            assert (await s.pay(1)).json() == decided
            assert (await s.pay(2)).json() == said
            assert (await s.pay(2, amount="21.00")).status_code == 409
            await s.until(lambda: s.scorer.ids == ["t2"])
            assert (await s.get("/v1/decisions/t2")).json()["status"] == "decided"

    asyncio.run(scenario())


def test_without_kafka_a_payment_is_answered_at_once_and_delivered_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, open_=False) as s:
            body = (await s.pay(1, deadline_ms=5_000)).json()
            assert body["fallback_reason"] == "outage"
            s.gateway.checkout.opened(1, [1])
            await s.until(lambda: s.scorer.ids == ["t1"])

    asyncio.run(scenario())


def test_a_payment_that_the_scorer_refuses_is_refused_with_its_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            s.scorer.refuses = {"t1"}
            answer = await s.pay(1)
            assert (answer.status_code, answer.json()["reason"]) == (409, "conflict")
            assert (await s.get("/v1/decisions/t1")).json()["status"] == "rejected"

    asyncio.run(scenario())


def test_a_decision_on_another_record_of_the_same_id_is_not_the_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            s.scorer.silent = True
            paying = asyncio.ensure_future(s.pay(1, amount="900.00", deadline_ms=60_000))
            await s.until(lambda: bool(s.scorer.sent))
            foreign = DecisionIn("t1", "allow", "allow", 0.0, 0.5, 9, "p", "now", Source(0, 77))
            s.gateway.checkout.seen([foreign], {})
            alert, decision = s.scorer.say(s.scorer.sent[0], 0)
            s.gateway.checkout.seen([decision], {})
            assert not paying.done(), "its alert is still to come"
            s.gateway.checkout.seen([alert], {})
            assert (await paying).json()["model_version"] == 3

    asyncio.run(scenario())


def test_a_decision_that_is_read_before_kafka_has_answered_is_kept_until_then(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            s.scorer.away = True
            paying = asyncio.ensure_future(s.pay(1, deadline_ms=60_000))
            checkout = s.gateway.checkout
            while not checkout.admission.outstanding:
                await asyncio.sleep(0.005)
            checkout.seen([DecisionIn("t1", "allow", "allow", 0.1, 0.5, 3, "p", "now", Source(0, 5))], {})
            checkout.placed([Placed(1, 0, 5)])
            assert (await paying).json()["score"] == 0.1
            assert (await s.get("/v1/decisions/t1")).json()["status"] == "decided"

    asyncio.run(scenario())


def test_nothing_is_accepted_beyond_the_bound_and_the_answer_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, most=1) as s:
            s.scorer.silent = True
            await s.pay(1, deadline_ms=30)
            answer = await s.pay(2)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            body = answer.json()
            assert (body["accepted"], body["fallback_reason"], body["action"]) == (False, "full", "allow")

    asyncio.run(scenario())


def test_a_payment_that_is_never_decided_takes_no_room_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, most=1, keep=0.05) as s:
            s.scorer.silent = True
            await s.pay(1, deadline_ms=30)
            await s.until(lambda: not s.gateway.checkout.undecided)
            assert not s.gateway.checkout.admission.outstanding
            s.scorer.silent = False
            assert (await s.pay(2)).status_code == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"customer_id": None}, "missing_field"),
        ({"currency": "XXX"}, "unknown_currency"),
        ({"event_time": "2026-02-05T10:00:00Z"}, "too_far_ahead"),
        ({"type": "outcome", "outcome_id": "o", "kind": "voided"}, "unknown_type"),
        ({"shop_id": "another"}, "invalid_field"),
    ],
)
def test_what_the_scorer_would_not_score_is_refused_before_it_is_kept(
    tmp_path: Path, fields: dict[str, object], reason: str
) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            answer = await s.pay(0, key=None, deadline_ms=2_000, **fields)
            assert (answer.status_code, answer.json()["reason"]) == (422, reason)
            assert answer.headers["content-type"] == "application/problem+json"
            assert not s.gateway.checkout.undecided

    asyncio.run(scenario())


def test_an_invalid_optional_field_is_no_way_round_the_scorer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            assert (await s.pay(ip="x" * 300)).status_code == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(("given", "status"), [("soon", 400), ("-5", 400), ("1", 200), ("999999999", 200)])
def test_a_deadline_is_a_number_and_bounded(tmp_path: Path, given: str, status: int) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            assert (await s.post("/v1/payments", {}, x_deadline_ms=given)).status_code == (
                400 if status == 400 else 422
            )

    asyncio.run(scenario())


def test_one_shops_flood_leaves_room_for_the_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, in_flight=12, still=True) as s:
            s.scorer.silent = True
            checkout, other = s.gateway.checkout, s.key_of("shop-2")
            flood = [asyncio.ensure_future(s.pay(n, deadline_ms=60_000)) for n in range(40)]
            while checkout.admission.outstanding + checkout.waiting < 40 or len(s.scorer.sent) < 8:
                await asyncio.sleep(0.005)
            assert len(s.scorer.sent) == 8, "two thirds of twelve"
            assert checkout.refuses("shop-1") == "overload"
            s.scorer.silent = False
            assert (await s.pay(100, key=other, deadline_ms=60_000)).json()["fallback"] is False
            for place, message in enumerate(s.scorer.sent[:8]):
                checkout.seen(s.scorer.say(message, place), {})
            said = [(await one).json().get("fallback_reason") for one in flood]
            assert said.count("overload") == 32
            assert said.count(None) == 8
            await s.until(lambda: len(s.scorer.ids) == 41)

    asyncio.run(scenario())


def test_a_loop_that_comes_late_refuses_payments_unread_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, still=True) as s:
            s.gateway.checkout.turned(lag=0.3)
            answer = await s.pay(1)
            assert (answer.status_code, answer.json()["reason"], answer.headers["retry-after"]) == (503, "busy", "1")
            assert (await s.get("/v1/decisions/t1")).status_code == 404
            s.gateway.checkout.turned(lag=0.0)
            assert (await s.pay(1)).status_code == 200

    asyncio.run(scenario())


def test_a_key_without_the_scope_or_no_key_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            labels = s.key_of("shop-1", Scope.LABELS)
            assert (await s.pay(1, key=labels)).status_code == 403
            assert (await s.pay(1, key="fgw_wrong")).status_code == 401
            assert (await s.post("/v1/payments", {}, key="")).status_code == 401
            assert (await s.pay(1, key=s.key[:-1] + ("a" if s.key[-1] != "a" else "b"))).status_code == 401

    asyncio.run(scenario())


def test_beyond_its_rate_a_key_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            slow = s.key_of("shop-1", rate=0.5)
            assert (await s.pay(1, key=slow)).status_code == 200
            answer = await s.pay(2, key=slow)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert s.scorer.ids == ["t1"]

    asyncio.run(scenario())


def test_a_body_beyond_the_bound_is_refused_unread(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path) as s:
            assert (await s.post("/v1/payments", b"x" * 300_000)).status_code == 413

    asyncio.run(scenario())
