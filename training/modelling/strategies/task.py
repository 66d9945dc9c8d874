"""The task that every strategy is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import tensorflow as tf

from training.data.sample import Floats, Sample
from training.modelling.base import Base
from training.modelling.distillation import DistilOptions
from training.modelling.self_supervised.pretraining import SelfSupervisedOptions
from training.modelling.train_loop import FitOptions, Progress, quiet
from training.modelling.trees.boosting import BoostOptions

Scorer: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
"""A trackable of TensorFlow: raw features [n, d] -> logits [n]."""


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """What adaptation costs and aims at; the defaults are the recipe of docs/explanation/transfer.md.

    Attributes:
        teachers: nets of the ensemble.
        steps: of each net, or None for 80, 150 or 250 by the number of labels (200, 1,000, more).
        source_batch, target_batch: rows a step.
        target_fraud_share: of the target rows in a batch, at most.
        target_share: of the target's rows in the pooled trees' total weight.
        source_worth: labelled target frauds at which source and target have an equal say; see `Task.trust`.
        pool_rows: of source and of unlabelled target rows to distil on, each.
        boost: trees on pooled data; None: as the base found right for the source.
        few: trees on the target alone; None: by what the labels are.
        threads: of LightGBM, where the two above are None.
        fit, distil, self_supervised: of the parts.
        weigh_self_supervised: `auto` also weighs a net that was pre-trained without labels.
        surprise: every model also reads how unlikely a payment is given its history (`self_supervised.surprise`).
    """

    teachers: int = 3
    steps: int | None = None
    source_batch: int = 256
    target_batch: int = 128
    target_fraud_share: float = 0.15
    target_share: float = 0.2
    source_worth: float = 5.0
    pool_rows: int = 80_000
    boost: BoostOptions | None = None
    few: BoostOptions | None = None
    threads: int = 2
    fit: FitOptions = field(default_factory=lambda: FitOptions(learning_rate=1e-3, mask_rate=0.4))
    distil: DistilOptions = field(default_factory=DistilOptions)
    self_supervised: SelfSupervisedOptions = field(default_factory=SelfSupervisedOptions)
    weigh_self_supervised: bool = False
    surprise: bool = False

    def steps_for(self, labels: int) -> int:
        """Steps of a net with so many labels."""
        return self.steps or (80 if labels <= 200 else 150 if labels <= 1000 else 250)


@dataclass(frozen=True, slots=True)
class Task:
    """One adaptation.

    Attributes:
        base: the pre-trained model.
        target: the labelled budget, in time order.
        unlabelled: target rows as they come, float32 [u, d]; never empty (the labelled rows are among them).
        seed: of everything drawn.
        options: see there.
        progress: told what is going on.
        declined: whether each unlabelled payment was declined, [u], NaN where not known (`training.data.declines`);
            None: nobody knows.
    """

    base: Base
    target: Sample
    unlabelled: Floats
    seed: int
    options: AdaptOptions = field(default_factory=AdaptOptions)
    progress: Progress = quiet
    declined: Floats | None = None

    @property
    def trust(self) -> float:
        """How far the labelled frauds are believed against the source: n / (n + worth), in 0..1.

        The weight that shrinkage gives to n observations against a prior that is worth so many of them.
        """
        return self.target.frauds / (self.target.frauds + self.options.source_worth)

    @property
    def boost(self) -> BoostOptions:
        """Options of pooled trees."""
        return self.options.boost or replace(self.base.boost, threads=self.options.threads)


@dataclass(frozen=True, slots=True)
class Adapted:
    """An adapted model.

    Attributes:
        scorer: raw features -> logits, in the graph.
        held_out: logits of the labelled target rows by models that had not seen them, float32 [n], NaN where there is
            none; where cheap.
        why: what was chosen and why, one line.
    """

    scorer: Scorer
    held_out: Floats | None = None
    why: str = ""


Strategy: TypeAlias = Callable[[Task], Adapted]
