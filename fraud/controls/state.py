"""The fold of the controls log: which version of each control counts.

A pure function of the records in log order, so that every program, and every replay, agrees on it:

- A record counts only if its version is the present one of that control + 1. Of two writers of one version the first in
  the log wins; the other's is a conflict, and nothing is overwritten unseen.
- What lets payments through is live only if approved by somebody other than whoever wrote its content, in a version of
  its own: approval says something of content that stood there before. Changed content has lost its approval.
- What is no control is skipped: one bad record must not stop every scorer.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from fraud.contracts.controls import Control
from fraud.controls.opened_lists import opened_lists


class Refusal(StrEnum):
    """Why a record does not count."""

    INVALID = "invalid"
    CONFLICT = "conflict"
    UNAPPROVED = "unapproved"


@dataclass(frozen=True, slots=True)
class Applied:
    """The record counts."""

    control: Control


@dataclass(frozen=True, slots=True)
class Refused:
    """The record does not count.

    Attributes:
        reason: what for.
        detail: one line for its writer.
    """

    reason: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class _Head:
    """What the fold must know of a control's present version; the document itself stays as bytes.

    Attributes:
        version: of it.
        kind: of it.
        content_author: who wrote the body that it has.
        body: digest of the body, for comparison.
        raw: the record; a million list entries as parsed objects would be most of the process.
    """

    version: int
    kind: str
    content_author: str
    body: bytes
    raw: bytes


class ControlsState:
    """All controls as of a position in their log."""

    def __init__(self) -> None:
        self._heads: dict[str, _Head] = {}
        self._opened: dict[str, frozenset[str]] = {}
        self.offset = 0
        """Offset of the next record: those before it are taken in. What a decision names as `controls_offset`."""

    def apply(self, record: bytes, offset: int) -> Applied | Refused:
        """Takes in the record at an offset, in log order."""
        self.offset = offset + 1
        try:
            control = Control.model_validate_json(record)
        except ValidationError as error:
            return Refused(Refusal.INVALID, one_line(error))
        refused = self.refusal(control)
        if refused is not None:
            return refused
        before = self._heads.get(control.control_id)
        body = _body(control)
        author = before.content_author if before is not None and before.body == body else control.author
        self._heads[control.control_id] = _Head(control.version, control.kind, author, body, bytes(record))
        self._opened.pop(control.control_id, None)
        if control.rule is not None and control.rule.effect == "allow" and control.status == "live":
            self._opened[control.control_id] = opened_lists(control.rule.when)
        return Applied(control)

    def refusal(self, control: Control) -> Refused | None:
        """Why this control would not count if it were the next record; None when it would."""
        before = self._heads.get(control.control_id)
        present = 0 if before is None else before.version
        if control.version != present + 1:
            return Refused(
                Refusal.CONFLICT,
                f"{control.control_id} is at version {present}, and this would be version {control.version}: somebody "
                "else wrote it meanwhile; look at it, then write again",
            )
        if before is not None and before.kind != control.kind:
            return Refused(Refusal.INVALID, f"{control.control_id} is a {before.kind} and stays one")
        if control.status == "live" and self._lets_through(control) and not _approved(control, before):
            return Refused(
                Refusal.UNAPPROVED,
                f"{control.control_id} lets payments through, so somebody other than the author of its content must "
                "approve it: put it as a draft, then let them approve",
            )
        return None

    def current(self) -> Mapping[str, Control]:
        """The present version of each control, by its id, whatever its status; parsed when looked at."""
        return _Documents(self._heads)

    def next_version(self, control_id: str) -> int:
        """The version that the next writer of a control must name."""
        head = self._heads.get(control_id)
        return 1 if head is None else head.version + 1

    def content_author(self, control_id: str) -> str | None:
        """Who wrote the present content of a control; approval must come from another."""
        head = self._heads.get(control_id)
        return None if head is None else head.content_author

    def _lets_through(self, control: Control) -> bool:
        """Whether it can make more payments pass: then it takes two people."""
        if control.rule is not None:
            return control.rule.effect == "allow"
        if control.condition is not None:
            return control.condition.effect == "allow"
        if control.policy is not None:
            levers = control.policy
            return (levers.flag_from, levers.review_capacity, levers.costs) != (None, None, None)
        entry = control.list_entry
        return entry is not None and any(entry.list in lists for lists in self._opened.values())


class _Documents(Mapping[str, Control]):
    def __init__(self, heads: Mapping[str, _Head]) -> None:
        self._heads = heads

    def __getitem__(self, control_id: str) -> Control:
        return Control.model_validate_json(self._heads[control_id].raw)

    def __iter__(self) -> Iterator[str]:
        return iter(self._heads)

    def __len__(self) -> int:
        return len(self._heads)


def one_line(error: ValidationError) -> str:
    """The first thing that is wrong with a document: which field, and what of it."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    told = first["msg"].removeprefix("Value error, ")
    return f"{place}: {told}" if place else told


def _approved(control: Control, before: _Head | None) -> bool:
    return (
        before is not None
        and before.body == _body(control)
        and control.approver is not None
        and control.approver != before.content_author
    )


def _body(control: Control) -> bytes:
    return hashlib.sha256(control.body.model_dump_json().encode()).digest()
