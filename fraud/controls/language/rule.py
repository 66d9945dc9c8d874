"""Rules compiled: a list of operations in an order in which each has its parts, every common part once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from fraud.controls.language.checker import Checker
from fraud.controls.language.columns import Bools, Truth
from fraud.controls.language.nodes import InvalidRule, Node
from fraud.controls.language.operations import OPERATIONS, Facts, Value
from fraud.controls.language.syntax import parse
from fraud.controls.language.vocabulary import Vocabulary

__all__ = ["CompiledRule", "Facts", "InvalidRule", "RuleSet", "compile_rule"]

_COLUMNS: Final = frozenset({"texts", "numbers", "flag"})


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A condition that can be computed of any payments.

    Attributes:
        text: as it was written.
        root: the typed tree.
        names: that it reads.
        lists: that it looks in.
        cost: how many operations it takes by itself.
    """

    text: str
    root: Node
    names: frozenset[str] = field(init=False)
    lists: frozenset[str] = field(init=False)
    cost: int = field(init=False)

    def __post_init__(self) -> None:
        nodes = set(self.root.walk())
        object.__setattr__(self, "names", frozenset(str(n.value) for n in nodes if n.operation in _COLUMNS))
        lists = frozenset(n.value[0] for n in nodes if n.operation == "in_list" and isinstance(n.value, tuple))
        object.__setattr__(self, "lists", lists)
        object.__setattr__(self, "cost", len(nodes))

    def evaluate(self, facts: Facts) -> tuple[Bools, Bools]:
        """Whether it is true of each payment, and whether that could be computed; bool [n] both."""
        hit, computed = RuleSet([self]).evaluate(facts)
        return hit[0], computed[0]


class RuleSet:
    """Rules that are computed together, so that what they have in common is computed once."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self._steps: list[tuple[str, Hashable, tuple[int, ...]]] = []
        self._places: dict[Node, int] = {}
        self._roots = [self._add(rule.root) for rule in rules]
        self.names = frozenset[str]().union(*(rule.names for rule in rules))

    def evaluate(self, facts: Facts) -> tuple[Bools, Bools]:
        """Whether each rule is true of each payment, and whether that could be computed; bool [rules, n] both."""
        results: list[Value] = []
        for operation, value, parts in self._steps:
            results.append(OPERATIONS[operation](facts, value, tuple(results[part] for part in parts)))
        hit = np.empty((len(self._roots), len(facts)), np.bool_)
        computed = np.ones_like(hit)
        for row, root in enumerate(self._roots):
            truth = results[root]
            if not isinstance(truth, Truth):
                raise TypeError("a rule is a condition")
            hit[row] = truth.true
            if truth.false is not None:
                computed[row] = truth.true | truth.false
        return hit, computed

    def _add(self, node: Node) -> int:
        """The step that computes a node, made where there is none yet."""
        place = self._places.get(node)
        if place is None:
            parts = tuple(self._add(part) for part in node.parts)
            place = self._places[node] = len(self._steps)
            self._steps.append((node.operation, node.value, parts))
        return place


def compile_rule(text: str, vocabulary: Vocabulary) -> CompiledRule:
    """A rule from its text.

    Raises:
        InvalidRule: it is none; one line with place, type and the nearest name.
    """
    return CompiledRule(text, Checker(vocabulary).check(parse(text)))
