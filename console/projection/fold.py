"""The state of a case as its events fold to it, in the order of the log: pure, so that every reader agrees."""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from fraud.contracts.cases import CaseEvent

Status: TypeAlias = Literal["open", "closed", "merged"]
SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case after so many events; times in µs by the broker's stamps."""

    version: int = 0
    status: Status = "open"
    holder: str | None = None
    claim_until_us: int = 0
    snooze_until_us: int = 0
    verdict: str | None = None
    judged_by: str | None = None
    judged_us: int = 0
    label_id: str | None = None
    into: str | None = None
    touched_us: int = 0

    def held_by(self, user: str, now_us: int) -> bool:
        """Whether the user holds a claim that has not run out."""
        return self.holder == user and now_us < self.claim_until_us

    def free(self, user: str, now_us: int) -> bool:
        """Whether the user may claim it."""
        return self.status == "open" and (self.holder in (None, user) or now_us >= self.claim_until_us)


@dataclass(frozen=True, slots=True)
class NotCounted:
    """An event that changes nothing, and why; the reason is a key of the texts."""

    reason: Literal["changed", "held", "not_held", "closed", "not_closed"]


def fold(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    """The state after an event, or why it does not count.

    Args:
        state: after the case's events so far.
        event: the next one in the log.
        stamp_us: the broker's stamp of it.
    """
    if event.version != state.version + 1:
        return NotCounted("changed")
    after = _ACTS[event.type](state, event, stamp_us)
    return after if isinstance(after, NotCounted) else replace(after, version=event.version, touched_us=stamp_us)


def _until(event: CaseEvent, stamp_us: int) -> int:
    return stamp_us + (event.seconds or 0) * SECOND_US


def _claim(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    if state.status != "open":
        return NotCounted("closed")
    if not state.free(event.by, stamp_us):
        return NotCounted("held")
    return replace(state, holder=event.by, claim_until_us=_until(event, stamp_us), snooze_until_us=0)


def _assign(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    """A lead hands a case over; whose role allows it is for the console to say."""
    if state.status != "open":
        return NotCounted("closed")
    return replace(state, holder=event.to, claim_until_us=_until(event, stamp_us), snooze_until_us=0)


def _release(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    return _of_holder(state, event, stamp_us) or replace(state, holder=None, claim_until_us=0)


def _snooze(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    return _of_holder(state, event, stamp_us) or replace(
        state, holder=None, claim_until_us=0, snooze_until_us=_until(event, stamp_us)
    )


def _merge(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    return _of_holder(state, event, stamp_us) or replace(
        state, status="merged", holder=None, claim_until_us=0, into=event.into
    )


def _note(state: CaseState, _event: CaseEvent, _stamp_us: int) -> CaseState:
    return state


def _verdict(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    return _of_holder(state, event, stamp_us) or replace(
        state,
        status="closed",
        holder=None,
        claim_until_us=0,
        verdict=event.verdict,
        judged_by=event.by,
        judged_us=stamp_us,
    )


def _reopen(state: CaseState, event: CaseEvent, stamp_us: int) -> CaseState | NotCounted:
    """Undoes a verdict: its label stands until the next verdict's label supersedes it."""
    if state.status == "open":
        return NotCounted("not_closed")
    return replace(state, status="open", into=None, holder=event.by, claim_until_us=_until(event, stamp_us))


def _of_holder(state: CaseState, event: CaseEvent, stamp_us: int) -> NotCounted | None:
    if state.status != "open":
        return NotCounted("closed")
    return None if state.held_by(event.by, stamp_us) else NotCounted("not_held")


_ACTS: Final = {
    "claim": _claim,
    "assign": _assign,
    "release": _release,
    "snooze": _snooze,
    "merge": _merge,
    "note": _note,
    "verdict": _verdict,
    "reopen": _reopen,
}
