"""A frozen extractor under a head that learns the target.

    L(θ_g) = CE(target batch; θ_f⁰, θ_g)

The cheapest transfer, and the most timid: only the last linear map moves, so it cannot learn what the source never
needed to represent. Yosinski et al. 2014, "How transferable are features in deep neural networks?".
"""

from training.modelling.strategies.batches import classify, fit_strategy
from training.modelling.strategies.task import Adapted, Task


def adapt(task: Task) -> Adapted:
    """One net whose head alone is trained."""
    net = task.base.teacher(0, seed=task.seed)
    fit_strategy(
        task,
        lambda batch, _: classify(net, batch, "target"),
        net.head.trainable_variables,
        ("target",),
        seed=task.seed,
        what="head",
    )
    return Adapted(net, why="pre-trained extractor as it is, head trained on the target")
