"""Fine-tuning on the target alone, held near the pre-trained weights.

    L(θ) = CE(target batch; θ) + α/2 · ‖θ_f − θ_f⁰‖² + β/2 · ‖θ_g‖²

θ_f are the extractor's weights, θ_f⁰ where pre-training left them, θ_g the head's. Plain fine-tuning forgets the source
within a few hundred steps; the pull towards θ⁰ keeps what the few labels do not contradict.

Li, Grandvalet & Davoine 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks".
"""

import tensorflow as tf

from training.modelling.losses import l2_sp
from training.modelling.strategies.batches import classify, fit_strategy
from training.modelling.strategies.task import Adapted, Task

ALPHA = 0.1
BETA = 0.01
LEARNING_RATE = 3e-4


def adapt(task: Task) -> Adapted:
    """One net, fine-tuned with L2-SP."""
    net = task.base.teacher(0, seed=task.seed)
    extractor, head = net.extractor.trainable_variables, net.head.trainable_variables
    start = [tf.constant(weight.numpy()) for weight in extractor]
    zero = [tf.zeros_like(weight) for weight in head]
    fit_strategy(
        task,
        lambda batch, _: classify(net, batch, "target") + l2_sp(extractor, start, ALPHA) + l2_sp(head, zero, BETA),
        [*extractor, *head],
        ("target",),
        seed=task.seed,
        what="fine-tuning",
        learning_rate=LEARNING_RATE,
    )
    return Adapted(net, why="one pre-trained net, fine-tuned on the target near its start")
