"""A rule as a tree of typed operations, and what is said of one that is none."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """What a part of a rule yields."""

    NUMBER = "number"
    MONEY = "money"
    BOOL = "bool"
    TEXT = "text"
    TIME = "time"


class InvalidRule(ValueError):  # noqa: N818 - as `InvalidEvent`
    """A text that is no rule; one line: what, where, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Attributes:
        operation: a key of `fraud.controls.language.operations.OPERATIONS`.
        type: of its result.
        parts: what it works on.
        value: a constant, a name or a list, by operation.
    """

    operation: str
    type: Type
    parts: tuple["Node", ...] = ()
    value: Hashable = None

    def walk(self) -> Iterator["Node"]:
        """The node and all below it, parts first."""
        for part in self.parts:
            yield from part.walk()
        yield self
