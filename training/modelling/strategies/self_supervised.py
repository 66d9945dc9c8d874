"""A net that knew all rows before it knew a label, adapted as the others are.

    1. θ_f   = argmin  L_hidden + L_next    on source and unlabelled target rows, no label looked at
    2. θ⁰    = argmin  CE(source) + CE(unlabelled target; the trees' probability),  as pre-training does
    3. θ     = argmin  CE(source) + CE(target),  kept as far as the labels are trusted (`joint_distilled.fit_net`)

Labels of a young shop are few and late, its payments are many: step 1 is the only one that all of them teach.
Booking.com 2024, arXiv 2405.13692; `training.modelling.self_supervised`.
"""

from dataclasses import replace
from functools import partial

from training.modelling.base import Base
from training.modelling.network import build_net, get_weights
from training.modelling.pretrain import PretrainOptions, teach_net
from training.modelling.self_supervised.pretraining import pretrain_net
from training.modelling.strategies.joint_distilled import fit_net
from training.modelling.strategies.task import Adapted, Task


def adapt(task: Task) -> Adapted:
    """One net, pre-trained without labels, then on the source, then on both."""
    net = fit_net(replace(task, base=taught_base(task)), 0)
    return Adapted(net, why="one net, pre-trained on all rows without labels")


def taught_base(task: Task) -> Base:
    """The base with one net in place of its own, which saw all rows before the source's labels.

    Raises:
        InvalidDataset: there is no source.
    """
    base, options = task.base, task.options
    trees = base.trees
    net = build_net(base.encoding, features=len(base.names), seed=task.seed, options=base.net_options)
    pretrain_net(
        net,
        base.names,
        base.source.features,
        task.unlabelled,
        seed=task.seed,
        declined=task.declined,
        options=options.self_supervised,
        report=partial(task.progress, "pre-training without labels"),
    )
    taught = PretrainOptions(
        steps=options.self_supervised.steps, batch=options.self_supervised.batch, fraud_share=base.fraud_share
    )
    teach_net(
        net, trees, base.source, task.unlabelled, base.kinds,
        rate=base.source_prior, options=taught, seed=task.seed, report=partial(task.progress, "the source's labels"),
    )  # fmt: skip
    return replace(base, teachers=(get_weights(net),))
