"""The next payment as its history alone lets expect it: what is asked, and what counts as history.

    L = Σ_k  mean of −log p_k(class of the payment | its history)      k: amount, gap, category, device, declined

A row's history was read before the payment was taken in, so one row holds both sides: columns that speak of this
payment are no history and are what the heads are asked about. Only whether it was declined comes later, with the
customer's next payment (`training.data.declines`). Nobody has to label any of it. Skalski et al. 2023, "Towards a
Foundation Purchasing Model: Pretrained Generative Autoregression on Transaction Sequences" (arXiv 2401.01641).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fraud.features.encoder import SPEC
from training.data.sample import Floats
from training.modelling.losses import masked_mean

AMOUNT_BANDS: Final = 16
CATEGORIES: Final = 16
GAP_HOURS: Final = (1 / 6, 1.0, 6.0, 24.0, 72.0, 168.0, 336.0, 720.0)
"""Edges between the classes of the hours since the payment before; one more class where there was none."""

CLASSES: Final = {
    "amount": AMOUNT_BANDS,
    "gap": len(GAP_HOURS) + 2,
    "category": CATEGORIES,
    "device": 2,
    "declined": 2,
}
"""Head -> number of classes."""

_ENTITIES: Final = ("customer", "card", "email", "phone", "shipping_address")
"""Whose history is looked at; that of shop, device and network says which ones this payment chose."""

_TELLING: Final = re.compile(r"_(10min|1h|24h)$|^(amount_gap|amount_score|hours_since_last|shared|new.*)$")
"""Measures of a history that tell of the payment itself, or how long ago the one before was."""

_COLUMNS: Final = {
    "amount": ("amount",),
    "gap": ("customer_hours_since_last", "card_hours_since_last"),
    "category": ("merchant_category",),
    "device": ("customer_device_new", "card_device_new"),
}
"""Head -> columns that it is asked about, the first that there is."""


def history_columns(names: Sequence[str]) -> list[int]:
    """Positions of the features that tell what was before the payment and nothing of itself."""
    telling = {
        feature.name
        for feature in SPEC.features
        if feature.source[0] in _ENTITIES and not _TELLING.search(feature.source[1])
    }
    return [column for column, name in enumerate(names) if name in telling]


@dataclass(frozen=True, slots=True)
class Questions:
    """What the heads are asked of a row.

    Attributes:
        columns: head -> the column that answers it; heads that no column answers are left out.
        edges: between the bands of amounts, float32 [AMOUNT_BANDS - 1], ascending.
    """

    columns: Mapping[str, int]
    edges: Floats

    @classmethod
    def of(cls, names: Sequence[str], parts: Sequence[Floats]) -> Self:
        """With bands that hold equally many of these rows' amounts; every part has the same say."""
        place = {name: column for column, name in enumerate(names)}
        columns = {
            head: place[next(name for name in wanted if name in place)]
            for head, wanted in _COLUMNS.items()
            if any(name in place for name in wanted)
        }
        if "amount" not in columns:
            return cls(columns, np.zeros(AMOUNT_BANDS - 1, np.float32))
        shares = np.arange(1, AMOUNT_BANDS) / AMOUNT_BANDS
        held = [part[:, columns["amount"]] for part in parts]
        quantiles = [np.quantile(x[~np.isnan(x)], shares) for x in held if not np.isnan(x).all()]
        mean = np.mean(quantiles, axis=0) if quantiles else np.zeros(len(shares))
        return cls(columns, np.asarray(mean, np.float32))

    def classes(self, features: tf.Tensor) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Head -> (class int32 [n], whether the row answers it bool [n]) of raw features [n, d]."""
        return {head: self._class(head, features[:, column]) for head, column in self.columns.items()}

    def _class(self, head: str, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        missing = tf.math.is_nan(x)
        held = tf.where(missing, 0.0, x)
        if head == "gap":
            return tf.where(missing, len(GAP_HOURS) + 1, _band(held, GAP_HOURS)), tf.ones_like(missing)
        if head == "category":
            return tf.cast(held, tf.int32) % CATEGORIES, ~missing
        return (_band(held, self.edges) if head == "amount" else tf.cast(held > 0.5, tf.int32)), ~missing


def surprise(logits: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """−log p of the class that came, [n]; logits [n, k], classes int32 [n]."""
    return -tf.reduce_sum(tf.nn.log_softmax(logits) * tf.one_hot(chosen, logits.shape[1]), axis=1)


def next_event_loss(logits: Mapping[str, tf.Tensor], classes: Mapping[str, tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
    """Σ over heads of the mean surprise of the rows that answer."""
    return tf.add_n([masked_mean(surprise(logits[head], chosen), known) for head, (chosen, known) in classes.items()])


def declined_class(declined: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(class int32 [n], known bool [n]) of 1 declined, 0 not, NaN not known."""
    unknown = tf.math.is_nan(declined)
    return tf.cast(tf.where(unknown, 0.0, declined) > 0.5, tf.int32), ~unknown


def _band(x: tf.Tensor, edges: Sequence[float] | npt.NDArray[np.float32]) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(x[:, None] > np.asarray(edges, np.float32), tf.int32), axis=1)
