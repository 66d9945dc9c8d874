"""Options of boosted trees that follow the data: learn from the earlier rows, rank the later ones, keep what did best.

How many columns a tree should see, how deep it should be and how many there should be depend on whether many columns
tell a little or a few tell much, and that is known of no platform beforehand. Rounds are chosen on the way: the best
point of a smoothed curve, since average precision of a few dozen frauds jumps from round to round.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import lightgbm
import numpy as np

from training.data.sample import Floats, Sample, thin
from training.modelling.trees.boosting import FEW_LABELS, PLAIN, BoostOptions, encode_categories, parameters

HALF: Final = BoostOptions(columns=0.5)
"""Where the data are too few to choose."""

GRID: Final = (
    BoostOptions(columns=0.1),
    HALF,
    PLAIN,
    BoostOptions(columns=0.3, leaves=15, min_leaf=50, rows=0.8),
    BoostOptions(columns=0.5, leaves=63, min_leaf=50, learning_rate=0.035, rows=0.8, bins=255),
)

ENOUGH_FRAUDS: Final = 30
"""Among the rows that are ranked."""

MANY_LABELS: Final = 50
"""Labelled frauds from which on trees on the target alone may be deeper than for a handful."""

LATE: Final = 0.25
"""Share of the frauds that the choice is made on, the last ones."""

MOST_ROUNDS: Final = 500
PATIENCE: Final = 50
SMOOTHED: Final = 15
"""Rounds on each side that a point of the curve is averaged over."""

CELLS: Final = 8_000_000
"""Rows times columns to learn from, while choosing: a minute for the whole grid."""


def choose_options(
    sample: Sample,
    kinds: Sequence[str],
    *,
    seed: int,
    threads: int = 2,
    default: BoostOptions = HALF,
    grid: Sequence[BoostOptions] = GRID,
) -> BoostOptions:
    """The options of the grid that rank the sample's last frauds best; the default where they are too few.

    Args:
        sample: labelled rows in time order.
        kinds: of the features.
        seed: of everything drawn.
        threads: of LightGBM.
        default: returned where fewer than `ENOUGH_FRAUDS` could be ranked.
        grid: to choose from.
    """
    frauds = np.flatnonzero(sample.label == 1)
    late = round(LATE * len(frauds))
    if late < ENOUGH_FRAUDS:
        return replace(default, threads=threads)
    cut = int(frauds[-late])
    rows = max(CELLS // len(kinds), 2 * ENOUGH_FRAUDS)
    early, later = (
        thin(part, size, seed=seed)
        for part, size in ((sample.take(slice(0, cut)), rows), (sample.take(slice(cut, None)), rows // 2))
    )
    ranked = [_curve(early, later, kinds, replace(options, threads=threads), seed) for options in grid]
    best = int(np.argmax([precision for precision, _ in ranked]))
    return replace(grid[best], trees=ranked[best][1], threads=threads)


def options_alone(target: Sample, kinds: Sequence[str], *, seed: int, threads: int = 2) -> BoostOptions:
    """Options of trees on the target alone: by its number of frauds, and by its later rows where they are enough."""
    default = FEW_LABELS if target.frauds < MANY_LABELS else replace(HALF, leaves=15)
    return choose_options(target, kinds, seed=seed, threads=threads, default=default)


def _curve(early: Sample, later: Sample, kinds: Sequence[str], options: BoostOptions, seed: int) -> tuple[float, int]:
    """(average precision at its smoothed best, rounds until there)."""
    coded = encode_categories(early.features, kinds)
    categorical = [i for i, kind in enumerate(kinds) if kind == "category"]
    train = lightgbm.Dataset(coded, early.label.astype(np.float64), categorical_feature=categorical)
    held: Floats = encode_categories(later.features, kinds)
    valid = train.create_valid(held, later.label.astype(np.float64))
    told: dict[str, dict[str, list[float]]] = {}
    lightgbm.train(
        parameters(coded, options, seed=seed) | {"metric": "average_precision"},
        train,
        num_boost_round=MOST_ROUNDS,
        valid_sets=[valid],
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lightgbm.record_evaluation(told),
        ],
    )
    values = np.array(next(iter(next(iter(told.values())).values())))
    around = np.ones(2 * SMOOTHED + 1)
    smooth = np.convolve(values, around, "same") / np.convolve(np.ones_like(values), around, "same")
    best = int(np.argmax(smooth))
    return float(smooth[best]), best + 1
