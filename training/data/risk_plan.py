"""Dated risk tables for a whole stream, each from what had been received by its date."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fraud.decoding.batch import ENTITIES
from fraud.features.risk_tables import RiskBuilder, RiskTable, RiskTables
from training.labels.ledger import DAY_US


@dataclass(frozen=True, slots=True)
class RiskPlan:
    """How label-fed risk is counted.

    Attributes:
        every_days: days between two tables.
        own_every_days: the same for own entities and categories: there may be hundreds, and all tables are shipped.
        delay_days: days before a table's date at which its payments end; younger ones have hardly any labels.
        strength: expected frauds that the average weighs; less trusts an id's own frauds sooner.
    """

    every_days: float = 0.25
    own_every_days: float = 1.0
    delay_days: float = 7
    strength: float = 0.1


def risk_tables(
    ids: Mapping[str, npt.NDArray[np.uint64]],
    time: npt.NDArray[np.int64],
    fraud_received: npt.NDArray[np.int64],
    plan: RiskPlan,
    *,
    until: int | None = None,
) -> RiskTables:
    """The dated tables of each entity over a stream.

    At a table's date a payment counts as fraud if its label had been received before, else as not (yet) fraud: exactly
    what one would have counted then.

    Args:
        ids: entity -> uint64 [n], 0 where absent.
        time: int64 [n], event times, µs.
        fraud_received: int64 [n], when a payment was reported as fraud, 0 where it never was.
        plan: how to count.
        until: last date of a table, µs; the last payment's by default.
    """
    if len(time) == 0:
        return RiskTables()
    order = np.argsort(time, kind="stable")
    last = int(time.max()) if until is None else until
    delay = int(plan.delay_days * DAY_US)

    def of(entity: str) -> Iterator[RiskTable]:
        builder = RiskBuilder(
            entity,
            ids=ids[entity][order],
            times=time[order],
            fraud_received=fraud_received[order],
            strength=plan.strength,
        )
        step = int((plan.every_days if entity in ENTITIES else plan.own_every_days) * DAY_US)
        return (builder.table(date, delay=delay) for date in range(int(time.min()) + delay + step, last + 1, step))

    return RiskTables(table for entity in ids for table in of(entity))
