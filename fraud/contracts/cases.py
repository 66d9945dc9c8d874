"""The contract of what analysts do: events on the cases topic, the only truth of who holds a case and what was judged.

A case is a flagged payment (its id is the alert's) or one of the blind draws (`blind_case_id`). Each event names the
version of the case that it makes, the present one + 1: of two events of one version the first in the log counts, and
the other is refused, whoever wrote it and through which console. The topic has one partition, is kept for ever, and is
stamped by the broker; durations count from that stamp.
"""

import uuid
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from fraud.contracts.inbound import SCHEMA_VERSION, Contract, Label, SchemaVersion, Text, Time, Verdict

CASE_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "cases.fraudstream")
"""Name space of the ids of blind cases and of analysts' labels; part of the contract, hence never changed."""

MAX_NOTE: Final = 4_000
CaseAct: TypeAlias = Literal["claim", "release", "assign", "note", "verdict", "reopen", "snooze", "merge"]
Note: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_NOTE)]
Seconds: TypeAlias = Annotated[int, Field(ge=1, le=31_536_000)]

_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "claim": ("seconds",),
    "assign": ("seconds", "to", "text"),
    "note": ("text",),
    "verdict": ("verdict", "reason_code"),
    "reopen": ("seconds", "text"),
    "snooze": ("seconds",),
    "merge": ("into",),
}


class CaseEvent(Contract):
    """One act on a case."""

    schema_version: SchemaVersion = Field(SCHEMA_VERSION, description="version of this contract")
    event_id: Text = Field(description="id of this event")
    type: CaseAct = Field(description="what was done")
    case_id: Text = Field(description="the case; also the record's key")
    transaction_id: Text = Field(description="the payment that the case is about")
    version: Annotated[int, Field(ge=1)] = Field(description="version of the case that this event makes")
    by: Text = Field(description="user who did it")
    at: Time = Field(description="when, by the console's clock")
    seconds: Seconds | None = Field(None, description="how long a claim holds, or a snooze lasts")
    to: Text | None = Field(None, description="user who holds the case from now on")
    text: Note | None = Field(None, description="note, or the reason of the act")
    verdict: Verdict | None = Field(None, description="what the payment was")
    reason_code: Text | None = Field(None, description="why the analyst thinks so")
    propensity: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        None, description="of a blind case: the probability with which the payment was drawn"
    )
    into: Text | None = Field(None, description="case that this one becomes part of")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in _NEEDS.get(self.type, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.type} needs {', '.join(missing)}")
        if self.into == self.case_id:
            raise ValueError("a case cannot be merged into itself")
        return self


def blind_case_id(transaction_id: str) -> str:
    """The case of a payment that was allowed and drawn to be judged without its score."""
    return str(uuid.uuid5(CASE_NAMESPACE, f"blind\n{transaction_id}"))


def second_case_id(case_id: str) -> str:
    """The case in which a second analyst judges what was judged in this one, without being told how."""
    return str(uuid.uuid5(CASE_NAMESPACE, f"second\n{case_id}"))


def analyst_label(verdict: CaseEvent, *, transaction_id: str, supersedes: str | None) -> Label:
    """The label that follows from a verdict: the same, id included, whichever console makes it and however often.

    Args:
        verdict: an event of the type verdict.
        transaction_id: of the case itself, or of one that was merged into it.
        supersedes: the label of this payment that an earlier verdict of the case had made.
    """
    if verdict.verdict is None:
        raise ValueError(f"{verdict.event_id} is no verdict")
    return Label(
        schema_version=SCHEMA_VERSION,
        label_id=str(uuid.uuid5(CASE_NAMESPACE, f"{verdict.event_id}\n{transaction_id}")),
        transaction_id=transaction_id,
        verdict=verdict.verdict,
        source="analyst",
        occurred_at=verdict.at,
        received_at=verdict.at,
        reason_code=verdict.reason_code,
        supersedes=supersedes,
    )
