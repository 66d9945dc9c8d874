"""What analysts do, as events: appended, then read back; what the projection says then is what happened.

Two consoles, or two requests, may append at once. The log orders them, and the fold lets the first of a version count:
no lock is needed, and a process that dies between append and answer leaves nothing half done.
"""

import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from console.projection.database import Readers
from console.projection.follower import Follower
from console.projection.log import LogWriter
from console.projection.queue import Candidate, Filters, candidates
from fraud.contracts.cases import CaseEvent
from fraud.timestamps import to_datetime
from runtime.errors import Unavailable

READ_BACK_SECONDS: Final = 10.0
BLIND_ONE_IN: Final = 10
"""One in so many of the cases that the console hands out is a blind one, while there are any."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An act that did not count; the reason is a key of the texts."""

    reason: str


class Acts:
    """Appends events of cases.

    Args:
        readers: of the projection.
        follower: reads back.
        writer: of the log.
        topic: of cases.
        now_us: the wall clock, µs.
        claim_seconds: how long a claim holds.
        blind_share: with which blind cases were drawn.
        draws: which of the cases that are handed out are blind; the seed is no secret.
    """

    def __init__(
        self,
        readers: Readers,
        follower: Follower,
        writer: LogWriter,
        *,
        topic: str,
        now_us: Callable[[], int],
        claim_seconds: int,
        blind_share: float,
        draws: random.Random,
    ) -> None:
        self._readers = readers
        self._follower = follower
        self._writer = writer
        self._topic = topic
        self._now_us = now_us
        self._claim_seconds = claim_seconds
        self._blind_share = blind_share
        self._draws = draws

    def do(self, kind: str, case_id: str, by: str, version: int, **fields: object) -> Refused | None:
        """One act on a case as its page showed it; None: it counts.

        Args:
            kind: of `CaseAct`.
            case_id: the case.
            by: the user.
            version: of the case, as the page showed it.
            fields: what else the event holds.

        Raises:
            Unavailable: nobody knows whether it is in the log; the page will say so once the broker is back.
        """
        with self._readers.view() as connection:
            row = connection.execute(
                "SELECT c.kind, coalesce(d.transaction_id, c.transaction_id), c.first_case, c.first_by FROM cases c"
                " LEFT JOIN decision d ON d.alert_id = c.case_id WHERE c.case_id = ? AND c.kind IS NOT NULL",
                (case_id,),
            ).fetchone()
        if row is None:
            return Refused("unknown")
        if row["first_by"] == by or (row["first_case"] is not None and kind == "merge"):
            return Refused("own")
        blind = kind == "verdict" and row["kind"] == "blind" and row["first_case"] is None
        try:
            event = CaseEvent.model_validate(
                {
                    "event_id": str(uuid.uuid4()),
                    "type": kind,
                    "case_id": case_id,
                    "transaction_id": row[1],
                    "version": version + 1,
                    "by": by,
                    "at": to_datetime(self._now_us()),
                    "seconds": self._claim_seconds if kind in ("claim", "reopen", "assign") else None,
                    "propensity": self._blind_share if blind else None,
                    **fields,
                }
            )
        except ValidationError:
            return Refused("incomplete")
        return self._append(event)

    def claim_next(self, by: str, filters: Filters) -> str | None:
        """Claims the worthiest free case, or now and then a blind one; None: there is none."""
        blind_first = self._draws.randrange(BLIND_ONE_IN) == 0
        with self._readers.view() as connection:
            now_us = self._now_us()
            blind = candidates(connection, filters, by, now_us, kind="blind")
            alerts = candidates(connection, filters, by, now_us, kind="alert")
        order = [*blind, *alerts] if blind_first else [*alerts, *blind]
        return self._first(order, by)

    def _first(self, order: Iterable[Candidate], by: str) -> str | None:
        """Others may claim the same at the same time: whoever comes second goes on to the next."""
        return next((c.case_id for c in order if self.do("claim", c.case_id, by, c.version) is None), None)

    def _append(self, event: CaseEvent) -> Refused | None:
        value = event.model_dump_json(exclude_none=True).encode()
        offset = self._writer.append(self._topic, event.case_id, value)
        if not self._follower.wait_for(offset, seconds=READ_BACK_SECONDS):
            raise Unavailable("it is in the log, and was not read back yet: look at the case again in a moment")
        with self._readers.view() as connection:
            row = connection.execute("SELECT refused FROM case_event WHERE offset = ?", (offset,)).fetchone()
        return None if row[0] is None else Refused(row[0])
