"""Adyen's standard webhooks: signature, then chargebacks and warnings of fraud as labels.

https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures: HMAC-SHA256, under the
hex key, of `pspReference:originalReference:merchantAccountCode:merchantReference:value:currency:eventCode:success`, as
base64 in `additionalData.hmacSignature`. It holds no time: Adyen sends a notice again until it is accepted, always with
the same signature, and what comes twice is known by its reference and changes nothing.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from fraud.contracts.inbound import LabelSource, Verdict
from gateway.disputes.notice import Forged, Notice
from gateway.disputes.reason_codes import verdict_of_code
from gateway.disputes.secrets import Secret

_FRAUD: Final[dict[str, LabelSource]] = {"NOTIFICATION_OF_FRAUD": "early_warning"}
_DISPUTES: Final[dict[str, LabelSource]] = {
    "NOTIFICATION_OF_CHARGEBACK": "early_warning",
    "CHARGEBACK": "chargeback",
    "SECOND_CHARGEBACK": "dispute_outcome",
    "PREARBITRATION_LOST": "dispute_outcome",
}
_WON: Final = {"CHARGEBACK_REVERSED", "PREARBITRATION_WON"}


def read(body: bytes, secrets: Sequence[Secret]) -> list[Notice]:
    """The verified notices of a delivery.

    Raises:
        Forged: one of them is signed by no secret.
        ValueError: it is no delivery of notices.
    """
    found = msgspec.json.decode(body)
    try:
        items = [item["NotificationRequestItem"] for item in found["notificationItems"]]
        if not items or not all(isinstance(item["eventCode"], str) for item in items):
            raise ValueError("no notice in it")
    except (KeyError, TypeError):
        raise ValueError("notificationItems with NotificationRequestItem and eventCode are missing") from None
    return [_notice(item, secrets) for item in items]


def signature(item: dict[str, Any], key: str) -> str:
    """The signature of a notice under a hex key.

    Raises:
        ValueError: the key is no hex.
    """
    amount = item.get("amount")
    amount = amount if isinstance(amount, dict) else {}
    parts = [
        item.get("pspReference"),
        item.get("originalReference"),
        item.get("merchantAccountCode"),
        item.get("merchantReference"),
        amount.get("value"),
        amount.get("currency"),
        item.get("eventCode"),
        item.get("success"),
    ]
    signed = ":".join("" if part is None else str(part) for part in parts)
    made = hmac.new(binascii.unhexlify(key), signed.encode(), hashlib.sha256).digest()
    return base64.b64encode(made).decode()


def _notice(item: dict[str, Any], secrets: Sequence[Secret]) -> Notice:
    data = item.get("additionalData")
    data = data if isinstance(data, dict) else {}
    given = str(data.get("hmacSignature", ""))
    signer = next((s for s in secrets if hmac.compare_digest(signature(item, s.key).encode(), given.encode())), None)
    if signer is None:
        raise Forged("signed by none of the keys")
    kind = str(item["eventCode"])[:64]
    of = f"adyen:{item.get('pspReference')}:{kind}:{item.get('success')}"[:256]
    notice = Notice(signer.shop, of, kind, None)
    judged = _verdict(kind, str(data.get("chargebackReasonCode", "")))
    if judged is None or str(item.get("success")).lower() != "true":
        return _without(notice, "nothing is known to be learned from this")
    transaction_id = signer.reference(item)
    if transaction_id is None:
        return _without(notice, f"it has no {signer.transaction_id}, which names the payment")
    verdict, source = judged
    label: dict[str, object] = {
        "label_id": of,
        "transaction_id": transaction_id,
        "verdict": verdict,
        "source": source,
        "occurred_at": item.get("eventDate"),
        "reason_code": str(data.get("chargebackReasonCode", ""))[:256] or None,
    }
    return Notice(notice.shop, notice.id, notice.kind, None, label)


def _verdict(kind: str, code: str) -> tuple[Verdict, LabelSource] | None:
    if kind in _FRAUD:
        return "unauthorised", _FRAUD[kind]
    verdict = verdict_of_code(code)
    if verdict is None:
        return None
    if kind in _DISPUTES:
        return verdict, _DISPUTES[kind]
    if kind in _WON:
        return "first_party" if verdict == "unauthorised" else "genuine", "dispute_outcome"
    return None


def _without(notice: Notice, why: str) -> Notice:
    return Notice(notice.shop, notice.id, notice.kind, None, None, why)
