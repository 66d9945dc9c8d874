"""Loss functions: tensors in, a scalar out. `n` source rows, `m` target rows, `w` the width of the representation."""

from collections.abc import Sequence

import tensorflow as tf


def soft_cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Mean binary cross-entropy against labels or probabilities.

    Args:
        logits: float32 [n].
        targets: float32 [n] in [0, 1]; a teacher's probability distils it (Hinton et al. 2015, "Distilling the
            Knowledge in a Neural Network").
    """
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))


def logit_distance(logits: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Huber distance of logits, both float32 [n]: keeps the order among rows that both call safe.

    Cross-entropy alone is flat there. Ba & Caruana 2014, "Do Deep Nets Really Need to be Deep?", match logits too.
    """
    error = tf.abs(logits - teacher)
    return tf.reduce_mean(tf.where(error < 1.0, 0.5 * error * error, error - 0.5))


def masked_mean(values: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Mean of the values that count, both of one shape; 0 where none does."""
    weight = tf.cast(counted, tf.float32)
    return tf.reduce_sum(values * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)


def l2_sp(weights: Sequence[tf.Variable], start: Sequence[tf.Tensor], strength: float) -> tf.Tensor:
    """½ strength · Σ ‖w − w⁰‖²: pulls towards the pre-trained weights instead of towards zero.

    Li, Grandvalet & Davoine 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks".
    """
    return 0.5 * strength * tf.add_n([tf.reduce_sum((w - w0) ** 2) for w, w0 in zip(weights, start, strict=True)])


def coral(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """‖C_S − C_T‖²_F / (4 w²), the distance of the covariances of h; source [n, w], target [m, w].

    Sun & Saenko 2016, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation".
    """
    width = tf.cast(tf.shape(source)[1], tf.float32)
    return tf.reduce_sum((_covariance(source) - _covariance(target)) ** 2) / (4.0 * width * width)


def mmd(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Squared maximum mean discrepancy of h under Gaussian kernels; source [n, w], target [m, w].

    Bandwidths are 1/4 to 4 times the mean squared distance. Long et al. 2015, "Learning Transferable Features with
    Deep Adaptation Networks".
    """
    rows = tf.concat([source, target], 0)
    squares = tf.reduce_sum(rows * rows, 1)
    distance = tf.nn.relu(squares[:, None] + squares[None, :] - 2.0 * tf.matmul(rows, rows, transpose_b=True))
    scale = tf.stop_gradient(tf.reduce_mean(distance)) + 1e-6
    kernel = tf.add_n([tf.exp(-distance / (scale * factor)) for factor in (0.25, 0.5, 1.0, 2.0, 4.0)]) / 5.0
    n = tf.shape(source)[0]
    within = tf.reduce_mean(kernel[:n, :n]) + tf.reduce_mean(kernel[n:, n:])
    return within - 2.0 * tf.reduce_mean(kernel[:n, n:])


@tf.custom_gradient
def reverse_gradient(h: tf.Tensor, strength: tf.Tensor) -> tuple[tf.Tensor, object]:
    """The identity on h [n, w] forwards, −strength · gradient backwards.

    Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks".
    """
    return tf.identity(h), lambda gradient: (-strength * gradient, None)


def domain_confusion(source_logits: tf.Tensor, target_logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the domain discriminator: source rows [n] are 0, target rows [m] are 1; each side half."""
    return 0.5 * (
        soft_cross_entropy(source_logits, tf.zeros_like(source_logits))
        + soft_cross_entropy(target_logits, tf.ones_like(target_logits))
    )


def _covariance(h: tf.Tensor) -> tf.Tensor:
    centred = h - tf.reduce_mean(h, axis=0, keepdims=True)
    return tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(h)[0] - 1, tf.float32)
