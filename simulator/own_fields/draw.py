"""The own fields of a platform's attempts: values, evidence for the true probability, and the declaration."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fraud.features.platform import OwnField, Platform
from simulator.config import SimulationConfig
from simulator.draws import Float64s, Int64s
from simulator.own_fields.catalogue import LEAK, SILENT, TELLING, Silent, Telling, here
from simulator.own_fields.columns import Column
from simulator.own_fields.telling import Scene, own_device, own_mail
from simulator.people.attempts import Attempts
from simulator.truth.fraud_probability import Evidence


@dataclass(frozen=True, slots=True)
class OwnFields:
    """Name -> values of every attempt, in the order of the declaration, and what they tell."""

    columns: Mapping[str, Column]
    evidence: Evidence


def draw_own_fields(
    config: SimulationConfig, attempts: Attempts, ids: Int64s, *, concept: Float64s, salt: int, begin: int
) -> OwnFields:
    """Draws a platform's own fields; each has draws of its own, so that a new one does not move the others.

    Args:
        config: which fields there are.
        attempts: in time order.
        ids: of the attempts; int64 [n].
        concept: the concept shift at each attempt; float64 [n].
        salt: of the platform.
        begin: of the period, µs.
    """
    scene = Scene(attempts, ids, salt, begin, concept)
    n = len(attempts)
    told = {"payment": np.zeros(n), "mail": np.zeros(n), "device": np.zeros(n)}
    columns: dict[str, Column] = {}
    for field in fields_of(config):
        if isinstance(field, Telling):
            columns[field.name], evidence = field.draw(scene)
            told[field.of] += evidence
        else:
            columns[field.name] = field.draw(scene)
    owned = (
        (told["mail"], attempts.email, own_mail(attempts)),
        (told["device"], attempts.device, own_device(attempts)),
    )
    return OwnFields(columns, Evidence(told["payment"], owned))


def fields_of(config: SimulationConfig) -> list[Telling | Silent]:
    """The fields of a platform, in the order of its declaration."""
    if not config.own_fields:
        return []
    every: tuple[Telling | Silent, ...] = (*TELLING, *SILENT)
    return [field for field in every if here(field.where, config.platform)] + ([LEAK] if config.leak else [])


def declaration(config: SimulationConfig) -> Platform:
    """The platform as its `platform.toml` declares it."""
    fields: dict[str, OwnField] = {field.name: field.declared for field in fields_of(config)}
    return Platform(name=config.platform, base_currency="EUR", fields=fields)
