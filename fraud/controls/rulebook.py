"""The controls ready to act: compiled rules, lists, conditions and levers as of a position in the controls log."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from fraud.contracts.controls import Control, PolicyLevers
from fraud.controls.conditions import Conditions
from fraud.controls.effects import ActiveRule, Bools, Payments, Ruled, apply_rules, span_of
from fraud.controls.levers import Lever
from fraud.controls.state import Applied, ControlsState, Refusal, Refused
from fraud.decisions.policy import ACTIONS


class Expression(Protocol):
    """A rule's condition, compiled."""

    def evaluate(self, facts: object) -> tuple[Bools, Bools]:
        """Whether it is true of each of n payments, and whether it could be computed; bool [n] each."""


class ValueLists(Protocol):
    """The lists that rules read, filled by entries."""

    capacity: int
    """Values that all of them may hold together."""

    def put(self, entry: Control) -> None:
        """Takes an entry in, in place of the one under its id; ValueError where a value cannot be one."""

    def remove(self, control_id: str) -> None:
        """Forgets an entry, if it is there."""

    def sizes(self) -> Mapping[str, int]:
        """Values in each list."""


class Rulebook:
    """Changes between two batches, record by record; a pure function of the log up to `offset`."""

    def __init__(self, compile_rule: Callable[[str], Expression], lists: ValueLists, *, lots: bool = True) -> None:
        """An empty one.

        Args:
            compile_rule: from text; ValueError, one line, where the text is no rule.
            lists: to be filled.
            lots: whether there is a key to draw lots by, which `explore_share` needs.
        """
        self._lots = lots
        self._compile = compile_rule
        self._state = ControlsState()
        self._rules: dict[str, ActiveRule] = {}
        self._conditions = Conditions()
        self._levers: dict[str, Lever] = {}
        self.lists = lists
        self.broken: dict[str, str] = {}
        """Control -> why it cannot act, one line: it was written for another version of the program or platform."""

    @property
    def offset(self) -> int:
        """Offset of the next record of the log: those before it are taken in."""
        return self._state.offset

    @property
    def rules_anything(self) -> bool:
        """Whether there is a rule or condition that acts or is counted."""
        return bool(self._rules or len(self._conditions))

    @property
    def levers(self) -> list[Lever]:
        """The live levers, in the order of the log."""
        return list(self._levers.values())

    def sizes(self) -> Mapping[str, int]:
        """How many controls act or are counted, by kind; of list entries their values."""
        return {
            "rule": len(self._rules),
            "condition": len(self._conditions),
            "policy": len(self._levers),
            "list_entry": sum(self.lists.sizes().values()),
        }

    def current(self) -> Mapping[str, Control]:
        """The present version of each control."""
        return self._state.current()

    def take(self, record: bytes, offset: int) -> Applied | Refused:
        """Takes in the record at an offset of the controls log."""
        taken = self._state.apply(record, offset)
        if isinstance(taken, Applied):
            self._install(taken.control)
        return taken

    def propose(self, control: Control) -> Applied | Refused:
        """Takes in a draft as if it were live and approved: for a backtest, never in service."""
        try:
            self._install(control.model_copy(update={"status": "live"}))
        except ValueError as error:
            return Refused(Refusal.INVALID, str(error))
        return Applied(control)

    def rule(self, payments: Payments) -> Ruled:
        """What the rules and conditions make of n payments."""
        return apply_rules([*self._rules.values(), *self._conditions.of(payments)], payments)

    def _install(self, control: Control) -> None:
        """Puts a version in the place of the one before: at the end, so that later versions come later."""
        held = control.control_id
        self._rules.pop(held, None)
        self._levers.pop(held, None)
        self._conditions.remove(held)
        self.lists.remove(held)
        self.broken.pop(held, None)
        counted = control.status in {"live", "shadow"}
        if control.rule is not None and counted:
            self._rules[held] = self._rule(control)
        elif control.condition is not None and counted:
            self._conditions.put(control)
        elif control.policy is not None and control.status == "live":
            self._put_lever(control, control.policy)
        elif control.list_entry is not None and control.status == "live":
            try:
                self.lists.put(control)
            except ValueError as error:
                self.broken[held] = str(error)

    def _put_lever(self, control: Control, levers: PolicyLevers) -> None:
        if levers.explore_share is not None and not self._lots:
            self.broken[control.control_id] = "explore_share needs FRAUD_SECRET, by which its lots are drawn"
            levers = levers.model_copy(update={"explore_share": None})
        self._levers[control.control_id] = Lever(control.name, span_of(control), levers)

    def _rule(self, control: Control) -> ActiveRule:
        rule = control.rule
        if rule is None:
            raise ValueError(f"{control.control_id} is no rule")
        try:
            hits = self._compile(rule.when).evaluate
        except ValueError as error:
            self.broken[control.control_id] = str(error)
            hits = _never_computed
        return ActiveRule(
            name=control.name,
            control_id=control.control_id,
            hits=hits,
            effect=ACTIONS.index(rule.effect),
            span=span_of(control),
            share=control.share,
            max_amount=rule.max_amount,
            max_score=rule.max_score,
            shadow=control.status == "shadow",
            why=control.reason,
        )


def _never_computed(facts: object) -> tuple[Bools, Bools]:  # noqa: ARG001 - of any facts
    return np.zeros(1, np.bool_), np.zeros(1, np.bool_)
