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


def plain_scores(parts: Split, *, seed: int) -> npt.NDArray[np.float64]:
    """Probabilities of fraud of the test's rows, learnt from the same labelled past. Shape [n]."""
    columns = raw_columns(parts)
    kinds = [parts.kinds[column] for column in columns]
    past = Sample.of(parts.past)
    data = lightgbm.Dataset(
        encode_categories(past.features[:, columns], kinds),
        past.label.astype(np.float64),
        categorical_feature=[place for place, kind in enumerate(kinds) if kind == "category"],
    )
    booster = lightgbm.train(PARAMETERS | {"seed": seed}, data, num_boost_round=TREES)
    return np.asarray(booster.predict(encode_categories(parts.test.features[:, columns], kinds)), np.float64)


def raw_columns(parts: Split) -> list[int]:
    """Columns that come from the event itself: no history, no risk."""
    return sorted(parts.spec.columns(EVENT) + parts.spec.columns(ATTRIBUTE))
