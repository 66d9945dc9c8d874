"""The net's named parts stand apart, start where they should, and follow the seed."""

import gc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support import toy_models as toy
from training.data.sample import balanced, uniform
from training.modelling.base import Base, load_base, save_base
from training.modelling.encoder import fit_encoding
from training.modelling.losses import soft_cross_entropy
from training.modelling.network import (
    STUDENT,
    FraudNet,
    NetOptions,
    build_auxiliary,
    build_discriminator,
    build_net,
    get_weights,
    predict,
    set_weights,
)
from training.modelling.train_loop import FitOptions, fit, make_deterministic

SMALL = NetOptions(width=16, blocks=2, dropout=0.3, embedding_dropout=0.3)
ROWS = toy.rows(500, seed=5).features


def net(seed: int = 1, *, bottleneck: int = 0, options: NetOptions = SMALL) -> FraudNet:
    encoding = fit_encoding([ROWS], toy.KINDS)
    return build_net(encoding, features=len(toy.KINDS), seed=seed, options=options, bottleneck=bottleneck)


def names(weights: list[tf.Variable]) -> set[str]:
    return {weight.path for weight in weights}


def test_extractor_head_discriminator_and_auxiliary_heads_share_no_weight() -> None:
    model = net()
    extractor, head = names(model.extractor.trainable_variables), names(model.head.trainable_variables)
    assert extractor
    assert head
    assert not extractor & head
    assert extractor | head == names(model.trainable_variables)
    others = [build_discriminator(16, seed=1), *build_auxiliary(16, {"amount": 1, "type": 3}, seed=1).values()]
    known = {id(weight) for weight in model.trainable_variables}
    assert not known & {id(weight) for other in others for weight in other.trainable_variables}
    assert [int(other.output_shape[-1]) for other in others] == [1, 1, 3]


def test_every_weight_has_a_readable_place() -> None:
    paths = set(get_weights(net(bottleneck=4)))
    assert {"extractor/encoder/embeddings", "extractor/widen/kernel", "head/deep/kernel", "head/wide/kernel"} <= paths
    assert {
        "extractor/block_1/inner/kernel",
        "extractor/block_1/normalise/gamma",
        "extractor/adapter_0/up/bias",
    } <= paths


def test_the_deep_and_the_wide_path_add_up_to_the_logit() -> None:
    model = net()
    model.head.wide.kernel.assign(tf.random.stateless_normal(model.head.wide.kernel.shape, [1, 2]))
    h, encoded = (part.numpy() for part in model.extractor(ROWS))
    weights = get_weights(model)
    deep = h @ weights["head/deep/kernel"] + weights["head/deep/bias"]
    wide = encoded @ weights["head/wide/kernel"]
    np.testing.assert_allclose(model(ROWS), (deep + wide)[:, 0], atol=1e-4)


def test_a_residual_block_is_its_formula() -> None:
    model = net()
    weights = get_weights(model)
    h = np.random.default_rng(1).normal(size=(9, 16)).astype(np.float32)
    centred = h - h.mean(axis=1, keepdims=True)
    norm = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-3)  # gamma is 1, beta 0 at first
    inner = np.maximum(norm @ weights["extractor/block_0/inner/kernel"], 0)
    expected = h + inner @ weights["extractor/block_0/outer/kernel"]
    np.testing.assert_allclose(model.extractor.blocks[0](tf.constant(h)), expected, atol=1e-5)


def test_adapters_start_as_the_identity_and_add_few_weights() -> None:
    plain, adapted = net(), net(bottleneck=4)
    set_weights(adapted, get_weights(plain), strict=False)
    np.testing.assert_array_equal(plain(ROWS), adapted(ROWS))
    inserted = [w for a in adapted.extractor.adapters for w in a.trainable_variables]
    assert len(adapted.extractor.adapters) == SMALL.blocks
    assert sum(int(tf.size(w)) for w in inserted) == SMALL.blocks * (2 * 16 * 4 + 16 + 4)


def test_weights_that_do_not_fit_are_refused() -> None:
    held = get_weights(net())
    del held["head/deep/kernel"]
    with pytest.raises(KeyError, match="head/deep/kernel"):
        set_weights(net(), held)


def test_dropout_works_in_training_only() -> None:
    model = net()
    np.testing.assert_array_equal(model(ROWS), model(ROWS))
    assert not np.array_equal(model(ROWS, training=True), model(ROWS))


def test_the_student_neither_drops_out_nor_normalises() -> None:
    model = net(options=STUDENT)
    np.testing.assert_array_equal(model(ROWS, training=True), model(ROWS))
    assert not any("normalise" in path for path in get_weights(model))


def test_predictions_in_parts_are_those_of_one_call() -> None:
    model = net()
    np.testing.assert_allclose(predict(model, ROWS, batch=64), model(ROWS), atol=1e-5)
    assert predict(model, ROWS[:0]).shape == (0,)


def trained(seed: int, *, data: int = 1) -> FraudNet:
    make_deterministic(seed)
    model = net(seed)
    sample = toy.rows(400, seed=data)
    pools = {"source": {"features": sample.features, "target": sample.label.astype(np.float32)}}
    draws = {"source": balanced(sample.label, steps=15, batch=32, share=0.2, seed=seed)}

    def loss(batch: dict[str, dict[str, tf.Tensor]], _share: tf.Tensor) -> tf.Tensor:
        return soft_cross_entropy(model(batch["source"]["features"], training=True), batch["source"]["target"])

    fit(loss, model.trainable_variables, pools, draws, options=FitOptions(mask_rate=0.2), seed=seed, chunk=5)
    return model


def test_the_same_seed_trains_the_same_bytes_and_another_seed_others() -> None:
    one, same, other = (get_weights(trained(seed)) for seed in (3, 3, 4))
    assert {path: w.tobytes() for path, w in one.items()} == {path: w.tobytes() for path, w in same.items()}
    assert one["head/deep/kernel"].tobytes() != other["head/deep/kernel"].tobytes()


def test_what_a_net_was_trained_on_is_let_go_afterwards() -> None:
    trained(3)
    gc.collect()
    # By type, not isinstance: dead proxies of other tests may be among the objects.
    held = [o for o in gc.get_objects() if type(o) is type(tf.constant(0))]
    # A loop trains in one process for months.
    assert not [o for o in held if o.shape.rank and o.shape[0] == 400]


def test_only_the_given_variables_move_and_progress_reaches_the_end() -> None:
    model = net()
    before = get_weights(model)
    told: list[float] = []
    pools = {"p": {"features": ROWS, "target": np.ones(len(ROWS), np.float32)}}
    fit(
        lambda batch, _: soft_cross_entropy(model(batch["p"]["features"]), batch["p"]["target"]),
        model.head.trainable_variables,
        pools,
        {"p": uniform(len(ROWS), steps=25, batch=16, seed=1)},
        chunk=10,
        report=told.append,
    )
    after = get_weights(model)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert moved == {"head/deep/kernel", "head/deep/bias", "head/wide/kernel"}
    # Three chunks of nine steps, as equal as they can be.
    assert told == [0.36, 0.72, 1.0]


def test_a_loss_that_is_not_finite_is_an_error_and_no_model() -> None:
    model = net()
    pools = {"p": {"features": ROWS}}
    draws = {"p": uniform(len(ROWS), steps=2, batch=8, seed=1)}
    with pytest.raises(FloatingPointError, match="diverged"):
        fit(
            lambda batch, _: tf.reduce_mean(model(batch["p"]["features"])) * np.inf,
            model.trainable_variables,
            pools,
            draws,
        )


def test_a_base_survives_being_written(base: Base, tmp_path: Path) -> None:
    save_base(base, tmp_path)
    again = load_base(tmp_path)
    assert (again.names, again.kinds, again.net_options) == (base.names, base.kinds, base.net_options)
    assert (again.source_prior, again.fraud_share) == (base.source_prior, base.fraud_share)
    for number in range(2):
        one, other = (b.teacher(number, seed=9) for b in (base, again))
        np.testing.assert_array_equal(predict(one, ROWS), predict(other, ROWS))
    np.testing.assert_array_equal(again.held_out.features, base.held_out.features)
    np.testing.assert_array_equal(again.trees.predict(np.nan_to_num(ROWS)), base.trees.predict(np.nan_to_num(ROWS)))


def test_a_teacher_with_adapters_is_the_teacher_at_first(base: Base) -> None:
    plain, adapted = base.teacher(0, seed=1), base.teacher(0, seed=1, bottleneck=4)
    np.testing.assert_array_equal(predict(plain, ROWS), predict(adapted, ROWS))


def test_pretrained_nets_and_trees_know_the_source_and_were_not_shown_what_is_held_out(base: Base) -> None:
    held = base.held_out
    assert held.frauds > 0
    for number in range(2):
        assert toy.auc(held, predict(base.teacher(number, seed=1), held.features)) > 0.85
    taken = {row.tobytes() for row in base.source.features}
    assert not taken & {row.tobytes() for row in held.features}


def test_the_kept_source_holds_every_fraud_that_was_trained_on(base: Base) -> None:
    whole = toy.rows(4_000, seed=1)
    assert base.source.frauds + base.held_out.frauds == whole.frauds
    assert base.source_prior == pytest.approx(whole.frauds / len(whole))
    assert len(base.source) == toy.SIZES.kept_rows
