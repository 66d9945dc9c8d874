"""LightGBM's trees as tensor operations: a bundle is one SavedModel whatever was trained.

All trees walk down together: an int32 [n, trees] array holds the node where each row stands in each tree, and every
step gathers that node's feature and threshold and goes left or right. Leaves point to themselves, so that `depth` steps
are enough for all. Comparisons are exact: features are float32, so each double threshold is replaced by the largest
float32 not above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import lightgbm
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.boosting import CATEGORY_CODES

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(slots=True)
class _Nodes:
    """Nodes of all trees, one list per attribute; children are absolute positions."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    nan_left: list[bool] = field(default_factory=list)
    nan_is_zero: list[bool] = field(default_factory=list)
    category: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    sets: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    depth: int = 0


class Forest(tf.Module):
    """A booster in the graph; calling it gives raw log-odds [n] of raw features [n, d]."""

    def __init__(self, booster: lightgbm.Booster, kinds: Sequence[str]) -> None:
        super().__init__(name="forest")
        nodes, roots = _Nodes(), []
        for tree in booster.dump_model()["tree_info"]:
            roots.append(len(nodes.feature))
            _add(nodes, tree["tree_structure"], 1)
        self.depth = nodes.depth - 1
        self.roots = tf.constant(roots, tf.int32)
        self.feature = tf.constant(nodes.feature, tf.int32)
        self.threshold = tf.constant(_float32_below(nodes.threshold))
        self.left = tf.constant(nodes.left, tf.int32)
        self.right = tf.constant(nodes.right, tf.int32)
        self.nan_left = tf.constant(nodes.nan_left)
        self.nan_is_zero = tf.constant(nodes.nan_is_zero)
        self.category = tf.constant(nodes.category, tf.int32)
        # Float64, as LightGBM adds them up.
        self.value = tf.constant(nodes.value, tf.float64)
        self.sets = tf.constant(np.array(nodes.sets or [np.zeros(CATEGORY_CODES, bool)]).ravel())
        self.is_category = tf.constant(np.array([kind == "category" for kind in kinds]))

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Log-odds, float32 [n]."""
        return tf.cast(tf.reduce_sum(tf.gather(self.value, self.walk(features)[-1]), axis=1), tf.float32)

    def walk(self, features: tf.Tensor) -> list[tf.Tensor]:
        """The nodes where each row stands in each tree, int32 [n, trees], from the roots to the leaves."""
        coded = self._coded(features)
        path = [tf.zeros([tf.shape(features)[0], 1], tf.int32) + self.roots]
        for _ in range(self.depth):
            path.append(self._step(coded, path[-1]))
        return path

    def _coded(self, features: tf.Tensor) -> tf.Tensor:
        """Categories as codes, like `training.boosting.encode_categories`."""
        hashed = tf.cast(tf.where(tf.math.is_nan(features), 0.0, features), tf.int64)
        code = tf.cast(1 + hashed % (CATEGORY_CODES - 1), tf.float32)
        code = tf.where(hashed == 0, tf.constant(np.nan, tf.float32), code)
        return tf.where(self.is_category, code, features)

    def _step(self, coded: tf.Tensor, node: tf.Tensor) -> tf.Tensor:
        x = tf.gather(coded, tf.gather(self.feature, node), batch_dims=1)
        missing = tf.math.is_nan(x)
        filled = tf.where(missing, 0.0, x)
        # Numbers: NaN follows the default direction, or counts as zero where training saw none.
        by_default = missing & ~tf.gather(self.nan_is_zero, node)
        number = tf.where(by_default, tf.gather(self.nan_left, node), filled <= tf.gather(self.threshold, node))
        # Categories: left when the code is in the node's set; NaN never is.
        row = tf.gather(self.category, node)
        index = tf.maximum(row, 0) * CATEGORY_CODES + tf.cast(tf.clip_by_value(filled, 0, CATEGORY_CODES - 1), tf.int32)
        member = ~missing & tf.gather(self.sets, index)
        goes_left = tf.where(row >= 0, member, number)
        return tf.where(goes_left, tf.gather(self.left, node), tf.gather(self.right, node))


def _add(nodes: _Nodes, structure: dict[str, Any], depth: int) -> int:
    """Adds a subtree, parents first; its root's position."""
    position = len(nodes.feature)
    nodes.depth = max(nodes.depth, depth)
    split = "split_feature" in structure
    categorical = split and structure["decision_type"] == "=="
    nodes.feature.append(structure["split_feature"] if split else 0)
    nodes.threshold.append(float(structure["threshold"]) if split and not categorical else 0.0)
    nodes.nan_left.append(bool(structure.get("default_left", False)))
    nodes.nan_is_zero.append(structure.get("missing_type", "None") == "None")
    nodes.category.append(len(nodes.sets) if categorical else -1)
    nodes.value.append(float(structure["internal_value"] if split else structure["leaf_value"]))
    nodes.left.append(position)
    nodes.right.append(position)
    if categorical:
        codes = np.zeros(CATEGORY_CODES, bool)
        codes[[int(code) for code in structure["threshold"].split("||")]] = True
        nodes.sets.append(codes)
    if split:
        nodes.left[position] = _add(nodes, structure["left_child"], depth + 1)
        nodes.right[position] = _add(nodes, structure["right_child"], depth + 1)
    return position


def _float32_below(thresholds: Sequence[float]) -> Floats:
    """The largest float32 not above each threshold: x <= t has the same answer for every float32 x."""
    largest = float(np.finfo(np.float32).max)
    exact = np.clip(np.array(thresholds, np.float64), -largest, largest)
    rounded = exact.astype(np.float32)
    return np.where(rounded.astype(np.float64) > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
