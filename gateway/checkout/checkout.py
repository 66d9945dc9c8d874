"""A payment's way: kept in the journal, sent, decided, answered; or kept, answered by the fallback, and sent later.

Everything here runs in the event loop's thread; nothing blocks.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from gateway import entries as kept
from gateway.checkout.admission import Admission
from gateway.checkout.tracking import Because, Conflict, Outcome, Tracked
from gateway.entries import Entry, Kept, Undecided
from gateway.journal import Journal
from gateway.messages import AlertIn, DeadLetterIn, DecisionIn, Seen
from runtime.kafka.delivery import Outgoing, Placed
from runtime.kafka.follower import Place

GIVEN_UP_SECONDS: Final = 30.0
"""Age at which a payment no longer counts as being at the scorer: its decision may never come."""

JOURNAL_SECONDS: Final = 1.0
"""How long beyond its time a payment waits for the journal."""

TICK_SECONDS: Final = 0.025
MOST_LATER: Final = 100
"""Payments that nobody waits for, sent at once."""

K = TypeVar("K")
V = TypeVar("V")
RecordPlace: TypeAlias = tuple[int, int]
"""Partition and offset of a record of the input."""

Send: TypeAlias = Callable[[int, Sequence[Outgoing]], None]


class Checkout:
    """Answers payments.

    Args:
        journal: where they are kept.
        send: hands messages to the outbox, with its generation.
        admission: who is let in.
        monotonic: seconds that never go back.
        most: payments that may be accepted and not decided.
        keep: seconds after which nobody asks for an undecided payment any more.
        outage: age of the oldest payment at the scorer, in seconds, beyond which nobody is made to wait any more.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        send: Send,
        admission: Admission,
        monotonic: Callable[[], float],
        most: int,
        keep: float,
        outage: float,
    ) -> None:
        self._journal = journal
        self._send = send
        self._monotonic = monotonic
        self.most = most
        self._keep = keep
        self._outage = outage
        self._tracked: dict[str, Tracked] = {}
        self._by_number: dict[int, Tracked] = {}
        self._by_place: dict[RecordPlace, Tracked] = {}
        self._by_alert: dict[RecordPlace, Tracked] = {}
        self._decisions: OrderedDict[RecordPlace, DecisionIn] = OrderedDict()
        self._alerts: OrderedDict[RecordPlace, AlertIn] = OrderedDict()
        self._letters: OrderedDict[RecordPlace, DeadLetterIn] = OrderedDict()
        self._at_scorer: dict[str, Tracked] = {}
        self._later: deque[int] = deque()
        self.generation = 0
        self.admission = admission
        self.linked = 0
        """Decisions that came after their payment's answer."""
        self._lag = 0.0
        self._due: float | None = None

    # --- requests ---

    async def outcome(self, entry: Entry, *, seconds: float) -> Outcome:
        """Keeps a payment and waits for what becomes of it, so many seconds at most.

        Raises:
            Conflict: its id is known with other content.
        """
        tracked = self._tracked.get(entry.id)
        if tracked is not None:
            if not tracked.is_same(entry.shop, entry.digest):
                raise Conflict
            if tracked.said is not None:
                return Outcome(tracked.said, repeated=True)
        elif len(self._tracked) >= self.most:
            return Outcome(because=Because.FULL)
        else:
            tracked = self._accept(entry)
        loop = asyncio.get_running_loop()
        began = self._monotonic()
        waiter: asyncio.Future[Outcome] = loop.create_future()
        tracked.waiters.append(waiter)
        timer = loop.call_later(seconds, self._out_of_time, tracked, waiter)
        try:
            outcome = await waiter
        finally:
            timer.cancel()
        if outcome.because is None and tracked.sent is not None:
            self.admission.decided(self._monotonic() - began, seconds)
        return outcome

    def said(self, of: str, answer: bytes) -> None:
        """Notes what a payment was answered without a decision: whoever asks again is told the same."""
        tracked = self._tracked.get(of)
        if tracked is not None:
            tracked.said = answer
            tracked.settle(Outcome(answer, repeated=True))
        self._journal.note(kept.answered(of, answer))

    def refuses(self, shop: str) -> Because | None:
        """Why a payment of this shop would not be sent at once; None: it would."""
        if not self.generation or self.oldest > self._outage:
            return Because.OUTAGE
        return None if self.admission.admits(shop) else Because.OVERLOAD

    def _accept(self, entry: Entry) -> Tracked:
        tracked = self._tracked[entry.id] = Tracked(entry.id, entry.shop, entry.digest, self._monotonic())
        future = self._journal.submit(kept.accept(entry))
        future.add_done_callback(lambda done: self._kept(tracked, entry, done))
        return tracked

    def _kept(self, tracked: Tracked, entry: Entry, done: "asyncio.Future[tuple[Kept, bool]]") -> None:
        """The journal has written it, or knew it, or cannot write."""
        error = done.exception()
        if error is not None:
            del self._tracked[tracked.id]
            tracked.settle(Outcome(because=Because.JOURNAL))
            return
        known, new = done.result()
        tracked.number = known.seq
        if new:
            self._by_number[known.seq] = tracked
            self._dispatch(tracked, entry.outgoing(known.seq))
            return
        del self._tracked[tracked.id]
        if (known.shop, known.digest) != (entry.shop, entry.digest):
            tracked.fail(Conflict())
        else:
            # What was said once is said again, although the decision may be known by now.
            answer = known.answer or known.decision
            tracked.settle(Outcome(answer, None if answer else Because.TIMEOUT, repeated=answer is not None))

    def _dispatch(self, tracked: Tracked, message: Outgoing) -> None:
        because = Because.OVERLOAD if tracked.overdue else self.refuses(tracked.shop)
        if because is None:
            self._to_scorer(tracked)
            self._send(self.generation, (message,))
        else:
            self._later.append(message.number)
            tracked.settle(Outcome(because=because))

    def _out_of_time(self, tracked: Tracked, waiter: "asyncio.Future[Outcome]") -> None:
        if waiter.done():
            return
        self.admission.late()
        if tracked.number is not None:
            waiter.set_result(Outcome(because=Because.TIMEOUT))
            return
        # A late answer that it is accepted is worth more than one in time that it is not.
        tracked.overdue = True
        asyncio.get_running_loop().call_later(JOURNAL_SECONDS, _give_up, waiter)

    def deliver(self, messages: Sequence[Outgoing]) -> None:
        """Sends what is kept and nobody waits for: outcomes, labels, notices."""
        if self.generation:
            self._send(self.generation, messages)
        else:
            self._later.extend(message.number for message in messages)

    # --- what the threads tell ---

    def resume(self, undecided: Sequence[Undecided]) -> None:
        """Takes up what an earlier process left undecided."""
        for one in undecided:
            tracked = Tracked(one.id, one.shop, one.digest, self._monotonic(), one.seq, said=one.answer)
            self._tracked[one.id] = tracked
            self._by_number[one.seq] = tracked
            if one.partition is not None:
                self._stands(tracked, Placed(one.seq, one.partition, -1 if one.offset is None else one.offset), [])

    def opened(self, generation: int, unsent: Sequence[int]) -> None:
        """The outbox sends again; these entries wait in the journal."""
        self.generation = generation
        self._later = deque(sorted({*unsent, *self._later}))

    def lost(self) -> None:
        """The outbox sends no more."""
        self.generation = 0

    def placed(self, placed: Sequence[Placed]) -> None:
        """Kafka has these."""
        self._journal.note(kept.place(placed))
        decided: list[tuple[str, bytes]] = []
        for one in placed:
            tracked = self._by_number.get(one.number)
            if tracked is not None:
                self._stands(tracked, one, decided)
        if decided:
            self._journal.note(kept.decide(decided, {}))

    def seen(self, records: Sequence[Seen], positions: Mapping[Place, int]) -> None:
        """What the outputs say, up to these positions."""
        decided: list[tuple[str, bytes]] = []
        for record in records:
            if isinstance(record, DecisionIn):
                self._decision(record, decided)
            elif isinstance(record, AlertIn):
                self._alert(record, decided)
            else:
                self._letter(record, decided)
        self._journal.note(kept.decide(decided, positions))

    def _decision(self, decision: DecisionIn, decided: list[tuple[str, bytes]]) -> None:
        """Takes a decision on our record; one on another record of the same id is somebody else's payment."""
        tracked = self._tracked.get(decision.transaction_id)
        if tracked is None:
            return
        where, place = tracked.where, decision.source.place
        if where is None:
            _remember(self._decisions, place, decision)  # Kafka's answer to our sending is on its way
        elif where.offset < 0 or place == (where.partition, where.offset):
            tracked.decision = decision
            if decision.alert_id is not None:
                tracked.alert = self._alerts.pop(place, None)
                if tracked.alert is None:
                    self._by_alert[place] = tracked
            self._try(tracked, decided)

    def _alert(self, alert: AlertIn, decided: list[tuple[str, bytes]]) -> None:
        tracked = self._by_alert.pop(alert.source.place, None)
        if tracked is None:
            _remember(self._alerts, alert.source.place, alert)  # its decision comes in another fetch
        else:
            tracked.alert = alert
            self._try(tracked, decided)

    def _letter(self, letter: DeadLetterIn, decided: list[tuple[str, bytes]]) -> None:
        tracked = self._by_place.get(letter.source.place)
        if tracked is None:
            _remember(self._letters, letter.source.place, letter)  # as above
        else:
            self._finish(tracked, tracked.rejected(letter), decided)

    def _stands(self, tracked: Tracked, placed: Placed, decided: list[tuple[str, bytes]]) -> None:
        """Takes up what was said of a record before it was known to be ours."""
        tracked.where = placed
        place = placed.partition, placed.offset
        self._by_place[place] = tracked
        letter, decision = self._letters.pop(place, None), self._decisions.pop(place, None)
        if placed.offset < 0:
            decision = next((one for one in self._decisions.values() if one.transaction_id == tracked.id), None)
        if letter is not None:
            self._letter(letter, decided)
        elif decision is not None:
            self._decision(decision, decided)

    def _try(self, tracked: Tracked, decided: list[tuple[str, bytes]]) -> None:
        """Finishes a payment once everything about it is there."""
        answer = tracked.answer()
        if answer is not None:
            self._finish(tracked, answer, decided)

    def _finish(self, tracked: Tracked, answer: bytes, decided: list[tuple[str, bytes]]) -> None:
        decided.append((tracked.id, answer))
        self._forget(tracked)
        self.linked += not tracked.waiters
        tracked.settle(Outcome(answer))

    def _forget(self, tracked: Tracked) -> None:
        self._tracked.pop(tracked.id, None)
        if tracked.number is not None:
            self._by_number.pop(tracked.number, None)
        if tracked.where is not None:
            self._by_place.pop((tracked.where.partition, tracked.where.offset), None)
        if tracked.decision is not None:
            self._by_alert.pop(tracked.decision.source.place, None)
        self._leave(tracked)

    # --- time ---

    @property
    def oldest(self) -> float:
        """Seconds that the payment which is longest at the scorer is there."""
        first = next(iter(self._at_scorer.values()), None)
        return 0.0 if first is None or first.sent is None else self._monotonic() - first.sent

    @property
    def waiting(self) -> int:
        """Entries that wait in the journal."""
        return len(self._later)

    @property
    def undecided(self) -> int:
        """Payments that are accepted and not decided."""
        return len(self._tracked)

    @property
    def lag(self) -> float:
        """Seconds that the event loop is late: about as long as a request has waited to be read."""
        return self._lag if self._due is None else max(self._lag, self._monotonic() - self._due)

    def turned(self, lag: float) -> None:
        """Notes how late the loop came to a turn; the next one is due in TICK_SECONDS."""
        self._lag, self._due = lag, self._monotonic() + TICK_SECONDS

    def tick(self) -> None:
        """What time brings: payments that are given up, and room for those nobody waits for. Every TICK_SECONDS."""
        while self.oldest > GIVEN_UP_SECONDS:
            self._leave(next(iter(self._at_scorer.values())))
        while self._tracked and self._monotonic() - next(iter(self._tracked.values())).since > self._keep:
            self._forget(next(iter(self._tracked.values())))
        if self._later and self.generation and self.oldest <= self._outage:
            # At least one: under steady load they must come through too.
            count = min(max(1, self.admission.spare), MOST_LATER, len(self._later))
            numbers = [self._later.popleft() for _ in range(count)]
            generation = self.generation
            future = self._journal.submit(kept.load(numbers))
            future.add_done_callback(lambda done: self._loaded(generation, numbers, done))

    def _loaded(self, generation: int, numbers: Sequence[int], done: "asyncio.Future[list[Outgoing]]") -> None:
        error = done.exception()
        if error is not None:
            self._later.extendleft(reversed(numbers))
            return
        messages = done.result()
        for message in messages:
            tracked = self._by_number.get(message.number)
            if tracked is not None:
                self._to_scorer(tracked)
        self._send(generation, messages)

    def _to_scorer(self, tracked: Tracked) -> None:
        self._leave(tracked)
        tracked.sent, tracked.counted = self._monotonic(), True
        self._at_scorer[tracked.id] = tracked
        self.admission.enter(tracked.shop)

    def _leave(self, tracked: Tracked) -> None:
        self._at_scorer.pop(tracked.id, None)
        if tracked.counted:
            tracked.counted = False
            self.admission.leave(tracked.shop)


def _give_up(waiter: "asyncio.Future[Outcome]") -> None:
    if not waiter.done():
        waiter.set_result(Outcome(because=Because.JOURNAL))


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    """Keeps the newest thousands: what belongs together comes within moments."""
    memory[key] = value
    if len(memory) > 20_000:
        memory.popitem(last=False)
