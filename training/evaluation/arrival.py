"""How the labels of a target's past arrive, and what a look back must presume where they are late.

An imported file declares one delay for all frauds and has no word on genuine payments: until silence matures, all that
is known is fraud. A practitioner would not wait for it: once nearly all reports have come, silence tells enough.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from training.data.dataset import FRAUD, GENUINE, Dataset
from training.labels.ledger import DAY_US, Ledger, State

NEARLY_ALL: Final = 0.95
"""Of the reports; silence of an age by which they have come is presumed genuine."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How labels arrive, measured over the whole file: a shop knows it from its processor or from other shops.

    Attributes:
        delays: float64 [reports], age at which each reported payment was first reported as fraud, days, ascending.
        maturity_days: age at which the ledger counts silence as genuine.
        analysts: share of the labels that are analysts' verdicts.
    """

    delays: npt.NDArray[np.float64]
    maturity_days: float
    analysts: float

    @classmethod
    def of(cls, ledger: Ledger, at: int) -> Self:
        """From all labels received by `at`, µs."""
        labels, payments = ledger.records.labels, ledger.records.transactions
        frauds = labels[(labels["verdict"] == "unauthorised") & (labels["received_at"] <= at)]
        received = frauds.groupby("transaction")["received_at"].min()
        delay = (received - payments.groupby("transaction")["time"].min()).dropna().to_numpy(np.float64) / DAY_US
        analysts = float((labels["source"] == "analyst").mean()) if len(labels) else 0.0
        return cls(np.sort(np.maximum(delay, 0.0)), ledger.as_of(at).maturity_days, analysts)

    @property
    def reports(self) -> int:
        """Payments reported as fraud."""
        return len(self.delays)

    def age_by_which(self, share: float) -> float:
        """Age, in days, by which a share of the reports had come; 0 without any."""
        return float(np.quantile(self.delays, share)) if self.reports else 0.0

    @property
    def late_days(self) -> float:
        """Age by which `NEARLY_ALL` reports had come."""
        return self.age_by_which(NEARLY_ALL)

    def reported_share(self, age_days: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Share of the reports that had come at each age; float64 of the same shape, 1 where there never was any."""
        if not self.reports:
            return np.ones_like(age_days)
        return np.searchsorted(self.delays, age_days, side="right") / self.reports

    @property
    def presumed_after_days(self) -> float:
        """Age from which silence is presumed genuine."""
        return min(self.late_days, self.maturity_days) if self.reports else self.maturity_days

    def said(self) -> tuple[str, ...]:
        """What was assumed, in sentences."""
        if not self.reports:
            return ("no fraud was ever reported",)
        arrive = f"{self.reports:,} frauds were reported, half by the age of {_days(self.age_by_which(0.5))}"
        arrive += f", {NEARLY_ALL:.0%} by {_days(self.late_days)}: arrival is simulated so"
        if self.late_days < 1:
            arrive += " (at once, as no chargeback does: declare a delay when importing)"
        judged = (
            f"{self.analysts:.0%} of the labels are analysts' verdicts"
            if self.analysts
            else "no label is an analyst's verdict: before the first report nothing is known"
        )
        silence = f"silence counts as genuine from the age of {_days(self.presumed_after_days)}"
        if self.presumed_after_days < self.maturity_days:
            silence += (
                f", for nearly all reports have come by then; the ledger itself waits {_days(self.maturity_days)}"
            )
        ahead = "payments ahead count as genuine where the file holds no report of them, however young they are"
        return (arrive, judged, silence, ahead)

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "reports": self.reports,
            "half_days": self.age_by_which(0.5),
            "late_days": self.late_days,
            "maturity_days": self.maturity_days,
            "presumed_after_days": self.presumed_after_days,
            "analysts": self.analysts,
            "said": list(self.said()),
        }


@dataclass(frozen=True, slots=True)
class Known:
    """What a shop could learn from at one time.

    Attributes:
        data: the payments until then, labels as received or presumed.
        presumed: labels among them that are presumed, all of them genuine.
        rows_counted: payments weighed by the share of reports that comes by their age: the known frauds among so many
            are the fraud rate.
    """

    data: Dataset
    presumed: int
    rows_counted: int


def known_at(past: Dataset, ledger: Ledger, now: int, arrival: Arrival) -> Known:
    """What had been received by `now` (µs) about payments before it, and what must be presumed to learn from it.

    Silence is presumed genuine from the age by which nearly all reports come. Where no payment is that old, yet frauds
    are known and fewer genuine ones than these, all silence is: few frauds hide in it, and without it nothing could be
    learnt. What nobody could have reported (declined, refunded) is never presumed anything.
    """
    ledger_says = ledger.as_of(now).of(past.transaction)
    label = ledger_says["label"].to_numpy(np.int8).copy()
    silent = (ledger_says["state"] == State.IMMATURE).to_numpy()
    reported = past.time <= now - int(arrival.presumed_after_days * DAY_US)
    presumed = silent & reported
    if int((label == GENUINE).sum() + presumed.sum()) < int((label == FRAUD).sum()):
        presumed = silent
    label[presumed] = GENUINE
    age = (now - past.time) / DAY_US
    rows_counted = max(round(float(arrival.reported_share(age).sum())), int((label == FRAUD).sum()), 1)
    data = replace(past, label=label, received=ledger_says["received_at"].to_numpy(np.int64))
    return Known(data, int(presumed.sum()), rows_counted)


def _days(days: float) -> str:
    return "1 day" if round(days) == 1 else f"{days:.0f} days"
