"""Residual adapters between frozen blocks.

    h ← h + U · relu(D · h)        U = 0 at the start, so the net starts as the pre-trained one
    L(U, D, θ_g) = CE(source batch) + CE(target batch)

A few thousand weights move, the rest stays: many targets can share one extractor. Rebuffi, Bilen & Vedaldi 2017,
"Learning multiple visual domains with residual adapters"; Houlsby et al. 2019.
"""

from training.modelling.strategies.batches import classify, fit_strategy
from training.modelling.strategies.task import Adapted, Task

BOTTLENECK = 16


def adapt(task: Task) -> Adapted:
    """One net with adapters; they and the head are trained."""
    net = task.base.teacher(0, seed=task.seed, bottleneck=BOTTLENECK)
    inserted = [weight for adapter in net.extractor.adapters for weight in adapter.trainable_variables]
    fit_strategy(
        task,
        lambda batch, _: classify(net, batch, "source", "target"),
        [*inserted, *net.head.trainable_variables],
        ("source", "target"),
        seed=task.seed,
        what="adapters",
    )
    return Adapted(net, why=f"pre-trained net with adapters of width {BOTTLENECK}")
