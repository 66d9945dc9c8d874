"""Dead letters: unscored payments with the reason why, and the cap that stops a bad deploy."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.decode import Reject
from fraud.outputs import DeadLetter
from fraud.pan import Token, mask_bytes
from service.errors import TooManyDeadLetters
from service.ports import Channel, Headers, Messages, Records

ATTEMPT_HEADER: Final = "redrive_attempt"
"""Header of a redriven record: how often it has been redriven."""

MAX_VALUE: Final = 1_000_000
"""Bytes of a value; with its headers it stays below what a broker takes by default (1,048,588)."""

MAX_KEY: Final = 1_024
"""Bytes of a key; a customer's id has at most 256 characters."""

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

    def messages(self, records: Records, rejects: Sequence[Reject], now: datetime) -> Messages:
        """One message a reject: the record's key, its raw value, and headers that say what, where and why."""
        keys, values, headers = [], [], []
        for reject in rejects:
            value, described = self._letter(records, reject, now)
            keys.append(_key(records.keys[reject.row]))
            values.append(value)
            headers.append(described)
        return Messages(Channel.DEAD_LETTERS, keys, values, headers)

    def _letter(self, records: Records, reject: Reject, now: datetime) -> tuple[bytes, list[tuple[str, bytes]]]:
        raw = records.values[reject.row] or b""
        value, masked = mask_bytes(raw, self.token) if self.token else (raw, 0)
        source = records.headers[reject.row]
        letter = DeadLetter(
            reason=reject.reason,
            detail=reject.detail[:1024],
            source_topic=self.topic,
            source_partition=records.partition,
            source_offset=records.offsets[reject.row],
            time=now,
            masked=masked,
            truncated=len(value) > MAX_VALUE
            or len(records.keys[reject.row] or b"") > MAX_KEY
            or reject.row in records.unread,
            attempt=redriven(source),
        )
        own = letter.headers()
        return value[:MAX_VALUE], [*own, *_kept(source, {name for name, _ in own})]


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


def _kept(headers: Headers, taken: set[str]) -> list[tuple[str, bytes]]:
    """The source's headers (trace ids and the like) as far as they are sane and do not pose as ours."""
    kept = [(name, value or b"") for name, value in headers if name not in taken and name != ATTEMPT_HEADER]
    return kept if sum(len(name) + len(value) for name, value in kept) <= MAX_INPUT_HEADERS else []


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
