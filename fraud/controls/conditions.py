"""Conditions on entities, found by the entity: however many there are, a payment asks for its own only."""

from dataclasses import replace

import numpy as np

from fraud.contracts.controls import Control
from fraud.controls.effects import ActiveRule, Hits, Payments, UInt64s, nowhere, span_of
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import hash_id


class Conditions:
    """The live and shadow conditions, by field and the hash of its value."""

    def __init__(self) -> None:
        self._by_entity: dict[str, dict[int, dict[str, ActiveRule]]] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._hashes: dict[str, UInt64s] = {}
        """Entity -> the hashes that there are conditions on, as an array; made when it is asked for."""

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
            hits=nowhere,
            effect=ACTIONS.index(condition.effect),
            span=span_of(control),
            max_amount=condition.up_to,
            shadow=control.status == "shadow",
            why=control.reason,
        )
        entity, value = condition.entity, hash_id(condition.id)
        self._by_entity.setdefault(entity, {}).setdefault(value, {})[control.control_id] = rule
        self._places[control.control_id] = entity, value
        self._hashes.pop(entity, None)

    def remove(self, control_id: str) -> None:
        """Forgets a condition, if it is there."""
        if control_id not in self._places:
            return
        entity, value = self._places.pop(control_id)
        values = self._by_entity[entity]
        del values[value][control_id]
        if not values[value]:
            del values[value]
            self._hashes.pop(entity, None)
        if not values:
            del self._by_entity[entity]

    def of(self, payments: Payments) -> list[ActiveRule]:
        """The conditions on these payments' entities, each with the rows that are its own."""
        found: list[ActiveRule] = []
        for entity, values in self._by_entity.items():
            try:
                column = payments.hashes(entity)
            except KeyError:  # the shop has no such field: they can be computed nowhere
                found += [rule for held in values.values() for rule in held.values()]
                continue
            for value in np.unique(column[np.isin(column, self._known(entity))]).tolist():
                hits = _where(column, value)
                found += [replace(rule, hits=hits) for rule in values[value].values()]
        return found

    def _known(self, entity: str) -> UInt64s:
        if entity not in self._hashes:
            self._hashes[entity] = np.fromiter(self._by_entity[entity], np.uint64, len(self._by_entity[entity]))
        return self._hashes[entity]


def _where(column: UInt64s, value: int) -> Hits:
    mask = column == np.uint64(value)
    return lambda: (mask, np.ones(1, np.bool_))
