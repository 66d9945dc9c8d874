"""Dead letters: unscored payments with the reason why, and the cap that stops a bad deploy."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.contracts.outbound import DeadLetter
from fraud.decoding.careful_reader import Reject
from fraud.decoding.masking import mask_headers
from fraud.privacy.card_numbers import Token, mask_bytes, mask_plain
from runtime.errors import TooManyDeadLetters
from service.ports import Channel, Headers, Messages, Records

ATTEMPT_HEADER: Final = "redrive_attempt"
"""Header of a redriven record: how often it has been redriven."""

MAX_VALUE: Final = 500_000
"""Bytes of a value: more than an event may have, and with all that comes along less than a broker takes by default
(1,048,588). One costs about a second at most to search for card numbers."""

MAX_KEY: Final = 1_024
"""Bytes of a key; a customer's id has at most 256 characters."""
MARGIN: Final = 512
"""Bytes at the end of a cut value that go as well: more than a card number takes, which the cut may have halved."""

MOST_SEARCHED: Final = 8_000_000
"""Bytes of values that are searched for card numbers in one batch. At the slowest they cost some two microseconds each,
and the batch must be over before the group gives its member up."""

MAX_INPUT_HEADERS: Final = 16_000
"""Bytes of the source's own headers that are kept."""

WINDOW: Final = 10_000
LEAST: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Turns rejected records into messages.

    Attributes:
        topic: that the records come from.
        token: what to replace card numbers by; None leaves them.
    """

    topic: str
    token: Token | None

    def messages(
        self, records: Records, rejects: Sequence[Reject], now: datetime, beat: Callable[[], None] = lambda: None
    ) -> Messages:
        """One message a reject: the record's key, its raw value, and headers that say what, where and why.

        Before each it gives a sign of life by `beat`.
        """
        keys, values, headers = [], [], []
        left = MOST_SEARCHED
        for reject in rejects:
            beat()
            raw = records.values[reject.row] or b""
            most = min(MAX_VALUE, left)
            left -= min(len(raw), most)
            key, value, described = self._letter(records, reject, now, most)
            keys.append(key)
            values.append(value)
            headers.append(described)
        return Messages(Channel.DEAD_LETTERS, keys, values, headers)

    def _letter(
        self, records: Records, reject: Reject, now: datetime, most: int
    ) -> tuple[bytes | None, bytes, list[tuple[str, bytes]]]:
        """Key, value of at most so many bytes, and headers."""
        raw, key = records.values[reject.row] or b"", records.keys[reject.row]
        source = records.headers[reject.row]
        # Cut first: what is masked must be bounded, and what is cut can never be redriven.
        cut = raw if len(raw) <= most else raw[:most]
        value, masked = mask_bytes(cut, self.token) if self.token else (cut, 0)
        truncated = len(raw) > most or len(value) > MAX_VALUE
        if truncated:
            value = value[:-MARGIN][:MAX_VALUE]
        if key is not None and self.token and (len(key) > MAX_KEY or not _is_customer(key, cut)):
            # Of a long key only its beginning is kept, and so only that is searched.
            beginning, in_key = mask_plain(key[: 4 * MAX_KEY], self.token)
            key = beginning + key[4 * MAX_KEY :]
            masked += in_key
        cut_key = _key(key)
        kept, in_headers = _kept(source, self.token)
        letter = DeadLetter(
            reason=reject.reason,
            detail=reject.detail[:1024],
            source_topic=self.topic,
            source_partition=records.partition,
            source_offset=records.offsets[reject.row],
            time=now,
            masked=masked + in_headers,
            truncated=truncated or cut_key is not key or reject.row in records.unread,
            size=len(raw) if truncated else None,
            sha256=hashlib.sha256(raw).hexdigest() if truncated else None,
            attempt=redriven(source),
        )
        return cut_key, value, [*letter.headers(), *kept]


def _is_customer(key: bytes, raw: bytes) -> bool:
    """Whether the message names the key as its customer: an id like any other, which may be numeric."""
    return re.search(rb'"customer_id"\s*:\s*"?' + re.escape(key) + rb'["\s,}]', raw) is not None


def _key(key: bytes | None) -> bytes | None:
    """A key that fits beside the value: what is too long keeps its beginning, and a hash that tells it from others."""
    if key is None or len(key) <= MAX_KEY:
        return key
    digest = hashlib.sha256(key).hexdigest().encode()
    return key[: MAX_KEY - len(digest) - 1] + b"#" + digest


def redriven(headers: Headers) -> int:
    """How often the record with these headers has been redriven."""
    value = next((value for name, value in headers if name == ATTEMPT_HEADER), b"0")
    return int(value) if value.isdigit() and len(value) < 4 else 0


def _kept(headers: Headers, token: Token | None) -> tuple[list[tuple[str, bytes]], int]:
    """The source's headers (trace ids and the like) as far as they are sane and do not pose as ours, masked."""
    own = {*DeadLetter.model_fields, ATTEMPT_HEADER}
    kept = [(name, value or b"") for name, value in headers if name not in own]
    if sum(len(name) + len(value) for name, value in kept) > MAX_INPUT_HEADERS:
        return [], 0
    return mask_headers(kept, token) if token else (kept, 0)


class DeadLetterCap:
    """Counts over the last 10,000 records; more than half of them, and at least 1,000, dead: stop."""

    def __init__(self) -> None:
        self._dead: npt.NDArray[np.bool_] = np.zeros(WINDOW, np.bool_)
        self._seen = 0

    def check(self, dead: npt.NDArray[np.bool_]) -> None:
        """Takes in which of the next n records are dead letters, bool [n].

        Raises:
            TooManyDeadLetters: before their batch is committed.
        """
        newest = dead[-WINDOW:]
        self._dead[(self._seen + np.arange(len(newest))) % WINDOW] = newest
        self._seen += len(newest)
        count, window = int(self._dead.sum()), min(self._seen, WINDOW)
        if count >= LEAST and count * 2 > window:
            raise TooManyDeadLetters(
                f"{count} of the last {window} records cannot be scored: look at their reasons, mend the producer or "
                "the deploy, then start again (FRAUD_DEADLETTER_CAP=off goes on regardless)"
            )
