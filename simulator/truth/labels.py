"""Labels as they come back: analysts judge only what was queued, chargebacks come months later, some never.

Every draw belongs to its transaction id, so labels do not depend on the order in which they are asked for.
"""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from fraud.contracts.inbound import SCHEMA_VERSION
from fraud.units import DAY_US
from simulator.config import LabelConfig
from simulator.draws import Bools, Int64s, mix, salt_of, uniform_of
from simulator.text import id_column, word_column

_TIME: Final = pa.timestamp("us", tz="UTC")

LABEL_SCHEMA: Final = pa.schema(
    [
        ("schema_version", pa.string()),
        ("label_id", pa.string()),
        ("transaction_id", pa.string()),
        ("verdict", pa.string()),
        ("source", pa.string()),
        ("occurred_at", _TIME),
        ("received_at", _TIME),
        ("reason_code", pa.string()),
        ("supersedes", pa.string()),
    ]
)
"""The Label contract as columns, in order of `received_at`."""

VERDICTS: Final = ("unauthorised", "first_party", "service", "genuine")
SOURCES: Final = ("dispute_outcome", "chargeback", "analyst", "early_warning", "customer_report")
REASON_CODES: Final = ("10.4", "13.1", "TC40", "review")
UNAUTHORISED, FIRST_PARTY, SERVICE, CLEARED = range(4)
CHARGEBACK, ANALYST, EARLY_WARNING = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Payments:
    """What labels depend on, per transaction; arrays [n].

    Attributes:
        ids: transaction ids as integers.
        time: when, µs.
        fraud: somebody else's card or account was used.
        friendly: the owner will deny it.
        paid: authorised with an amount: only such payments can be charged back.
    """

    ids: Int64s
    time: Int64s
    fraud: Bools
    friendly: Bools
    paid: Bools


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels as columns; arrays [n]."""

    transaction: Int64s
    verdict: Int64s
    source: Int64s
    reason: Int64s
    occurred: Int64s
    received: Int64s

    def table(self) -> pa.Table:
        """As Arrow, in order of arrival."""
        order = np.lexsort((self.transaction, self.source, self.received))
        transaction, source = self.transaction[order], self.source[order]
        n = len(order)
        columns = [
            word_column(np.zeros(n, np.int64), (SCHEMA_VERSION,)),
            id_column(mix(transaction, source + 600), "l"),
            id_column(transaction, "t"),
            word_column(self.verdict[order], VERDICTS),
            word_column(source, SOURCES),
            pa.array(self.occurred[order]).cast(_TIME),
            pa.array(self.received[order]).cast(_TIME),
            word_column(self.reason[order], REASON_CODES),
            pa.nulls(n, pa.string()),
        ]
        return pa.table(columns, schema=LABEL_SCHEMA)


def analyst_labels(payments: Payments, queued: Int64s, queued_at: Int64s, config: LabelConfig, seed: int) -> Labels:
    """Verdicts on what was queued.

    Args:
        payments: all payments.
        queued: rows of `payments` that were put before analysts.
        queued_at: when, µs; same length.
        config: delays and error rates.
        seed: of the simulation.
    """
    ids, salt = payments.ids[queued], salt_of(seed, "analyst")
    least, most = config.analyst_days
    delay = least + (most - least) * uniform_of(ids, salt)
    fraud = payments.fraud[queued]
    wrong = uniform_of(ids, salt + 1) < np.where(fraud, config.analyst_miss, config.analyst_false_alarm)
    decided = queued_at + (delay * DAY_US).astype(np.int64)
    return Labels(
        transaction=ids,
        verdict=np.where(fraud ^ wrong, UNAUTHORISED, CLEARED),
        source=np.full(len(ids), ANALYST),
        reason=np.full(len(ids), 3),
        occurred=decided,
        received=decided,
    )


def reported_labels(payments: Payments, config: LabelConfig, seed: int) -> tuple[Labels, Labels]:
    """Chargebacks (fraud, friendly, service), and the card schemes' early warnings, of all that was paid."""
    salt = salt_of(seed, "chargeback")
    u = [uniform_of(payments.ids, salt + i) for i in range(4)]
    reported = payments.paid & (u[0] >= config.unreported)
    kinds = [reported & payments.fraud, _first_party(payments, reported, u[3], config)]
    service = payments.paid & ~payments.fraud & ~kinds[1] & (u[1] < config.service_disputes)
    rows = np.flatnonzero(kinds[0] | kinds[1] | service)
    verdict = np.select([kinds[0], kinds[1]], [UNAUTHORISED, FIRST_PARTY], SERVICE)[rows]
    received = payments.time[rows] + (chargeback_days(u[2][rows], config) * DAY_US).astype(np.int64)
    chargebacks = Labels(
        transaction=payments.ids[rows],
        verdict=verdict,
        source=np.full(len(rows), CHARGEBACK),
        reason=np.where(verdict == SERVICE, 1, 0),
        occurred=received - DAY_US,
        received=received,
    )
    return chargebacks, _early_warnings(payments, kinds[0] & (u[1] < config.early_warning), salt)


def _first_party(payments: Payments, reported: Bools, uniform: np.ndarray, config: LabelConfig) -> Bools:
    """Denied own purchases, as many as make the configured share of fraud-coded chargebacks (or all there are)."""
    candidates = reported & payments.friendly
    frauds = int((reported & payments.fraud).sum())
    wanted = frauds * config.first_party / (1 - config.first_party)
    share = min(1.0, wanted / max(int(candidates.sum()), 1))
    return candidates & (uniform < share)


def _early_warnings(payments: Payments, warned: Bools, salt: int) -> Labels:
    rows = np.flatnonzero(warned)
    ids = payments.ids[rows]
    received = payments.time[rows] + ((4 + 21 * uniform_of(ids, salt + 9)) * DAY_US).astype(np.int64)
    n = len(rows)
    return Labels(
        transaction=ids,
        verdict=np.full(n, UNAUTHORISED),
        source=np.full(n, EARLY_WARNING),
        reason=np.full(n, 2),
        occurred=received - DAY_US // 2,
        received=received,
    )


def chargeback_days(uniform: np.ndarray, config: LabelConfig) -> np.ndarray:
    """Log-normal delays by inversion, so that the configured days are the 5 % and the 95 % quantile; float64 [n]."""
    low, high = (log(days) for days in config.chargeback_days)
    spread = (high - low) / 2 / ndtri(0.95)
    days: np.ndarray = np.exp((low + high) / 2 + spread * ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)))
    return days


def joined(parts: list[Labels]) -> Labels:
    """All labels of several sources."""
    names = ("transaction", "verdict", "source", "reason", "occurred", "received")
    return Labels(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
