"""The payments that are accepted and not decided: what is known of each, and who waits for it."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.messages import AlertIn, DeadLetterIn, DecisionIn, Rejected, answer_of, encode
from runtime.kafka.delivery import Placed


class Because(StrEnum):
    """Why a payment is answered without a decision."""

    TIMEOUT = "timeout"
    OVERLOAD = "overload"
    OUTAGE = "outage"
    JOURNAL = "journal"
    FULL = "full"


class Conflict(Exception):  # noqa: N818 - named for what happened
    """The id is known with other content, or to another shop."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a wait ended.

    Attributes:
        answer: JSON of an `Answer` or of a `Rejected`; None: the fallback is to be said.
        because: why there is no decision; None: there is.
        repeated: the answer was given before.
    """

    answer: bytes | None = None
    because: Because | None = None
    repeated: bool = False


@dataclass(slots=True, eq=False)
class Tracked:
    """One payment.

    Attributes:
        id: of the transaction.
        shop: whose key sent it.
        digest: of its content.
        since: when it was accepted, or taken up after a start, monotonic seconds.
        number: of its entry in the journal, once that is written.
        overdue: its time was over before the journal had it.
        sent: when it was handed to the outbox, monotonic seconds; None: it waits in the journal.
        counted: whether it counts as being at the scorer.
        where: where it stands in its topic.
        decision: as soon as it is read.
        alert: the same.
        said: what was answered without a decision.
        waiters: those who want its outcome.
    """

    id: str
    shop: str
    digest: bytes
    since: float
    number: int | None = None
    overdue: bool = False
    sent: float | None = None
    counted: bool = False
    where: Placed | None = None
    decision: DecisionIn | None = None
    alert: AlertIn | None = None
    said: bytes | None = None
    waiters: list["asyncio.Future[Outcome]"] = field(default_factory=list)

    def is_same(self, shop: str, digest: bytes) -> bool:
        """Whether a request repeats this one."""
        return (self.shop, self.digest) == (shop, digest)

    def answer(self) -> bytes | None:
        """The whole answer, once decision and alert are both there; they were committed together."""
        decision = self.decision
        if decision is None or (decision.alert_id is not None and self.alert is None):
            return None
        return encode(answer_of(decision, self.alert))

    def rejected(self, letter: DeadLetterIn) -> bytes:
        """The answer that a dead letter gives."""
        return encode(Rejected(self.id, letter.reason, letter.detail))

    def settle(self, outcome: Outcome) -> None:
        """Tells all who wait."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Tells all who wait that nothing will come."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)
