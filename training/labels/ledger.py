"""The label ledger: what was known about each payment at a given time.

Bitemporal: a label has the time it speaks about (`occurred_at`) and the time it became known (`received_at`).
`Ledger.as_of(T)` uses only what had been received by T, and training, evaluation and the gate read labels in no other
way. The state is a function of the *set* of records: order of arrival, duplicates and restarts cannot change it.

Reading rules:

- A fraud counts at once. A payment without a report is genuine only at the age of `maturity_days`, or when an
  explicit label (an analyst's clearance, a won dispute) says so.
- Blocked, voided, declined or fully refunded payments are *unobserved*: nobody can charge them back, so silence
  says nothing. They are never negatives; a fraud label on one still counts.
- First-party disputes are neither: the card's owner did buy. They are excluded, not trained on.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

DAY_US: Final = 86_400_000_000

SOURCES: Final = ("dispute_outcome", "chargeback", "analyst", "early_warning", "customer_report")
"""In order of precedence."""

VERDICTS: Final = ("unauthorised", "first_party", "service", "genuine")

DEFAULT_MATURITY_DAYS: Final = 120
CLOSED_AFTER_DAYS: Final = 180
MIN_FRAUDS_TO_ESTIMATE: Final = 100

OUTCOME_COLUMNS: Final = {
    "outcome_id": "str",
    "transaction": "uint64",
    "time": "int64",
    "kind": "str",
    "amount": "int64",
}
DECISION_COLUMNS: Final = {"transaction": "uint64", "time": "int64", "action": "str", "propensity": "float64"}
LABEL_COLUMNS: Final = {
    "label_id": "str",
    "transaction": "uint64",
    "verdict": "str",
    "source": "str",
    "occurred_at": "int64",
    "received_at": "int64",
    "supersedes": "str",
}


class State(IntEnum):
    """What the ledger holds about one payment."""

    IMMATURE = 0
    GENUINE = 1
    FRAUD = 2
    UNOBSERVED = 3
    EXCLUDED = 4


LABEL_OF_STATE: Final = np.array([-1, 0, 1, -1, -1], np.int8)
"""State -> 1 fraud, 0 genuine, -1 not known."""


def empty(columns: dict[str, str]) -> pd.DataFrame:
    """A frame without rows, with typed columns."""
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in columns.items()})


@dataclass(frozen=True, slots=True)
class Records:
    """What has arrived, in any order, duplicates included.

    Times are µs since 1970 UTC; `transaction` is the hashed transaction id; amounts are minor units of the currency as
    charged (a refund is compared with its own payment only). `supersedes` is "" where none.
    """

    transactions: pd.DataFrame
    outcomes: pd.DataFrame
    decisions: pd.DataFrame
    labels: pd.DataFrame

    @classmethod
    def of(
        cls,
        transactions: pd.DataFrame,
        *,
        outcomes: pd.DataFrame | None = None,
        decisions: pd.DataFrame | None = None,
        labels: pd.DataFrame | None = None,
    ) -> "Records":
        """Records with empty frames for what is not given."""
        return cls(
            transactions,
            empty(OUTCOME_COLUMNS) if outcomes is None else outcomes,
            empty(DECISION_COLUMNS) if decisions is None else decisions,
            empty(LABEL_COLUMNS) if labels is None else labels,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What was known at one time.

    Attributes:
        at: the time, µs.
        maturity_days: the age at which silence counts as genuine.
        frame: one row per payment, indexed by hashed transaction id: `time`, `state`, `label` (1, 0, -1), `source`,
            `received_at` (of the deciding label, 0 without), `propensity` (of having been let through), `blocked`.
        unknown_labels: labels whose payment has not been seen (yet).
    """

    at: int
    maturity_days: float
    frame: pd.DataFrame
    unknown_labels: int

    def of(self, transaction: npt.NDArray[np.uint64]) -> pd.DataFrame:
        """The rows of these payments, in their order; payments that the ledger does not know are immature."""
        rows = self.frame.reindex(transaction)
        fill = {
            "time": 0,
            "state": int(State.IMMATURE),
            "label": -1,
            "source": "",
            "received_at": 0,
            "propensity": 1.0,
            "blocked": False,
        }
        return rows.fillna(fill).astype({name: self.frame[name].dtype for name in fill})


def resolve_labels(labels: pd.DataFrame, at: int) -> pd.DataFrame:
    """The deciding label of each transaction among those received by `at`.

    Precedence: explicit `supersedes`, then source, then latest `occurred_at`, then smallest `label_id`. Of several
    contents under one label id the first received counts. Labels that supersede each other in a ring cancel that
    out and are compared like others. `supersedes` across transactions is ignored.

    Returns:
        One row per transaction, the columns of `LABEL_COLUMNS`.
    """
    known = labels[labels["received_at"] <= at]
    content = ["transaction", "verdict", "source", "occurred_at", "supersedes"]
    known = known.sort_values(["label_id", "received_at", *content]).drop_duplicates("label_id")
    known = _without_superseded(known)
    known = known.assign(_rank=known["source"].map({name: rank for rank, name in enumerate(SOURCES)}))
    known = known.sort_values(["transaction", "_rank", "occurred_at", "label_id"], ascending=[True, True, False, True])
    return known.drop_duplicates("transaction").drop(columns="_rank").reset_index(drop=True)


def _without_superseded(labels: pd.DataFrame) -> pd.DataFrame:
    claims = labels.loc[labels["supersedes"] != "", ["transaction", "supersedes", "label_id"]]
    claims = claims[claims["supersedes"] != claims["label_id"]]
    if claims.empty:
        return labels
    named = pd.MultiIndex.from_frame(claims[["transaction", "supersedes"]])
    superseded = pd.MultiIndex.from_frame(labels[["transaction", "label_id"]]).isin(named)
    stands = pd.Series(~superseded, index=labels.index)
    ring = ~stands.groupby(labels["transaction"]).transform("any")
    return labels[stands | ring]


def unobserved(transactions: pd.DataFrame, outcomes: pd.DataFrame, decisions: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """True where nobody could have reported a fraud: blocked, voided, declined or fully refunded. Shape [n].

    A payment that was declined and authorised later (a retry under the same id) is observed.
    """
    ids = transactions["transaction"]
    outcomes = outcomes.sort_values(["outcome_id", "time", "kind", "amount"]).drop_duplicates("outcome_id")

    def has(kind: str) -> npt.NDArray[np.bool_]:
        return ids.isin(outcomes.loc[outcomes["kind"] == kind, "transaction"]).to_numpy()

    def total(kind: str) -> npt.NDArray[np.int64]:
        amounts = outcomes[outcomes["kind"] == kind].groupby("transaction")["amount"].sum()
        return ids.map(amounts).fillna(0).to_numpy(np.int64)

    went_through = has("authorised") | has("captured")
    captured = total("captured")
    settled = np.where(captured > 0, captured, transactions["amount"].to_numpy(np.int64))
    refunded = has("refunded") & (total("refunded") >= settled)
    return _blocked(ids, decisions) | has("voided") | (has("declined") & ~went_through) | refunded


def _blocked(ids: "pd.Series[int]", decisions: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return ids.isin(decisions.loc[decisions["action"] == "block", "transaction"]).to_numpy()


def estimate_maturity_days(fraud_time: npt.NDArray[np.int64], received: npt.NDArray[np.int64], at: int) -> float:
    """The age by which 95 % of the fraud labels of closed cohorts had arrived.

    A cohort is closed `CLOSED_AFTER_DAYS` after its payments. With fewer than `MIN_FRAUDS_TO_ESTIMATE` frauds in closed
    cohorts, `DEFAULT_MATURITY_DAYS`.

    Args:
        fraud_time: event time of each payment known as fraud, µs. Shape [n].
        received: when its label was received, µs. Shape [n].
        at: the present, µs.
    """
    closed = fraud_time <= at - CLOSED_AFTER_DAYS * DAY_US
    if int(closed.sum()) < MIN_FRAUDS_TO_ESTIMATE:
        return float(DEFAULT_MATURITY_DAYS)
    delay = (received[closed] - fraud_time[closed]) / DAY_US
    return float(np.quantile(delay, 0.95))


@dataclass(frozen=True, slots=True)
class Ledger:
    """Records and the rule by which silence matures.

    Attributes:
        records: everything that has arrived.
        maturity_days: fixed age for silence to count as genuine; None estimates it from closed cohorts.
    """

    records: Records
    maturity_days: float | None = None

    def as_of(self, at: int) -> Known:
        """What had been received by `at` (µs), and what it says about each payment known by then."""
        records = self.records
        seen = records.transactions[records.transactions["time"] <= at]
        seen = seen.sort_values(["transaction", "time", "amount"]).drop_duplicates("transaction")
        decisions = records.decisions[records.decisions["time"] <= at]
        labels = resolve_labels(records.labels, at)
        joined = seen.merge(labels.drop(columns="supersedes"), on="transaction", how="left")
        received = joined["received_at"].fillna(0).to_numpy(np.int64)
        maturity = self._maturity(joined, received, at)
        outcomes = records.outcomes[records.outcomes["time"] <= at]
        state = _states(joined, unobserved(seen, outcomes, decisions), at - int(maturity * DAY_US))
        frame = pd.DataFrame(
            {
                "time": joined["time"].to_numpy(),
                "state": state,
                "label": LABEL_OF_STATE[state],
                "source": joined["source"].fillna("").to_numpy(),
                "received_at": received,
                "propensity": _propensity(joined["transaction"], decisions),
                "blocked": _blocked(joined["transaction"], decisions),
            },
            index=pd.Index(joined["transaction"].to_numpy(), name="transaction"),
        )
        return Known(at, maturity, frame, int((~labels["transaction"].isin(seen["transaction"])).sum()))

    def _maturity(self, joined: pd.DataFrame, received: npt.NDArray[np.int64], at: int) -> float:
        if self.maturity_days is not None:
            return self.maturity_days
        fraud = (joined["verdict"] == "unauthorised").to_numpy(bool)
        return estimate_maturity_days(joined["time"].to_numpy(np.int64)[fraud], received[fraud], at)


def _states(joined: pd.DataFrame, hidden: npt.NDArray[np.bool_], mature_before: int) -> npt.NDArray[np.uint8]:
    verdict = joined["verdict"].fillna("").to_numpy(object)
    silent_and_old = (verdict == "") & (joined["time"].to_numpy() <= mature_before)
    cleared = (verdict == "genuine") | (verdict == "service")
    # The first condition that holds decides.
    conditions = [verdict == "unauthorised", verdict == "first_party", hidden, cleared | silent_and_old]
    choices = [State.FRAUD, State.EXCLUDED, State.UNOBSERVED, State.GENUINE]
    return np.select(conditions, [int(choice) for choice in choices], int(State.IMMATURE)).astype(np.uint8)


def _propensity(ids: "pd.Series[int]", decisions: pd.DataFrame) -> npt.NDArray[np.float64]:
    first = decisions.sort_values(["transaction", "time", "action", "propensity"]).drop_duplicates("transaction")
    return ids.map(first.set_index("transaction")["propensity"]).fillna(1.0).to_numpy(np.float64)
