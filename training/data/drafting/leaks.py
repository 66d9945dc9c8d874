"""Columns that tell the label: known only after the fraud was, or made from it."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from training.data.drafting.profile import ColumnProfile

TELLS: Final = 0.99
"""ROC AUC from which on a single column knows too much; the best sound columns of public data sets reach 0.96."""

MIN_FRAUDS: Final = 15
"""Fewer frauds in the sample prove no leak."""


def tells_label(column: ColumnProfile, fraud: npt.NDArray[np.bool_]) -> float | None:
    """ROC AUC of the column alone, in whichever direction; None where it cannot be judged.

    Args:
        column: values in the sampled rows.
        fraud: of the sampled rows, bool [n].
    """
    if fraud.sum() < MIN_FRAUDS or fraud.all():
        return None
    # Being there or not may tell as much as the value.
    present = column.present.astype(np.float64)
    if column.mostly_numbers:
        low = column.known_numbers.min() if len(column.known_numbers) else 0.0
        values = np.where(np.isfinite(column.numbers), column.numbers, low - 1)
    else:
        values = _rates(column.texts.reindex(range(len(fraud))).fillna(""), fraud)
    return max(_auc(present, fraud), _auc(values, fraud))


def _auc(values: npt.NDArray[np.float64], fraud: npt.NDArray[np.bool_]) -> float:
    ranks = rankdata(values)
    frauds, genuine = int(fraud.sum()), int((~fraud).sum())
    auc = (ranks[fraud].sum() - frauds * (frauds + 1) / 2) / (frauds * genuine)
    return float(max(auc, 1 - auc))


def _rates(texts: "pd.Series[str]", fraud: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Each row's fraud rate of its value, counted over the other half of the rows."""
    half = np.arange(len(fraud)) % 2 == 0
    frame = pd.DataFrame({"value": texts.to_numpy(), "fraud": fraud.astype(np.float64)})
    rates = np.full(len(fraud), fraud.mean())
    for part in (half, ~half):
        known = frame[~part].groupby("value")["fraud"].agg(["sum", "count"])
        smoothed = (known["sum"] + fraud.mean()) / (known["count"] + 1)
        rates[part] = frame.loc[part, "value"].map(smoothed).fillna(fraud.mean()).to_numpy()
    return rates
