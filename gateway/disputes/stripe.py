"""Stripe's webhooks: signature, then disputes and early fraud warnings as labels.

https://docs.stripe.com/webhooks#verify-manually: header `Stripe-Signature: t=SECONDS,v1=HEX,…`, HMAC-SHA256 of
`SECONDS.BODY` under the endpoint's secret. Stripe signs anew whenever it tries again: one signature comes once.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from fraud.contracts.inbound import LabelSource, Verdict
from gateway.disputes.notice import Forged, Notice
from gateway.disputes.reason_codes import STRIPE
from gateway.disputes.secrets import Secret

TOLERANCE_SECONDS: Final = 300
WON: Final[dict[Verdict, Verdict]] = {"unauthorised": "first_party"}
"""Who disputed as fraud and lost had paid himself; who disputed the goods and lost was a customer."""


def read(body: bytes, header: str, secrets: Sequence[Secret], *, now: datetime) -> Notice:
    """A verified notice.

    Raises:
        Forged: no secret signs it, or its signature is older than the tolerance.
        ValueError: it is signed, and no event.
    """
    secret, signature = _verified(body, header, secrets, now)
    event = msgspec.json.decode(body)
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
        raise ValueError("no event: id and type are missing")  # noqa: TRY004 - the answer is the same
    notice = Notice(secret.shop, f"stripe:{event['id']}", event["type"], f"stripe:{signature}")
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    return _labelled(notice, thing, event, secret)


def _verified(body: bytes, header: str, secrets: Sequence[Secret], now: datetime) -> tuple[Secret, str]:
    parts = [part.partition("=")[::2] for part in header.split(",")]
    times = [value for name, value in parts if name.strip() == "t"]
    given = [value for name, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        raise Forged("the signature names no time")
    if abs(now.timestamp() - int(times[0])) > TOLERANCE_SECONDS:
        raise Forged(f"signed more than {TOLERANCE_SECONDS} s from now")
    signed = times[0].encode() + b"." + body
    for secret in secrets:
        made = hmac.new(secret.key.encode(), signed, hashlib.sha256).hexdigest()
        for signature in given:
            if hmac.compare_digest(made.encode(), signature.strip().encode()):
                return secret, made
    raise Forged("signed by none of the secrets")


def _labelled(notice: Notice, thing: Any, event: dict[str, Any], secret: Secret) -> Notice:  # noqa: ANN401 - JSON
    found = _verdict(notice.kind, thing) if isinstance(thing, dict) else None
    if found is None:
        return _without(notice, "nothing is known to be learned from this")
    transaction_id = secret.reference(thing)
    created = event.get("created")
    if transaction_id is None:
        return _without(notice, f"it has no {secret.transaction_id}, which names the payment")
    if not isinstance(created, int) or not 0 < created < 4_102_444_800:
        return _without(notice, "it does not say when it was made")
    verdict, source, reason = found
    label: dict[str, object] = {
        "label_id": notice.id,
        "transaction_id": transaction_id,
        "verdict": verdict,
        "source": source,
        "occurred_at": datetime.fromtimestamp(created, UTC).isoformat(),
        "reason_code": reason or None,
    }
    return Notice(notice.shop, notice.id, notice.kind, notice.signature, label)


def _verdict(kind: str, thing: dict[str, Any]) -> tuple[Verdict, LabelSource, str] | None:
    reason = str(thing.get("reason") or thing.get("fraud_type") or "")[:256]
    if kind == "radar.early_fraud_warning.created":
        return "unauthorised", "early_warning", reason
    verdict = STRIPE.get(reason)
    if verdict is None:
        return None
    if kind == "charge.dispute.created":
        return verdict, "chargeback", reason
    if kind == "charge.dispute.closed" and thing.get("status") == "lost":
        return verdict, "dispute_outcome", reason
    if kind == "charge.dispute.closed" and thing.get("status") == "won":
        return WON.get(verdict, "genuine"), "dispute_outcome", reason
    return None


def _without(notice: Notice, why: str) -> Notice:
    return Notice(notice.shop, notice.id, notice.kind, notice.signature, None, why)
