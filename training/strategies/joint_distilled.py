"""The default: nets trained jointly on source and target, combined with pooled trees, distilled into one small net.

    1. trees   B = LightGBM(source ∪ target), target rows weighted up to a fifth of the whole
    2. nets    θ_k = argmin  CE(source batch) + CE(target batch),  from the pre-trained θ_k⁰, k = 1..K
    3. teacher t(x) = ½ · mean_k f(x; θ_k) + ½ · aligned B(x)
    4. student argmin  CE(σ(s), σ(t)) + λ Huber(s − t)   on source and all unlabelled target rows

No net beats pooled trees alone; the two err differently, and their mean beats both where transfer is positive. The
student keeps most of that (Hinton et al. 2015) and is what one core can serve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import lightgbm
import numpy as np

from training.boosting import booster_logits, fit_booster, pooled
from training.distil import distil, most_useful
from training.model import FraudNet, predict
from training.sample import Floats, thin
from training.strategies.batches import classify, fit_strategy
from training.strategies.task import Adapted, Task

MATCHED_ROWS: Final = 20_000


def adapt(task: Task) -> Adapted:
    """Trees, nets, their mean, and a student of it."""
    trees = fit_trees(task)
    nets = [fit_net(task, number) for number in range(task.options.teachers)]
    parts = distillation_pool(task)
    task.progress("teachers' scores", 0.0)
    student = distil(
        parts,
        ensemble(task, nets, trees),
        kinds=task.base.kinds,
        columns=most_useful(trees, task.options.distil.columns),
        seed=task.seed,
        options=task.options.distil,
        report=lambda share: task.progress("student", share),
    )
    return Adapted(student, why=f"{len(nets)} nets and pooled trees, distilled")


def fit_trees(task: Task) -> lightgbm.Booster:
    """Trees on source and target rows together."""
    task.progress("trees on source and target", 0.0)
    both, weight = pooled(task.base.source, task.target, target_share=task.options.target_share)
    return fit_booster(
        both.features, both.label, task.base.kinds, seed=task.seed, options=task.options.boost, weight=weight
    )


def fit_net(task: Task, number: int) -> FraudNet:
    """One pre-trained net, trained on source and target batches of equal weight."""
    seed = task.seed + 1000 * number
    net = task.base.teacher(number, seed=seed)
    fit_strategy(
        task,
        lambda batch, _: classify(net, batch, "source", "target"),
        net.trainable_variables,
        ("source", "target"),
        seed=seed,
        what=f"net {number + 1} of {task.options.teachers}",
    )
    return net


def distillation_pool(task: Task) -> list[Floats]:
    """Source rows, unlabelled target rows, and the labelled ones, each its own array."""
    rows = task.options.pool_rows
    rng = np.random.default_rng(task.seed)
    unlabelled = task.unlabelled
    if len(unlabelled) > rows:
        unlabelled = unlabelled[np.sort(rng.choice(len(unlabelled), rows, replace=False))]
    return [thin(task.base.source, rows, seed=task.seed).features, unlabelled, task.target.features]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Half the nets' mean logit, half the trees' logit at the nets' scale; calling it gives logits [n].

    Attributes:
        nets: the teachers.
        trees: on source and target.
        kinds: of the features.
        stretch, shift: bring the trees' logits to the mean and spread of the nets'.
    """

    nets: Sequence[FraudNet]
    trees: lightgbm.Booster
    kinds: tuple[str, ...]
    stretch: float
    shift: float

    @classmethod
    def of(cls, nets: Sequence[FraudNet], trees: lightgbm.Booster, kinds: tuple[str, ...], rows: Floats) -> Self:
        """The ensemble, its two scales matched on `rows` [n, d]."""
        net, tree = _mean(nets, rows), booster_logits(trees, rows, kinds)
        stretch = float(net.std()) / max(float(tree.std()), 1e-6)
        return cls(nets, trees, kinds, stretch, float(net.mean()) - stretch * float(tree.mean()))

    def __call__(self, features: Floats) -> Floats:
        """Logits, float32 [n]."""
        trees = self.stretch * booster_logits(self.trees, features, self.kinds) + self.shift
        return np.asarray(0.5 * (_mean(self.nets, features) + trees), np.float32)


def ensemble(task: Task, nets: Sequence[FraudNet], trees: lightgbm.Booster) -> Ensemble:
    """The teachers of a task, matched on some of its unlabelled rows."""
    return Ensemble.of(nets, trees, task.base.kinds, task.unlabelled[:MATCHED_ROWS])


def _mean(nets: Sequence[FraudNet], features: Floats) -> Floats:
    return np.asarray(np.mean([predict(net, features) for net in nets], axis=0, dtype=np.float64), np.float32)
