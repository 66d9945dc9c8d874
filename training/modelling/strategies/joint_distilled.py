"""Nets trained jointly on source and target, combined with trees, distilled into one small net.

    0. trust   a = n / (n + 5),  n labelled target frauds
    1. trees   P = LightGBM(source ∪ target), target rows weighted up to a fifth of the whole
               C = S + LightGBM(target | start S),  S = LightGBM(source)
    2. nets    θ_k = argmin  CE(source batch) + CE(target batch),  from the pre-trained θ_k⁰, k = 1..K;
               kept:  θ̄_k = (1 − a) θ_k⁰ + a θ_k
    3. teacher t(x) = ½ · mean_k f(x; θ̄_k) + ½ · aligned ((1 − a) C(x) + a P(x))
    4. student argmin  CE(σ(s), σ(t)) + λ Huber(s − t)   on source and all unlabelled target rows

Nets and trees err differently; their mean is better than most of them. The first labels of a target are few and not
drawn fairly: chargebacks and what analysts were shown. Followed too far they spoil what the source knew, and they have
to be followed where it was wrong; going part of the way costs little in either case. C corrects the source's score and
otherwise keeps it, which a handful of frauds can teach; P learns anew, which more of them can. Averaging weights before
and after fine-tuning is Wortsman et al. 2022, "Robust fine-tuning of zero-shot models". The student keeps most of its
teacher (Hinton et al. 2015) and is what one core can serve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import lightgbm
import numpy as np

from training.data.sample import Floats, some_rows, thin
from training.modelling.distillation import Teacher, distil
from training.modelling.network import FraudNet, get_weights, predict, set_weights
from training.modelling.strategies.batches import classify, fit_strategy
from training.modelling.strategies.boosted import continued_logits, fit_continued, fit_pooled
from training.modelling.strategies.task import Adapted, Task
from training.modelling.trees.boosting import booster_logits

MATCHED_ROWS: Final = 20_000
LABELLED_PART: Final = 4
"""A pool holds at most so many times fewer labelled rows than source rows."""


def adapt(task: Task) -> Adapted:
    """Trees, nets, their mean, and a student of it."""
    task.progress("trees on source and target", 0.0)
    trees = corrected(task, fit_pooled(task, task.target))
    nets = [fit_net(task, number) for number in range(task.options.teachers)]
    parts = distillation_pool(task)
    task.progress("teachers' scores", 0.0)
    student = distil(
        parts,
        ensemble(task, nets, trees),
        kinds=task.base.kinds,
        seed=task.seed,
        options=task.options.distil,
        report=lambda share: task.progress("student", share),
    )
    return Adapted(student, why=f"{len(nets)} nets, continued and pooled trees, distilled")


def corrected(task: Task, pooled: lightgbm.Booster) -> Teacher:
    """The source's trees, corrected by the target's labels and moved towards the pooled ones as far as trust goes."""
    continued = fit_continued(task, task.target)

    def logits(features: Floats) -> Floats:
        start, end = continued_logits(task, continued, features), booster_logits(pooled, features, task.base.kinds)
        return np.asarray(start + task.trust * (end - start), np.float32)

    return logits


def fit_net(task: Task, number: int) -> FraudNet:
    """One pre-trained net, trained on source and target batches of equal weight; then as far back as trust lacks."""
    seed = task.seed + 1000 * number
    net = task.base.teacher(number, seed=seed)
    start = get_weights(net)
    fit_strategy(
        task,
        lambda batch, _: classify(net, batch, "source", "target"),
        net.trainable_variables,
        ("source", "target"),
        seed=seed,
        what=f"net {number + 1} of {task.options.teachers}",
    )
    set_weights(net, {path: w + (1 - task.trust) * (start[path] - w) for path, w in get_weights(net).items()})
    return net


def distillation_pool(task: Task) -> list[Floats]:
    """Source rows, unlabelled target rows, and the labelled ones, each its own array."""
    rows = task.options.pool_rows
    rng = np.random.default_rng(task.seed)
    unlabelled = task.unlabelled
    if len(unlabelled) > rows:
        unlabelled = unlabelled[np.sort(rng.choice(len(unlabelled), rows, replace=False))]
    # The labelled rows are among the unlabelled ones; here they are for their frauds.
    labelled = thin(task.target, rows // LABELLED_PART, seed=task.seed).features
    return [thin(task.base.source, rows, seed=task.seed).features, unlabelled, labelled]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Half the nets' mean logit, half the trees' logit at the nets' scale; calling it gives logits [n].

    Attributes:
        nets: the teachers.
        trees: features [n, d] -> the trees' logits [n].
        stretch, shift: bring the trees' logits to the mean and spread of the nets'.
    """

    nets: Sequence[FraudNet]
    trees: Teacher
    stretch: float
    shift: float

    @classmethod
    def of(cls, nets: Sequence[FraudNet], trees: Teacher, rows: Floats) -> Self:
        """The ensemble, its two scales matched on `rows` [n, d]."""
        net, tree = _mean(nets, rows), trees(rows)
        stretch = float(net.std()) / max(float(tree.std()), 1e-6)
        return cls(nets, trees, stretch, float(net.mean()) - stretch * float(tree.mean()))

    def __call__(self, features: Floats) -> Floats:
        """Logits, float32 [n]."""
        trees = self.stretch * self.trees(features) + self.shift
        return np.asarray(0.5 * (_mean(self.nets, features) + trees), np.float32)


def ensemble(task: Task, nets: Sequence[FraudNet], trees: Teacher) -> Ensemble:
    """The teachers of a task, matched on some of its unlabelled rows."""
    return Ensemble.of(nets, trees, some_rows(task.unlabelled, MATCHED_ROWS, seed=task.seed))


def _mean(nets: Sequence[FraudNet], features: Floats) -> Floats:
    return np.asarray(np.mean([predict(net, features) for net in nets], axis=0, dtype=np.float64), np.float32)
