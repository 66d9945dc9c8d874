"""The rival: what an afternoon with LightGBM gives, on the columns as they come, without history or transfer."""

from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

from fraud.features.spec import ATTRIBUTE, EVENT
from training.data.sample import Sample
from training.modelling.trees.boosting import encode_categories
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


STEADY: Final = {"lambda_l2": 10.0, "min_sum_hessian_in_leaf": 1.0}
"""With rare frauds LightGBM's defaults let leaves run away; this holds them. Told beside the rival only."""


def plain_scores(parts: Split, *, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probabilities of fraud of the test's rows, learnt from the same labelled past.

    Returns:
        By LightGBM's defaults and with steady leaves, each of shape [n].
    """
    columns = raw_columns(parts)
    kinds = [parts.kinds[column] for column in columns]
    past = Sample.of(parts.past)
    data = lightgbm.Dataset(
        encode_categories(past.features[:, columns], kinds),
        past.label.astype(np.float64),
        categorical_feature=[place for place, kind in enumerate(kinds) if kind == "category"],
    )
    rows = encode_categories(parts.test.features[:, columns], kinds)
    plain, steady = (
        np.asarray(lightgbm.train(parameters, data, num_boost_round=TREES).predict(rows), np.float64)
        for parameters in (PARAMETERS | {"seed": seed}, PARAMETERS | STEADY | {"seed": seed})
    )
    return plain, steady


def raw_columns(parts: Split) -> list[int]:
    """Columns that come from the event itself: no history, no risk."""
    return sorted(parts.spec.columns(EVENT) + parts.spec.columns(ATTRIBUTE))
