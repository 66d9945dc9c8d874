"""The protocol of training and test: 7 days, 7 days of delay, 7 days, in four folds that end one week apart."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from training.evaluation.scores import CARDS_PER_DAY, DAY_US, Scored, card_precision

TRAIN_FROM: Final = int(np.datetime64("2018-07-25", "us").astype(np.int64))
"""The first fold's first day of training, µs; each further fold begins a week earlier, as in the book's chapter 5."""

FOLDS: Final = 4
WEEK_US: Final = 7 * DAY_US
MEASURES: Final = ("ap", "auc", "card_precision_100")


@dataclass(frozen=True, slots=True)
class Fold:
    """Row numbers of one fold, ascending."""

    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]


def fold_of(
    number: int, time: npt.NDArray[np.int64], customer: npt.NDArray[np.uint64], fraud: npt.NDArray[np.bool_]
) -> Fold:
    """A fold. Customers known as defrauded by a test day (its delay subtracted) are left out of that day on.

    Args:
        number: 0 is the latest.
        time: int64 [n], µs.
        customer: uint64 [n].
        fraud: bool [n].
    """
    begin = TRAIN_FROM - number * WEEK_US
    train = (time >= begin) & (time < begin + WEEK_US)
    test = []
    for day in range(7):
        start = begin + 2 * WEEK_US + day * DAY_US
        # Reported by the evening before: what happened until seven days before that.
        known = np.unique(customer[(time >= begin) & (time < start - WEEK_US) & fraud])
        today = (time >= start) & (time < start + DAY_US) & ~np.isin(customer, known)
        test.append(np.flatnonzero(today))
    return Fold(np.flatnonzero(train), np.concatenate(test))


def measure(score: npt.NDArray[np.float32], rows: Scored) -> dict[str, float]:
    """The book's three figures of a ranking.

    Args:
        score: [t], higher is riskier.
        rows: the tested payments; their own scores are not read.
    """
    ranked = Scored(np.asarray(score, np.float64), rows.fraud, rows.time, rows.amount, rows.card, rows.customer)
    precision = card_precision(ranked, CARDS_PER_DAY)
    assert precision is not None  # for mypy: a fold has days
    return {
        "ap": float(average_precision_score(rows.fraud, score)),
        "auc": float(roc_auc_score(rows.fraud, score)),
        "card_precision_100": precision,
    }
