"""The handbook's own features, recomputed from its chapter 3, "Baseline feature transformation".

Le Borgne, Siblini, Lebichot, Bontempi: "Reproducible Machine Learning for Credit Card Fraud Detection", 2022.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float32]

WINDOWS_DAYS: Final = (1, 7, 30)
DELAY_DAYS: Final = 7
"""A fraud at a terminal is known seven days later."""

DAY_S: Final = 86_400
LAST_HOUR_OF_NIGHT: Final = 6
SATURDAY: Final = 5


def book_features(rows: pd.DataFrame) -> tuple[Floats, list[str]]:
    """The book's 15 features, float32 [n, 15], and the kinds of the columns.

    Args:
        rows: TX_DATETIME (ascending), CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_FRAUD. A row's own fraud is not read:
            risk ends `DELAY_DAYS` before the row.
    """
    when = rows["TX_DATETIME"].dt
    seconds = rows["TX_DATETIME"].to_numpy("datetime64[s]").astype(np.int64)
    amount = rows["TX_AMOUNT"].to_numpy(np.float64)
    columns = [amount, when.day_of_week >= SATURDAY, when.hour <= LAST_HOUR_OF_NIGHT]
    customer = _Rolling(rows["CUSTOMER_ID"].to_numpy(np.int64), seconds)
    for days in WINDOWS_DAYS:
        count = customer.sums(np.ones(len(rows)), days)
        columns += [count, customer.sums(amount, days) / count]
    terminal = _Rolling(rows["TERMINAL_ID"].to_numpy(np.int64), seconds)
    ones, fraud = np.ones(len(rows)), rows["TX_FRAUD"].to_numpy(np.float64)
    for days in WINDOWS_DAYS:
        count, frauds = (terminal.sums(v, DELAY_DAYS + days) - terminal.sums(v, DELAY_DAYS) for v in (ones, fraud))
        columns += [count, np.divide(frauds, count, out=np.zeros(len(rows)), where=count > 0)]
    kinds = ["number", "flag", "flag", *["number"] * (4 * len(WINDOWS_DAYS))]
    return np.column_stack(columns).astype(np.float32), kinds


class _Rolling:
    """Sums over each row's id and the window (t - days, t], the row itself included, as pandas' `rolling` has it."""

    def __init__(self, ids: npt.NDArray[np.int64], seconds: npt.NDArray[np.int64]) -> None:
        self.order = np.lexsort((seconds, ids))
        # One ascending key for id and time: a window never reaches into the id before.
        span = int(seconds.max() - seconds.min()) + 1
        self.reach = span + 2 * DAY_S * (DELAY_DAYS + max(WINDOWS_DAYS))
        self.key = ids[self.order] * self.reach + (seconds - seconds.min())[self.order]

    def sums(self, values: npt.NDArray[np.float64], days: int) -> npt.NDArray[np.float64]:
        """The window's sum for each row, float64 [n]."""
        total = np.concatenate([[0.0], np.cumsum(values[self.order])])
        first = np.searchsorted(self.key, self.key - days * DAY_S, side="right")
        found = np.empty(len(values))
        found[self.order] = total[1:] - total[first]
        return found
