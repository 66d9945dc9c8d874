"""Log lines on payments that somebody should look at: dead letters, and card numbers where none belong."""

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from fraud.privacy.card_numbers import PREFIX
from fraud.privacy.pseudonyms import Pseudonyms
from service.batch import PartitionBatch, ProcessedBatch

DEAD: Final = "dead letters"
MASKED: Final = "card numbers received"

EVERY: Final = 10.0
"""Seconds between two lines of a kind: a producer that has gone wrong must not fill the disk."""

_log = structlog.get_logger(__name__)


class SampledWarnings:
    """Logs where the first such record of the last seconds stands, and of how many it is the example.

    Customers are named by pseudonyms, which are those of the alerts, and only where there is a secret.
    """

    def __init__(self, pseudonyms: Pseudonyms | None, monotonic: Callable[[], float]) -> None:
        self._pseudonyms = pseudonyms
        self._monotonic = monotonic
        self._counts: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def observe(self, result: ProcessedBatch) -> None:
        """Takes in a committed batch."""
        for part in result.parts:
            if part.dead and self._is_due(DEAD, len(part.dead)):
                self._log_example(DEAD, part, part.dead[0].row, reason=str(part.dead[0].reason))
            if part.decoded.masked and self._is_due(MASKED, part.decoded.masked):
                self._log_example(MASKED, part, _masked(part))

    def _is_due(self, event: str, count: int) -> bool:
        self._counts[event] = self._counts.get(event, 0) + count
        now = self._monotonic()
        due = now >= self._next.get(event, now)
        if due:
            self._next[event] = now + EVERY
        return due

    def _log_example(self, event: str, part: PartitionBatch, row: int, **facts: str) -> None:
        customer = self._customer(part.records.keys[row])
        if customer is not None:
            facts["customer"] = customer
        partition, offset = part.records.partition, part.records.offsets[row]
        _log.warning(event, count=self._counts.pop(event), partition=partition, offset=offset, **facts)

    def _customer(self, key: bytes | None) -> str | None:
        if self._pseudonyms is None or key is None:
            return None
        return self._pseudonyms.of(key.decode("utf-8", "replace"))


def _masked(part: PartitionBatch) -> int:
    """The first record of a part that holds a token; searched for only when a line is due."""
    for row, event in zip(part.decoded.rows.tolist(), part.decoded.events, strict=True):
        if PREFIX.encode() in msgspec.json.encode(event):
            return int(row)
    return 0
