"""How late frauds are reported: the share that is known by age, and what follows for everything counted from reports.

Reports are seen only if they have come by now, so that delays are *right-truncated*: plain shares of the frauds known
today overstate how soon they come. The reverse-time hazard of each bin of ages can be counted without that bias,

    g_l = d_l / N_l,    d_l  frauds reported at an age within bin l
                        N_l  frauds reported at no later age, among payments that are as old as the bin's end
    F_j = Π_{l > j} (1 - g_l)        share reported by the end of bin j, of those reported by the last bin's

(Lagakos, Barraj and De Gruttola, "Nonparametric analysis of truncated survival data", Biometrika 1988; Lawless,
"Adjustments for reporting delays", Canadian Journal of Statistics 1994). A young shop's own counts are drawn towards
the source platform's hazards as if those stood on `STRENGTH` frauds in each bin; beyond its own age it has those.

Some frauds are never reported (the *cure share* of survival analysis). Two lists tell how many: what banks reported and
what analysts confirmed of payments that went through overlap as they would by chance, so that all frauds of closed
cohorts are about (n1 + 1)(n2 + 1) / (m + 1) - 1 (Chapman 1951). An analyst who confirms wrongly makes it too many.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from training.labels.ledger import CLOSED_AFTER_DAYS, DAY_US, Ledger, State, unobserved

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

EDGES: Final = (1, 2, 3, 4, 5, 7, 10, 14, 21, 30, 40, 50, 60, 75, 90, 105, 120, 150, 180, 240, 365)
"""Ends of the bins of ages, days."""

STRENGTH: Final = 30.0
LIST_STRENGTH: Final = 30.0
"""Frauds on both lists that the source's share of never reported ones counts like."""


class DelayCurve(BaseModel):
    """The share of frauds that somebody has reported, by age.

    Attributes:
        hazard: g_l of each bin of `EDGES`.
        unreported: share of frauds that nobody ever reports.
        frauds: reports that it was counted from, a source's among them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    hazard: tuple[float, ...] = Field(min_length=len(EDGES), max_length=len(EDGES))
    unreported: float = Field(ge=0, lt=1)
    frauds: int = Field(ge=0)

    @classmethod
    def at_once(cls) -> Self:
        """Nothing is known of delays: every fraud counts as reported when it happens."""
        return cls(hazard=(0.0,) * len(EDGES), unreported=0.0, frauds=0)

    @classmethod
    def of(cls, reports: "Reports", prior: Self | None = None) -> Self:
        """The curve of what was reported, drawn towards a source's."""
        strength, before = (0.0, cls.at_once()) if prior is None or not prior.frauds else (STRENGTH, prior)
        ends = np.array(EDGES, np.float64)
        place = np.minimum(np.searchsorted(ends, reports.delay_days), len(ends) - 1)
        old_enough = reports.age_days[:, None] >= ends
        reported = (np.arange(len(ends)) == place[:, None]) & old_enough
        by_then = (place[:, None] <= np.arange(len(ends))) & old_enough
        drawn = strength * np.array(before.hazard)
        hazard = (reported.sum(axis=0) + drawn) / np.maximum(by_then.sum(axis=0) + strength, 1e-12)
        return cls(
            hazard=tuple(float(round(g, 6)) for g in hazard),
            unreported=_unreported(reports, before.unreported),
            frauds=len(place) + before.frauds,
        )

    def share(self, age: Times) -> Floats:
        """Share of all frauds that has been reported at these ages (µs), 0..1, straight between the bins' ends."""
        known = np.cumprod((1 - np.array(self.hazard))[::-1])[::-1]
        ends = np.concatenate([[0.0], EDGES])
        by_age = np.append(known[1:], 1.0)
        # Without hazards everything is known at once, also at age 0.
        start = by_age[0] if self.frauds == 0 else 0.0
        shares = np.interp(age / DAY_US, ends, np.concatenate([[start], by_age]))
        return np.asarray((1 - self.unreported) * shares, np.float64)


@dataclass(frozen=True, slots=True)
class Reports:
    """Frauds that had been reported by a time.

    Attributes:
        delay_days: float64 [n], from the payment to its first report.
        age_days: float64 [n], from the payment to that time.
        banks, analysts: bool [n], who reported it: whoever the card's owner told, and who reviewed it.
        observed: bool [n], whether the payment went through, so that both could.
    """

    delay_days: Floats
    age_days: Floats
    banks: npt.NDArray[np.bool_]
    analysts: npt.NDArray[np.bool_]
    observed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, ledger: Ledger, at: int | None = None) -> Self:
        """What a ledger had been told by `at` (µs), by default when its last label came; later corrections hold."""
        labels = ledger.records.labels
        at = at if at is not None else int(labels["received_at"].max()) if len(labels) else 0
        known = ledger.as_of(at).frame
        frauds = known[known["state"] == State.FRAUD]
        said = labels[(labels["received_at"] <= at) & (labels["verdict"] == "unauthorised")]
        said = said[said["transaction"].isin(frauds.index)]
        first = said.groupby("transaction")["received_at"].min()
        time = frauds.loc[first.index, "time"].to_numpy(np.int64)
        analyst = said["source"] == "analyst"
        return cls(
            np.maximum(first.to_numpy(np.int64) - time, 0) / DAY_US,
            (at - time) / DAY_US,
            first.index.isin(said.loc[~analyst, "transaction"]),
            first.index.isin(said.loc[analyst, "transaction"]),
            ~_stopped(ledger, first.index, at),
        )

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """Those of several platforms."""
        names = ("delay_days", "age_days", "banks", "analysts", "observed")
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _stopped(ledger: Ledger, transactions: "pd.Index[int]", at: int) -> npt.NDArray[np.bool_]:
    """Payments whose bank has nothing to report, because they were blocked, voided, declined or refunded."""
    records = ledger.records
    seen = records.transactions.drop_duplicates("transaction").set_index("transaction", drop=False).loc[transactions]
    outcomes = records.outcomes[records.outcomes["time"] <= at]
    decisions = records.decisions[records.decisions["time"] <= at]
    return unobserved(seen.reset_index(drop=True), outcomes, decisions)


def _unreported(reports: Reports, before: float) -> float:
    """Share of the frauds of closed cohorts that is on neither list, drawn towards the source's."""
    closed = reports.observed & (reports.age_days >= CLOSED_AFTER_DAYS)
    banks, analysts = reports.banks & closed, reports.analysts & closed
    both = int((banks & analysts).sum())
    either = int((banks | analysts).sum())
    if not both:
        return before
    everyone = (int(banks.sum()) + 1) * (int(analysts.sum()) + 1) / (both + 1) - 1
    share = max(1 - either / everyone, 0.0) if everyone else 0.0
    return float(round((both * share + LIST_STRENGTH * before) / (both + LIST_STRENGTH), 6))


def exposure(curve: DelayCurve, time: Times, at: int) -> float:
    """Payments whose frauds would all be known by now, as many as these n say as much as: Σ share(age).

    Known frauds over this are the maximum-likelihood rate of fraud when each is reported as the curve says.
    """
    return float(curve.share(np.maximum(at - time, 0)).sum())
