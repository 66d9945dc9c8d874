"""The rival: what an afternoon with LightGBM gives, on the columns as they come, without history or transfer."""

from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

from fraud.features.spec import ATTRIBUTE, EVENT
from training.data.sample import Sample
from training.modelling.boosting import encode_categories
from training.trial.learning import Split

NAME: Final = "plain LightGBM"
TREES: Final = 300
PARAMETERS: Final = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
"""LightGBM's own defaults but for the rate; the rest makes equal input give equal trees."""


FEW_TREES: Final = 50
"""With rare frauds all of the trees may do worse than the first few: LightGBM's defaults let leaves run away."""


def plain_scores(parts: Split, *, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probabilities of fraud of the test's rows, learnt from the same labelled past, by all trees and by the first few.

    Each of shape [n].
    """
    columns = raw_columns(parts)
    kinds = [parts.kinds[column] for column in columns]
    past = Sample.of(parts.past)
    data = lightgbm.Dataset(
        encode_categories(past.features[:, columns], kinds),
        past.label.astype(np.float64),
        categorical_feature=[place for place, kind in enumerate(kinds) if kind == "category"],
    )
    booster = lightgbm.train(PARAMETERS | {"seed": seed}, data, num_boost_round=TREES)
    rows = encode_categories(parts.test.features[:, columns], kinds)
    every, few = (np.asarray(booster.predict(rows, num_iteration=count), np.float64) for count in (TREES, FEW_TREES))
    return every, few


def raw_columns(parts: Split) -> list[int]:
    """Columns that come from the event itself: no history, no risk."""
    return sorted(parts.spec.columns(EVENT) + parts.spec.columns(ATTRIBUTE))
