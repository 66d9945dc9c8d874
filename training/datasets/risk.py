"""Dated risk tables for a whole stream, each from what had been received by its date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.features import SPEC
from fraud.risk import RiskTable, RiskTables, build_risk_table
from training.ledger import DAY_US

RISK_ENTITIES: Final = tuple(SPEC.features[column].source[1] for column in SPEC.columns("risk"))
"""Entities whose rate is a feature."""


@dataclass(frozen=True, slots=True)
class RiskPlan:
    """How label-fed risk is counted.

    Attributes:
        every_days: days between two tables.
        window_days: days of payments in a table.
        delay_days: days before a table's date at which its payments end; younger ones have hardly any labels.
        strength: payments that the prior weighs.
        entities: whose rates.
    """

    every_days: float = 7
    window_days: float = 90
    delay_days: float = 7
    strength: float = 20.0
    entities: tuple[str, ...] = RISK_ENTITIES


def risk_tables(
    ids: Mapping[str, npt.NDArray[np.uint64]],
    time: npt.NDArray[np.int64],
    fraud_received: npt.NDArray[np.int64],
    plan: RiskPlan,
    *,
    until: int | None = None,
) -> RiskTables:
    """The tables of every `plan.every_days` over a stream.

    At a table's date a payment counts as fraud if its label had been received before, else as not (yet) fraud: exactly
    what one would have counted then. Ids whose rate hardly differs from the prior are left out.

    Args:
        ids: entity -> uint64 [n], 0 where absent.
        time: int64 [n], event times, µs.
        fraud_received: int64 [n], when a payment was reported as fraud, 0 where it never was.
        plan: how to count.
        until: last date of a table, µs; the last payment's by default.
    """
    if len(time) == 0:
        return RiskTables()
    last = int(time.max()) if until is None else until
    step = int(plan.every_days * DAY_US)
    first = int(time.min()) + int(plan.delay_days * DAY_US)
    dates = range(first + step, last + 1, step)
    return RiskTables(
        _table(entity, ids[entity], time, fraud_received, plan=plan, date=date)
        for date in dates
        for entity in plan.entities
    )


def _table(
    entity: str,
    ids: npt.NDArray[np.uint64],
    time: npt.NDArray[np.int64],
    fraud_received: npt.NDArray[np.int64],
    *,
    plan: RiskPlan,
    date: int,
) -> RiskTable:
    known_fraud = (fraud_received > 0) & (fraud_received < date)
    table = build_risk_table(
        entity,
        ids=ids,
        times=time,
        y=known_fraud.astype(np.int8),
        received=np.zeros(len(time), np.int64),  # silence by the date is known at the date
        effective_from=date,
        window=int(plan.window_days * DAY_US),
        delay=int(plan.delay_days * DAY_US),
        strength=plan.strength,
    )
    # A rate between these is what the prior says of an id seen a few times without fraud.
    keep = (table.rate > table.prior) | (table.rate < table.prior * plan.strength / (plan.strength + 50))
    return RiskTable(table.entity, table.effective_from, table.keys[keep], table.rate[keep], table.prior)
