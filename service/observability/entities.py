"""What the histories know of an entity now, for people and for the gateway: `/entities/KIND/ID` of the HTTP endpoint.

Read in the endpoint's thread beside the loop. Each compiled call holds the interpreter to its end: one that reads falls
between two that write, so that it sees a history as it was after some record.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

import msgspec

from fraud.contracts.fields import ENTITY_FIELDS
from fraud.contracts.inbound import MAX_TEXT, SCHEMA_VERSION
from fraud.decoding.batch import ENTITIES
from fraud.decoding.decoder import Decoder
from fraud.history.history import History
from fraud.history.kernel.event_measures import EVENT_MEASURES, Columns, columns_of
from fraud.history.kernel.layout import KINDS
from fraud.history.kernel.measures import COUNT, MEASURES, new_scratch
from fraud.history.kernel.update import look_up
from fraud.units import DAY_US
from runtime.http import TEXT, Answer
from service.partition import Partition
from service.ports import Clock

ENTITIES_PATH: Final = "/entities/"
JSON: Final = "application/json"


class EntityLookup:
    """Answers look-ups.

    Args:
        decoder: hashes ids as those of events.
        currency: a known one.
        partitions: the histories, by partition; changed by the loop.
        lag: records behind the end of the log, by partition.
        clock: wall time.
    """

    def __init__(
        self,
        decoder: Decoder,
        currency: str,
        *,
        partitions: Mapping[int, Partition],
        lag: Callable[[], Mapping[int, int]],
        clock: Clock,
    ) -> None:
        self._decoder = decoder
        self._currency = currency
        self._partitions = partitions
        self._lag = lag
        self._clock = clock

    def answer(self, rest: str) -> Answer:
        """The answer to `KIND/ID`, percent-encoded: what each partition here knows, and how fresh that is."""
        kind, _, given = rest.partition("/")
        of = unquote(given)
        if kind not in ENTITY_FIELDS or not 0 < len(of) <= MAX_TEXT:
            return 404, TEXT, f"kinds are {', '.join(ENTITY_FIELDS)}, ids of 1 to {MAX_TEXT} characters\n".encode()
        lag = self._lag()
        known = [
            {"partition": number, "behind_records": lag.get(number)} | self._measures(state.encoder.history, kind, of)
            for number, state in sorted(self._partitions.items())
        ]
        return 200, JSON, msgspec.json.encode({"kind": kind, "id": of, "partitions": known})

    def warm(self, history: History) -> None:
        """Has everything compiled, on a history of nobody."""
        self._measures(history, "customer", "nobody")

    def _measures(self, history: History, kind: str, of: str) -> dict[str, object]:
        at_us = self._time(history.watermark)
        scratch = new_scratch(len(KINDS), len(EVENT_MEASURES))
        place = look_up(history.state, history.limits, self._columns(kind, of, at_us), ENTITIES.index(kind), scratch)
        values = scratch.values[:COUNT].tolist()
        return {
            "as_of": datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(),
            "known": place >= 0,
            "measures": {name: value for name, value in zip(MEASURES, values, strict=True) if not math.isnan(value)},
        }

    def _time(self, watermark: int | None) -> int:
        """Now; in a replayed or simulated stream, which has dates of its own, the time that it has reached."""
        now = self._clock.now_us()
        return now if watermark is None or abs(now - watermark) < DAY_US else watermark

    def _columns(self, kind: str, of: str, at_us: int) -> Columns:
        """A payment that says nothing but this entity."""
        event = {
            "type": "transaction",
            "schema_version": SCHEMA_VERSION,
            "transaction_id": "-",
            "customer_id": "-",
            "event_time": datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(),
            "amount": 0,
            "currency": self._currency,
            ENTITY_FIELDS[kind]: of,
        }
        return columns_of(self._decoder.decode([msgspec.json.encode(event)], [at_us]).batch)
