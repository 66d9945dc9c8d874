"""Each loss is its formula, computed here once more in numpy; gradients are those that the papers ask for."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from fraud.features.encoder import SPEC
from training.modelling.losses import (
    coral,
    domain_confusion,
    l2_sp,
    logit_distance,
    mmd,
    reverse_gradient,
    soft_cross_entropy,
)
from training.modelling.network import build_discriminator
from training.modelling.strategies import multitask

Floats = npt.NDArray[np.float64]


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def drawn(rows: int, width: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def test_cross_entropy_takes_labels_and_a_teachers_probabilities() -> None:
    logits, target = np.array([-2.0, 0.0, 3.0]), np.array([0.0, 0.25, 1.0])
    p = sigmoid(logits)
    expected = -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()
    loss = soft_cross_entropy(tf.constant(logits, tf.float32), tf.constant(target, tf.float32))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_stays_finite_for_logits_far_out() -> None:
    loss = soft_cross_entropy(tf.constant([-500.0, 500.0]), tf.constant([1.0, 0.0]))
    assert float(loss) == pytest.approx(500.0)


def test_distilled_logits_are_huber_distant_from_the_teachers() -> None:
    # 0.5 * 0.4**2 = 0.08 inside, |2| - 0.5 = 1.5 outside.
    loss = logit_distance(tf.constant([1.4, 3.0]), tf.constant([1.0, 1.0]))
    assert float(loss) == pytest.approx((0.08 + 1.5) / 2)


def test_a_student_that_matches_its_teacher_has_no_gradient_left() -> None:
    teacher = tf.constant(drawn(16, 1, 1)[:, 0])
    with tf.GradientTape() as tape:
        tape.watch(teacher)
        loss = soft_cross_entropy(teacher, tf.stop_gradient(tf.sigmoid(teacher))) + logit_distance(
            teacher, tf.stop_gradient(teacher)
        )
    np.testing.assert_allclose(tape.gradient(loss, teacher), 0.0, atol=1e-7)


def test_l2_sp_is_half_the_squared_distance_from_where_pretraining_ended() -> None:
    weights = [tf.Variable([[1.0, 2.0]]), tf.Variable([3.0])]
    start = [tf.constant([[0.0, 4.0]]), tf.constant([3.0])]
    assert float(l2_sp(weights, start, 0.1)) == pytest.approx(0.5 * 0.1 * (1 + 4))
    with tf.GradientTape() as tape:
        loss = l2_sp(weights, start, 0.1)
    pulled, still = tape.gradient(loss, weights)
    np.testing.assert_allclose(pulled, [[0.1, -0.2]], rtol=1e-6)
    np.testing.assert_allclose(still, [0.0])


def test_coral_is_the_distance_of_covariances() -> None:
    source, target = drawn(50, 4, 1), drawn(30, 4, 2) * np.array([1, 2, 3, 4], np.float32) + 5
    gap = np.cov(source, rowvar=False) - np.cov(target, rowvar=False)
    assert float(coral(tf.constant(source), tf.constant(target))) == pytest.approx((gap**2).sum() / (4 * 16), rel=1e-4)


def test_coral_is_blind_to_the_mean_and_mmd_is_not() -> None:
    rows = drawn(60, 3, 3)
    moved = rows + 2
    assert float(coral(tf.constant(rows), tf.constant(moved))) == pytest.approx(0, abs=1e-6)
    assert float(mmd(tf.constant(rows), tf.constant(moved))) > 0.1


def test_mmd_is_the_mean_of_kernels_within_less_across() -> None:
    source, target = drawn(20, 3, 1).astype(np.float64), drawn(15, 3, 2).astype(np.float64) + 1
    rows = np.concatenate([source, target])
    squares = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    kernel = np.mean([np.exp(-squares / (squares.mean() * f)) for f in (0.25, 0.5, 1, 2, 4)], axis=0)
    n = len(source)
    expected = kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
    found = mmd(tf.constant(source, tf.float32), tf.constant(target, tf.float32))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_mmd_of_equal_samples_is_zero() -> None:
    rows = tf.constant(drawn(25, 3, 4))
    assert float(mmd(rows, rows)) == pytest.approx(0, abs=1e-6)


def test_the_reversed_gradient_is_the_identity_forwards_and_minus_lambda_backwards() -> None:
    h = tf.constant(drawn(5, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(h)
        out = reverse_gradient(h, tf.constant(0.3))
        loss = tf.reduce_sum(out * out)
    np.testing.assert_array_equal(out, h)
    np.testing.assert_allclose(tape.gradient(loss, h), -0.3 * 2 * h, rtol=1e-6)


def test_the_discriminator_learns_the_domain_while_what_it_reads_unlearns_it() -> None:
    source, target = tf.constant(drawn(8, 4, 1)), tf.constant(drawn(8, 4, 2) + 1)
    discriminator = build_discriminator(4, seed=1)
    shift = tf.Variable(tf.zeros(4))  # stands for the extractor: moves the target's representation

    def gradients(strength: float | None) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            sides = [source, target + shift]
            if strength is not None:
                sides = [reverse_gradient(h, tf.constant(strength)) for h in sides]
            loss = domain_confusion(*(discriminator(h)[:, 0] for h in sides))
        extractor, *judge = tape.gradient(loss, [shift, *discriminator.trainable_variables])
        return extractor, judge

    plain_extractor, plain_judge = gradients(None)
    reversed_extractor, reversed_judge = gradients(0.5)
    np.testing.assert_allclose(reversed_extractor, -0.5 * plain_extractor, rtol=1e-5)
    for one, other in zip(plain_judge, reversed_judge, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_both_domains_weigh_the_same_in_the_discriminators_loss() -> None:
    source, target = np.full(90, -1.0), np.full(10, 2.0)
    expected = 0.5 * (-np.log(1 - sigmoid(source[0])) - np.log(sigmoid(target[0])))
    loss = domain_confusion(tf.constant(source, tf.float32), tf.constant(target, tf.float32))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


NAMES = ("amount", "merchant_category", "account_age_hours")
ROWS = tf.constant([[10.0, 33.0, 5.0], [1.0, np.nan, 400.0], [np.nan, 2.0, np.nan]], tf.float32)


def test_the_amount_head_is_judged_where_there_is_an_amount() -> None:
    predicted = tf.constant([np.log(11.0), 0.0, 99.0], tf.float32)
    # Row 0 is right, row 1 is off by log 2 (inside Huber's bend), row 2 has no amount.
    expected = (0 + 0.5 * np.log(2.0) ** 2) / 2
    assert float(multitask.amount_loss(predicted, ROWS, NAMES)) == pytest.approx(expected, rel=1e-5)


def test_the_category_head_is_judged_by_the_categorys_bucket() -> None:
    logits = np.zeros((3, multitask.CATEGORIES), np.float32)
    logits[0, 33 % multitask.CATEGORIES] = 5.0
    right = -np.log(np.exp(5) / (np.exp(5) + multitask.CATEGORIES - 1))
    wrong = np.log(multitask.CATEGORIES)  # row 2; row 1 has no category
    loss = multitask.category_loss(tf.constant(logits), ROWS, NAMES)
    assert float(loss) == pytest.approx((right + wrong) / 2, rel=1e-5)


def test_the_type_head_is_judged_on_frauds_alone() -> None:
    # Row 0: a new account's fraud (type 2). Row 1: a tiny amount tests a card (type 0). Row 2 is genuine.
    logits = tf.constant([[0.0, 0.0, 3.0], [3.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    loss = multitask.type_loss(logits, ROWS, tf.constant([1.0, 1.0, 0.0]), NAMES)
    assert float(loss) == pytest.approx(-np.log(np.exp(3) / (np.exp(3) + 2)), rel=1e-5)


def test_auxiliary_tasks_without_their_columns_teach_nothing() -> None:
    rows = tf.constant([[1.0], [2.0]])
    assert float(multitask.amount_loss(tf.constant([5.0, 5.0]), rows, ("cents",))) == 0.0
    assert float(multitask.category_loss(tf.zeros((2, multitask.CATEGORIES)), rows, ("cents",))) == 0.0


def test_the_history_task_does_not_see_the_event_it_predicts() -> None:
    told = ["amount", "cents", "merchant_category", "merchant_spend_24h", "customer_merchant_new", "card_amount_gap"]
    history = ["customer_attempts_1h", "card_merchants_24h", "account_age_hours"]
    assert multitask.own_columns([*told, *history]) == list(range(len(told)))
    assert set(multitask.OWN) <= set(SPEC.names)
