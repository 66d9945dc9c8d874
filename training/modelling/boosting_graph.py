"""LightGBM's trees as tensor operations: a bundle is one SavedModel whatever was trained.

All trees walk down together: an int32 [n, trees] array holds the node where each row stands in each tree, and every
step fetches that node's column, threshold and children and goes left or right. What a node needs stands in one row of
one table, since fetching takes the time. A right child stands behind the left one; leaves point to themselves, so that
`depth` steps are enough for all.

Comparisons are exact: features are float32, so each double threshold is replaced by the largest float32 not above it.
A split on a category is one on a column of its own, added to the row beforehand: 0 where the category is in the split's
set, 1 elsewhere.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import lightgbm
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.modelling.base import MappedTrees
from training.modelling.trees.boosting import CATEGORY_CODES

Floats: TypeAlias = npt.NDArray[np.float32]

MEMBER: Final = 0.5
"""The threshold between a category of the set (0) and any other (1)."""


@dataclass(slots=True)
class _Nodes:
    """Nodes of all trees, one list per attribute; children are absolute positions, the left one's is kept."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    missing_as: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    sets: dict[int, list[npt.NDArray[np.bool_]]] = field(default_factory=lambda: defaultdict(list))
    """Feature -> codes [CATEGORY_CODES] that go left, of each split on it."""
    set_of: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Node -> its feature and which of the feature's sets."""
    depth: int = 0


Weighted: TypeAlias = tuple[lightgbm.Booster | MappedTrees, float]
"""A booster and what its output counts."""


class Forest(tf.Module):
    """Boosters in the graph; calling it gives their outputs' weighted sum [n] of raw features [n, d].

    One booster gives raw log-odds; a random forest gives the mean of its trees, as LightGBM does.
    """

    def __init__(self, boosters: lightgbm.Booster | Sequence[Weighted], kinds: Sequence[str]) -> None:
        super().__init__(name="forest")
        nodes, roots = _Nodes(), []
        for booster, weight in [(boosters, 1.0)] if isinstance(boosters, lightgbm.Booster) else boosters:
            columns = booster.columns if isinstance(booster, MappedTrees) else None
            model = (booster.booster if isinstance(booster, MappedTrees) else booster).dump_model()
            share = weight / len(model["tree_info"]) if model["average_output"] else weight
            for tree in model["tree_info"]:
                roots.append(_reserve(nodes, 1))
                structure = tree["tree_structure"]
                placed = structure if columns is None else _placed(structure, columns)
                _fill(nodes, roots[-1], placed, depth=0, weight=share)
        self.depth = nodes.depth
        self.roots = tf.constant(roots, tf.int32)
        self.feature = tf.constant(nodes.feature, tf.int32)
        # Positions are whole numbers below 2^24, which float32 holds exactly.
        table = np.zeros((len(nodes.left), 4), np.float32)
        table[:, 0] = _columns(nodes, len(kinds))
        table[:, 1] = _float32_below(nodes.threshold)
        table[:, 2], table[:, 3] = nodes.missing_as, nodes.left
        self.table = tf.constant(table)
        # Float64, as LightGBM adds them up.
        self.value = tf.constant(nodes.value, tf.float64)
        self.split_categories = sorted(nodes.sets)
        self.outside = [tf.constant(1 - np.stack(nodes.sets[c], axis=1), tf.float32) for c in self.split_categories]

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Log-odds, float32 [n]."""
        return tf.cast(tf.reduce_sum(tf.gather(self.value, self.walk(features)[-1]), axis=1), tf.float32)

    def walk(self, features: tf.Tensor) -> list[tf.Tensor]:
        """The nodes where each row stands in each tree, int32 [n, trees], from the roots to the leaves."""
        rows = self._with_sets(features)
        path = [tf.zeros([tf.shape(features)[0], 1], tf.int32) + self.roots]
        for _ in range(self.depth):
            column, threshold, missing_as, left = tf.unstack(tf.gather(self.table, path[-1]), axis=2)
            x = tf.gather(rows, tf.cast(column, tf.int32), batch_dims=1)
            x = tf.where(tf.math.is_nan(x), missing_as, x)
            path.append(tf.cast(left, tf.int32) + tf.cast(x > threshold, tf.int32))
        return path

    def _with_sets(self, features: tf.Tensor) -> tf.Tensor:
        """Features and, for every split on a category, 0 where a row's code is in its set; float32 [n, d + splits]."""
        parts = [features]
        for category, outside in zip(self.split_categories, self.outside, strict=True):
            hashed = features[:, category]
            hashed = tf.cast(tf.where(tf.math.is_nan(hashed), 0.0, hashed), tf.int64)
            # Codes as in `training.modelling.trees.boosting.encode_categories`; code 0, absent, is in no set.
            code = tf.where(hashed == 0, tf.zeros_like(hashed), 1 + hashed % (CATEGORY_CODES - 1))
            parts.append(tf.gather(outside, code))
        return tf.concat(parts, axis=1)


def _reserve(nodes: _Nodes, count: int) -> int:
    """Appends leaves that point to themselves; the first one's position."""
    first = len(nodes.left)
    for position in range(first, first + count):
        nodes.feature.append(0)
        nodes.threshold.append(np.inf)
        nodes.missing_as.append(-np.inf)
        nodes.left.append(position)
        nodes.value.append(0.0)
    return first


def _fill(nodes: _Nodes, position: int, structure: dict[str, Any], *, depth: int, weight: float) -> None:
    """Writes a subtree, its root at `position`; what its leaves say counts `weight`."""
    nodes.depth = max(nodes.depth, depth)
    if "split_feature" not in structure:
        nodes.value[position] = weight * float(structure["leaf_value"])
        return
    feature = structure["split_feature"]
    nodes.feature[position] = feature
    nodes.value[position] = weight * float(structure["internal_value"])
    if structure["decision_type"] == "==":
        codes = np.zeros(CATEGORY_CODES, bool)
        codes[[int(code) for code in structure["threshold"].split("||")]] = True
        nodes.set_of[position] = feature, len(nodes.sets[feature])
        nodes.sets[feature].append(codes)
        nodes.threshold[position] = MEMBER
    else:
        nodes.threshold[position] = float(structure["threshold"])
        # What is missing follows the default direction, or counts as zero where training saw none.
        by_default = -np.inf if structure["default_left"] else np.inf
        nodes.missing_as[position] = 0.0 if structure["missing_type"] == "None" else by_default
    left = _reserve(nodes, 2)
    nodes.left[position] = left
    _fill(nodes, left, structure["left_child"], depth=depth + 1, weight=weight)
    _fill(nodes, left + 1, structure["right_child"], depth=depth + 1, weight=weight)


def _placed(structure: dict[str, Any], columns: npt.NDArray[np.intp]) -> dict[str, Any]:
    """A subtree that reads other columns; of a split on one that is not there the side of missing values stays."""
    while "split_feature" in structure and columns[structure["split_feature"]] < 0:
        structure = structure["left_child" if _missing_left(structure) else "right_child"]
    if "split_feature" not in structure:
        return structure
    return structure | {
        "split_feature": int(columns[structure["split_feature"]]),
        "left_child": _placed(structure["left_child"], columns),
        "right_child": _placed(structure["right_child"], columns),
    }


def _missing_left(structure: dict[str, Any]) -> bool:
    """Where a missing value goes, as `_fill` has it."""
    if structure["decision_type"] == "==":
        return False
    return bool(structure["threshold"] >= 0 if structure["missing_type"] == "None" else structure["default_left"])


def _columns(nodes: _Nodes, features: int) -> list[int]:
    """The column that each node looks at: its feature, or its set's own."""
    first, start = features, {}
    for category in sorted(nodes.sets):
        start[category] = first
        first += len(nodes.sets[category])
    columns = list(nodes.feature)
    for position, (category, number) in nodes.set_of.items():
        columns[position] = start[category] + number
    return columns


def _float32_below(thresholds: Sequence[float]) -> Floats:
    """The largest float32 not above each threshold: x <= t has the same answer for every float32 x."""
    exact = np.array(thresholds, np.float64)
    largest = float(np.finfo(np.float32).max)
    rounded = np.clip(exact, -largest, largest).astype(np.float32)
    below = np.where(rounded.astype(np.float64) > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return np.where(np.isposinf(exact), np.float32(np.inf), below)
