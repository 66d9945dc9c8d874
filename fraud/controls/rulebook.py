"""The controls ready to act: compiled rules, lists, conditions and levers as of a position in the controls log."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fraud.contracts.controls import Control, PolicyLevers
from fraud.controls.conditions import Conditions
from fraud.controls.effects import ActiveRule, Bools, Hits, Payments, Ruled, apply_rules, nowhere, span_of
from fraud.controls.language.rule import CompiledRule, Facts, RuleSet, compile_rule
from fraud.controls.language.vocabulary import Vocabulary
from fraud.controls.levers import Lever
from fraud.controls.payment_facts import measures_of
from fraud.controls.state import Applied, ControlsState, Refusal, Refused
from fraud.controls.value_lists import ValueLists
from fraud.decisions.policy import ACTIONS


class _Together:
    """Rules that are computed together, once for a batch, and asked one by one.

    Attributes:
        measures: what they read of the history, as `Encoder.ask` takes it.
    """

    def __init__(self, compiled: Mapping[str, CompiledRule], vocabulary: Vocabulary) -> None:
        self._rules = RuleSet(list(compiled.values()))
        self._places = {control_id: place for place, control_id in enumerate(compiled)}
        self._found: tuple[Bools, Bools]
        self.measures = tuple(measures_of(self._rules, vocabulary))

    def compute(self, facts: Facts) -> None:
        """Computes all of them for some payments."""
        self._found = self._rules.evaluate(facts)

    def of(self, control_id: str) -> Hits:
        """Where one of them was true of these, and where it could be computed."""
        place = self._places[control_id]

        def hits() -> tuple[Bools, Bools]:
            hit, computed = self._found
            return hit[place], computed[place]

        return hits


class Rulebook:
    """Changes between two batches, record by record; a pure function of the log up to `offset`."""

    def __init__(self, vocabulary: Vocabulary, *, lots: bool = True) -> None:
        """An empty one.

        Args:
            vocabulary: of the platform: what rules may read.
            lots: whether there is a key to draw lots by, which `explore_share` needs.
        """
        self._lots = lots
        self.vocabulary = vocabulary
        self._compiled: dict[str, CompiledRule] = {}
        self._together: _Together | None = None
        self._state = ControlsState()
        self._rules: dict[str, ActiveRule] = {}
        self._conditions = Conditions()
        self._levers: dict[str, Lever] = {}
        self.lists = ValueLists()
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

    @property
    def measures(self) -> Sequence[tuple[str, str]]:
        """What the rules read of the history, as `Encoder.ask` takes it."""
        return self._joined().measures if self._compiled else ()

    def rule(self, payments: Payments, facts: Facts) -> Ruled:
        """What the rules and conditions make of n payments; `facts`: what rules read of these."""
        if self._compiled:
            self._joined().compute(facts)
        return apply_rules([*self._rules.values(), *self._conditions.of(payments)], payments)

    def _joined(self) -> _Together:
        """The rules as they stand, made to be computed together; anew after a change."""
        if self._together is None:
            self._together = together = _Together(self._compiled, self.vocabulary)
            for held in self._compiled:
                self._rules[held] = replace(self._rules[held], hits=together.of(held))
        return self._together

    def _install(self, control: Control) -> None:
        """Puts a version in the place of the one before: at the end, so that later versions come later."""
        held = control.control_id
        self._rules.pop(held, None)
        if self._compiled.pop(held, None) is not None:
            self._together = None
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
            self._compiled[control.control_id] = compile_rule(rule.when, self.vocabulary)
            self._together = None
        except ValueError as error:
            self.broken[control.control_id] = str(error)
        return ActiveRule(
            name=control.name,
            control_id=control.control_id,
            hits=nowhere,  # until it is computed together with the others, or for ever where it is broken
            effect=ACTIONS.index(rule.effect),
            span=span_of(control),
            share=control.share,
            max_amount=rule.max_amount,
            max_score=rule.max_score,
            shadow=control.status == "shadow",
            why=control.reason,
        )
