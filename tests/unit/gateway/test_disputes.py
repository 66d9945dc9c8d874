"""Dispute webhooks: verified, mapped to labels; forged and replayed ones refused, unknown ones kept."""

import asyncio
import base64
import hashlib
import hmac
from pathlib import Path

import httpx
import msgspec
import pytest

from fraud.contracts.inbound import Label
from gateway.disputes import adyen
from gateway.disputes.reason_codes import verdict_of_code
from gateway.disputes.secrets import Secret, read_secrets
from runtime.errors import Misconfigured
from tests.support.gateways import NOW, Shop, shop

KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
SECRETS = {
    "stripe": [Secret("other", "whsec_other", "payment_intent"), Secret("shop-1", "whsec_1", "payment_intent")],
    "adyen": [Secret("shop-1", KEY, "merchantReference")],
}
SECONDS = int(NOW.timestamp())


def event(kind: str = "charge.dispute.created", /, **thing: object) -> bytes:
    dispute = {"object": "dispute", "payment_intent": "pi_1", "reason": "fraudulent", **thing}
    return msgspec.json.encode({"id": "evt_1", "type": kind, "created": SECONDS - 60, "data": {"object": dispute}})


def signed(body: bytes, *, at: int = SECONDS, signer: str = "whsec_1") -> str:
    made = hmac.new(signer.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={'0' * 64},v1={made},v0=old"


async def notify(s: Shop, body: bytes, signature: str) -> httpx.Response:
    return await s.post("/v1/disputes/stripe", body, key="", stripe_signature=signature)


def labels(s: Shop) -> list[dict[str, object]]:
    found = [msgspec.json.decode(message.value) for message in s.scorer.sent if message.topic == "labels"]
    for label in found:
        Label.model_validate(label)
    return found


@pytest.mark.parametrize(
    ("kind", "thing", "verdict", "source"),
    [
        ("charge.dispute.created", {}, "unauthorised", "chargeback"),
        ("charge.dispute.created", {"reason": "product_not_received"}, "service", "chargeback"),
        ("charge.dispute.closed", {"status": "lost"}, "unauthorised", "dispute_outcome"),
        ("charge.dispute.closed", {"status": "won"}, "first_party", "dispute_outcome"),
        ("charge.dispute.closed", {"status": "won", "reason": "duplicate"}, "genuine", "dispute_outcome"),
        ("radar.early_fraud_warning.created", {"fraud_type": "made_with_stolen_card"}, "unauthorised", "early_warning"),
    ],
)
def test_a_notice_of_stripe_becomes_a_label(
    tmp_path: Path, kind: str, thing: dict[str, object], verdict: str, source: str
) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            body = event(kind, **thing)
            assert (await notify(s, body, signed(body))).status_code == 200
            await s.until(lambda: bool(s.scorer.sent))
            (label,) = labels(s)
            assert (label["transaction_id"], label["verdict"], label["source"]) == ("pi_1", verdict, source)
            assert s.scorer.sent[0].key == b"pi_1"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (lambda body: signed(body, signer="whsec_forged"), "none of the secrets"),
        (lambda body: signed(body, at=SECONDS - 301), "more than 300 s"),
        (lambda body: signed(body, at=SECONDS + 301), "more than 300 s"),
        (lambda body: signed(body + b" "), "none of the secrets"),
        (lambda body: signed(body).replace("t=", "x="), "no time"),
        (lambda _body: "", "no time"),
    ],
)
def test_a_forged_or_stale_signature_is_refused_and_nothing_is_learned(
    tmp_path: Path, signature: "object", why: str
) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            body = event()
            answer = await notify(s, body, signature(body))  # type: ignore[operator] # a lambda
            assert (answer.status_code, answer.json()["reason"]) == (401, "unverified")
            assert why in answer.json()["detail"]
            assert not s.scorer.sent

    asyncio.run(scenario())


def test_a_replayed_webhook_is_refused_and_an_honest_repetition_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            body = event()
            assert (await notify(s, body, signed(body))).status_code == 200
            replayed = await notify(s, body, signed(body))
            assert (replayed.status_code, replayed.json()["reason"]) == (409, "replayed")
            assert (await notify(s, body, signed(body, at=SECONDS + 5))).status_code == 200
            await s.until(lambda: bool(s.scorer.sent))
            assert len(s.scorer.sent) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (event("customer.created"), "nothing is known"),
        (event(reason="noncompliant"), "nothing is known"),
        (event(payment_intent=None), "no payment_intent"),
    ],
)
def test_what_gives_no_label_is_kept_and_says_why(tmp_path: Path, body: bytes, why: str) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            assert (await notify(s, body, signed(body))).status_code == 200
            await s.until(lambda: bool(s.scorer.sent))
            (message,) = s.scorer.sent
            headers = dict(message.headers)
            assert (message.topic, message.value, headers["shop"]) == ("disputes", body, b"shop-1")
            assert why in headers["detail"].decode()

    asyncio.run(scenario())


def item(**given: object) -> dict[str, object]:
    return {
        "pspReference": "7914073381342284",
        "originalReference": "",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
        "eventDate": "2026-01-04T10:00:00+01:00",
        **given,
    }


def delivery(*items: dict[str, object], key: str = KEY, reason: str = "10.4") -> bytes:
    wrapped = []
    for one in items:
        data = {"hmacSignature": adyen.signature(one, key), "chargebackReasonCode": reason}
        wrapped.append({"NotificationRequestItem": {**one, "additionalData": data}})
    return msgspec.json.encode({"live": "false", "notificationItems": wrapped})


def test_adyens_signature_is_that_of_its_documentation() -> None:
    made = base64.b64encode(
        hmac.new(
            bytes.fromhex(KEY),
            b"7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true",
            hashlib.sha256,
        ).digest()
    ).decode()
    # The pair of Adyen's own libraries' tests.
    assert made == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="
    assert adyen.signature(item(), KEY) == made


@pytest.mark.parametrize(
    ("kind", "reason", "verdict", "source"),
    [
        ("CHARGEBACK", "10.4", "unauthorised", "chargeback"),
        ("CHARGEBACK", "13.1", "service", "chargeback"),
        ("NOTIFICATION_OF_FRAUD", "", "unauthorised", "early_warning"),
        ("CHARGEBACK_REVERSED", "4837", "first_party", "dispute_outcome"),
    ],
)
def test_a_notice_of_adyen_becomes_a_label_once(
    tmp_path: Path, kind: str, reason: str, verdict: str, source: str
) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            body = delivery(item(eventCode=kind), reason=reason)
            for _ in range(2):
                answer = await s.post("/v1/disputes/adyen", body, key="")
                assert (answer.status_code, answer.text) == (200, "[accepted]")
            await s.until(lambda: bool(s.scorer.sent))
            (label,) = labels(s)
            assert (label["verdict"], label["source"]) == (verdict, source)
            assert label["transaction_id"] == "TestPayment-1407325143704"

    asyncio.run(scenario())


def test_a_forged_notice_of_adyen_refuses_the_whole_delivery(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            good = msgspec.json.decode(delivery(item(eventCode="CHARGEBACK")))
            bad = msgspec.json.decode(delivery(item(eventCode="CHARGEBACK", pspReference="1"), key="00" * 32))
            good["notificationItems"] += bad["notificationItems"]
            assert (await s.post("/v1/disputes/adyen", good, key="")).status_code == 401
            assert not s.scorer.sent

    asyncio.run(scenario())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"notificationItems": []}', b'{"notificationItems": [{}]}'])
def test_what_is_no_delivery_is_refused(tmp_path: Path, body: bytes) -> None:
    async def scenario() -> None:
        async with shop(tmp_path, secrets=SECRETS) as s:
            assert (await s.post("/v1/disputes/adyen", body, key="")).status_code == 400

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("10.4", "unauthorised"), ("13.1", "service"), ("4837", "unauthorised"), ("37", "unauthorised"),
     ("F29", "unauthorised"), ("C08", "service"), ("UA02", "unauthorised"), ("99", None), ("", None)],
)  # fmt: skip
def test_a_reason_code_says_what_its_scheme_means_by_it(code: str, verdict: str | None) -> None:
    assert verdict_of_code(code) == verdict


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"paypal": []}', '{"stripe": [{"shop": "a"}]}', '{"adyen": [{"shop": "a", "secret": "xyz"}]}']
)
def test_a_wrong_file_of_secrets_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "webhooks.json"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=r"webhooks\.json"):
        read_secrets(path)
