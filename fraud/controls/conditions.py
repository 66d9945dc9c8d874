"""Conditions on entities, found by the entity: however many there are, a payment asks for its own only."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from fraud.contracts.controls import Control
from fraud.controls.effects import ActiveRule, Bools, Hits, Payments, span_of
from fraud.decisions.policy import ACTIONS


class Conditions:
    """The live and shadow conditions."""

    def __init__(self) -> None:
        self._by_entity: dict[str, dict[str, dict[str, ActiveRule]]] = {}
        self._places: dict[str, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def put(self, control: Control) -> None:
        """Takes a version in, in place of the one before."""
        self.remove(control.control_id)
        condition = control.condition
        if condition is None:
            raise ValueError(f"{control.control_id} is no condition")
        rule = ActiveRule(
            name=control.name,
            control_id=control.control_id,
            hits=_nowhere,
            effect=ACTIONS.index(condition.effect),
            span=span_of(control),
            max_amount=condition.up_to,
            shadow=control.status == "shadow",
            why=control.reason,
        )
        values = self._by_entity.setdefault(condition.entity, {})
        values.setdefault(condition.id, {})[control.control_id] = rule
        self._places[control.control_id] = condition.entity, condition.id

    def remove(self, control_id: str) -> None:
        """Forgets a condition, if it is there."""
        if control_id not in self._places:
            return
        entity, value = self._places.pop(control_id)
        values = self._by_entity[entity]
        del values[value][control_id]
        if not values[value]:
            del values[value]
        if not values:
            del self._by_entity[entity]

    def of(self, payments: Payments) -> list[ActiveRule]:
        """The conditions on these payments' entities, each with the rows that are its own."""
        found: list[ActiveRule] = []
        for entity, values in self._by_entity.items():
            try:
                column = payments.text(entity)
            except KeyError:
                found += [replace(rule, hits=_nowhere) for held in values.values() for rule in held.values()]
                continue
            rows: dict[str, list[int]] = defaultdict(list)
            for row, value in enumerate(column):
                if value in values:
                    rows[str(value)].append(row)
            for value, own in rows.items():
                mask = np.zeros(len(payments), np.bool_)
                mask[own] = True
                found += [replace(rule, hits=_known(mask)) for rule in values[value].values()]
        return found


def _known(mask: Bools) -> Hits:
    return lambda _: (mask, np.ones(1, np.bool_))


def _nowhere(facts: object) -> tuple[Bools, Bools]:  # noqa: ARG001 - of any facts
    """The shop has no such field."""
    return np.zeros(1, np.bool_), np.zeros(1, np.bool_)
