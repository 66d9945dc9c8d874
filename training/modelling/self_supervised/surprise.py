"""Surprise: how unlikely a payment is given its history, as columns for trees and nets.

    s_k = −log p_k(class of the payment | its history)        k: amount, gap, category, device

p comes from a small net that reads the history's columns alone and was taught by source and target rows without labels
(`next_event`), so the columns are there on the first day. What a person usually does is nothing new to a model of good
counters; how unusual *this* payment is for such a history is one number that trees would need many splits for. Lucas et
al. 2020, "Towards Automated Feature Engineering for Credit Card Fraud Detection Using Multi-Perspective HMMs":
likelihoods of a payment given its sequence, beside expert features.

The net stands in the model's own graph in front of the scorer (`Widened`): a bundle still takes the features of its
spec and nothing else, and serving computes what training saw.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import tensorflow as tf

from training.data.sample import Floats, Sample
from training.modelling.base import Base, MappedTrees
from training.modelling.columns.matched import in_columns
from training.modelling.encoder import FEW_QUANTILES, EncodingOptions, fit_encoding
from training.modelling.network import STUDENT, Extractor, NetOptions, build_auxiliary
from training.modelling.self_supervised import next_event
from training.modelling.self_supervised.next_event import CLASSES, Questions, history_columns, next_event_loss
from training.modelling.self_supervised.pretraining import SelfSupervisedOptions, unlabelled_pools
from training.modelling.train_loop import Report, Rows, fit, silent

SURPRISES: Final = ("amount", "gap", "category", "device")
"""Heads whose answer is there when the payment is scored."""

NAMES: Final = tuple(f"{head}_surprise" for head in SURPRISES)


@dataclass(frozen=True, slots=True)
class SurpriseOptions:
    """What the columns cost.

    Attributes:
        net: size; it stands before every score.
        encoding: of the history's columns.
        learning: steps, batch and descent.
    """

    net: NetOptions = field(default_factory=lambda: replace(STUDENT, width=48))
    encoding: EncodingOptions = field(default_factory=lambda: EncodingOptions(quantiles=FEW_QUANTILES))
    learning: SelfSupervisedOptions = field(default_factory=SelfSupervisedOptions)


class Surprise(tf.Module):
    """Raw features [n, d] -> surprises [n, 4], NaN where the payment does not answer."""

    def __init__(self, extractor: Extractor, history: Sequence[int], questions: Questions, *, seed: int) -> None:
        super().__init__(name="surprise")
        self.extractor = extractor
        self.history = tf.constant(list(history), tf.int32)
        self.questions = questions
        sizes = {head: CLASSES[head] for head in questions.columns}
        self.heads = build_auxiliary(extractor.widen.units, sizes, seed=seed)

    @property
    def learnt(self) -> list[tf.Variable]:
        """Every weight."""
        heads = [weight for head in self.heads.values() for weight in head.trainable_variables]
        return [*self.extractor.trainable_variables, *heads]

    def logits(self, features: tf.Tensor, *, training: bool = False) -> dict[str, tf.Tensor]:
        """Head -> logits [n, k]."""
        h, _ = self.extractor(tf.gather(features, self.history, axis=1), training=training)
        return {head: layer(h) for head, layer in self.heads.items()}

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """The columns, float32 [n, 4]."""
        logits, classes = self.logits(features), self.questions.classes(features)
        missing = tf.fill([tf.shape(features)[0]], tf.constant(np.nan, tf.float32))
        columns = []
        for head in SURPRISES:
            if head not in classes:
                columns.append(missing)
                continue
            chosen, known = classes[head]
            columns.append(tf.where(known, next_event.surprise(logits[head], chosen), missing))
        return tf.stack(columns, axis=1)

    def widen(self, features: Floats, *, batch: int = 16_384) -> Floats:
        """Rows with the columns behind them, float32 [n, d + 4]."""
        call = tf.function(self.__call__, input_signature=[tf.TensorSpec([None, features.shape[1]], tf.float32)])
        parts = [call(tf.constant(features[i : i + batch])).numpy() for i in range(0, len(features), batch)]
        columns = np.concatenate([np.zeros((0, len(NAMES)), np.float32), *parts])
        return np.concatenate([features, columns], axis=1)

    def owners(self) -> list[int]:
        """The feature that each column is about; 0 for a column that never holds anything."""
        return [self.questions.columns.get(head, 0) for head in SURPRISES]


def fit_surprise(
    names: Sequence[str],
    kinds: Sequence[str],
    source: Floats,
    target: Floats,
    *,
    seed: int,
    options: SurpriseOptions = SurpriseOptions(),
    report: Report = silent,
) -> Surprise | None:
    """Learns what to expect from a history; None where rows hold no history or nothing to be surprised by.

    Args:
        names: of the features.
        kinds: of the features.
        source: rows [n, d]; n may be 0.
        target: rows [u, d].
        seed: of everything drawn.
        options: see there.
        report: told the share of steps done.
    """
    parts = [part for part in (source, target) if len(part)]
    history, questions = history_columns(names), Questions.of(names, parts)
    if not history or not questions.columns:
        return None
    seen = [part[:, history] for part in parts]
    encoding = fit_encoding(seen, [kinds[column] for column in history], options=options.encoding, seed=seed)
    extractor = Extractor(encoding, options.net, seed=seed)
    extractor(tf.zeros([1, len(history)]))
    surprise = Surprise(extractor, history, questions, seed=seed)

    def loss(batch: dict[str, Rows], _share: tf.Tensor) -> tf.Tensor:
        parts = [
            next_event_loss(surprise.logits(rows["features"], training=True), questions.classes(rows["features"]))
            for rows in batch.values()
        ]
        return tf.add_n(parts)

    pools, draws = unlabelled_pools(source, target, None, options.learning, seed=seed)
    fit(loss, surprise.learnt, pools, draws, options=options.learning.fit, seed=seed, report=report)
    return surprise


def widened_base(base: Base, surprise: Surprise, target: Floats) -> Base:
    """The base in wider columns: its trees read what they did, its nets get inputs that change nothing at first.

    Args:
        base: in d columns.
        surprise: of these columns.
        target: wider rows [u, d + 4], which the new columns' encoding is fitted on.
    """
    names, kinds = (*base.names, *NAMES), (*base.kinds, *["number"] * len(NAMES))
    trees = base.booster
    if trees is not None and not isinstance(trees, MappedTrees):
        # New columns stand behind the others, so that a mapping made before still holds.
        trees = MappedTrees(trees, np.arange(len(base.names)))
    wider = in_columns(replace(base, booster=None), names, kinds, target)
    return replace(wider, booster=trees, source=_wider(base.source, surprise), held_out=_wider(base.held_out, surprise))


def _wider(sample: Sample, surprise: Surprise) -> Sample:
    return replace(sample, features=surprise.widen(sample.features))


class Widened(tf.Module):
    """A scorer of wider rows as a scorer of the rows that there are: features [n, d] -> logits [n]."""

    def __init__(self, scorer: Callable[[tf.Tensor], tf.Tensor], surprise: Surprise) -> None:
        super().__init__(name="widened")
        self.scorer = scorer
        self.surprise = surprise

    def widen(self, features: tf.Tensor) -> tf.Tensor:
        """Rows with the columns behind them, [n, d + 4]."""
        return tf.concat([features, self.surprise(features)], axis=1)

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Logits, float32 [n]."""
        return self.scorer(self.widen(features))
