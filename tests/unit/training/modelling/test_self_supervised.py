"""What is learnt without labels: nobody looks at one, expectations are right, and the columns are served as trained."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fraud.decisions.policy import Policy
from tests.support import toy_models as toy
from training.data.dataset import Identity
from training.data.sample import Floats, Sample
from training.modelling.adapt import adapt, run
from training.modelling.base import Base
from training.modelling.export import Candidate, ServingModule, export_bundle
from training.modelling.network import build_net, get_weights, predict
from training.modelling.pretrain import pretrain
from training.modelling.self_supervised.next_event import Questions, history_columns
from training.modelling.self_supervised.pretraining import SelfSupervisedOptions, pretrain_net
from training.modelling.self_supervised.surprise import NAMES, Surprise, SurpriseOptions, Widened, fit_surprise
from training.modelling.strategies.stack.members import members
from training.modelling.strategies.task import Task
from training.modelling.train_loop import FitOptions, make_deterministic
from training.modelling.trees.boosting import booster_logits

HISTORY = ("customer_attempts_30d", "customer_spend_30d", "customer_hours_since_first")
COLUMNS = ("amount", "merchant_category", "customer_hours_since_last", "customer_device_new", *HISTORY, "noise")
KINDS = ("number", "category", "number", "flag", "number", "number", "number", "number")
QUICK = SelfSupervisedOptions(steps=120, batch=256, fit=FitOptions(learning_rate=1e-2))


def shop(count: int, *, seed: int) -> Sample:
    """Customers pay what they paid before; fraud pays a small buyer's hundredfold. Big buyers always pay so much."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(count) < 0.05
    big = (rng.random(count) < 0.3) & ~fraud
    usual = np.where(big, 1_000.0, 10.0)
    attempts = rng.integers(1, 20, count)
    columns = [
        np.where(fraud, 1_000.0, usual) * rng.lognormal(0, 0.1, count),
        rng.integers(1, 4, count),
        rng.exponential(50.0, count),
        (rng.random(count) < 0.1),
        attempts,
        attempts * usual,
        rng.exponential(2_000.0, count),
        rng.normal(size=count),
    ]
    features = np.stack(columns, axis=1).astype(np.float32)
    return Sample(features, fraud.astype(np.int8), np.arange(count, dtype=np.int64) * toy.DAY_US // 100)


@pytest.fixture(scope="module")
def shop_base() -> Base:
    options = replace(toy.SIZES, teachers=1)
    return pretrain(shop(3_000, seed=1), shop(0, seed=2).features, names=COLUMNS, kinds=KINDS, seed=1, options=options)


@pytest.fixture(scope="module")
def task(shop_base: Base) -> Task:
    sample = shop(300, seed=3)
    unlabelled = np.concatenate([sample.features, shop(1_500, seed=4).features])
    options = replace(toy.OPTIONS, teachers=1, self_supervised=replace(QUICK, steps=60))
    declined = (np.random.default_rng(5).random(len(unlabelled)) < 0.2).astype(np.float32)
    return Task(shop_base, sample, unlabelled, 1, options, declined=declined)


@pytest.fixture(scope="module")
def surprise() -> Surprise:
    make_deterministic(1)
    rows = shop(4_000, seed=6).features
    found = fit_surprise(COLUMNS, KINDS, rows[:2_000], rows[2_000:], seed=1, options=SurpriseOptions(learning=QUICK))
    assert found is not None
    return found


def _pretrained(task: Task) -> bytes:
    """Weights of a net that learnt from the task without labels."""
    make_deterministic(1)
    net = build_net(task.base.encoding, features=len(COLUMNS), seed=1, options=task.base.net_options)
    pretrain_net(
        net, COLUMNS, task.base.source.features, task.unlabelled,
        seed=1, declined=task.declined, options=replace(QUICK, steps=20),
    )  # fmt: skip
    return b"".join(weight.tobytes() for weight in get_weights(net).values())


def _surprises(task: Task) -> bytes:
    """Weights of the columns' net."""
    make_deterministic(1)
    options = SurpriseOptions(learning=replace(QUICK, steps=20))
    found = fit_surprise(COLUMNS, KINDS, task.base.source.features, task.unlabelled, seed=1, options=options)
    assert found is not None
    return b"".join(weight.numpy().tobytes() for weight in found.learnt)


@pytest.mark.parametrize("learn", [_pretrained, _surprises])
def test_labels_replaced_by_poison_give_the_same_weights_to_the_last_bit(learn: object, task: Task) -> None:
    poison = replace(
        task,
        base=replace(task.base, source=replace(task.base.source, label=1 - task.base.source.label)),
        target=replace(task.target, label=np.full(len(task.target), 99, np.int8)),
    )
    assert callable(learn)
    assert learn(task) == learn(poison)
    assert len(learn(task)) > 1_000


def test_other_payments_give_other_weights(task: Task) -> None:
    assert _pretrained(replace(task, unlabelled=shop(1_500, seed=8).features, declined=None)) != _pretrained(task)


def test_history_tells_nothing_of_the_payment_itself() -> None:
    names = (*COLUMNS, "card_attempts_1h", "customer_amount_score", "device_attempts_24h", "merchant_risk_1d")
    assert [names[column] for column in history_columns(names)] == list(HISTORY)


def test_questions_have_the_answers_that_rows_give() -> None:
    rows = np.full((5, len(COLUMNS)), np.nan, np.float32)
    rows[:, 0] = [1, 2, 3, 4, np.nan]
    rows[:4, 2] = [0.1, 2.0, 30.0, 1_000.0]
    rows[:2, 3] = [0, 1]
    questions = Questions.of(COLUMNS, [rows])
    answers = {head: (c.numpy(), k.numpy()) for head, (c, k) in questions.classes(tf.constant(rows)).items()}
    assert set(answers) == {"amount", "gap", "category", "device"}
    assert (np.diff(answers["amount"][0][:4]) > 0).all()
    assert answers["amount"][1].tolist() == [True] * 4 + [False]
    # The last has none before it, which is an answer too.
    assert answers["gap"][0].tolist() == [0, 2, 4, 8, 9]
    assert answers["gap"][1].all()
    assert not answers["category"][1].any()
    assert answers["device"][0][:2].tolist() == [0, 1]


def test_a_payment_surprises_by_what_its_customer_does_not_usually_do(surprise: Surprise) -> None:
    test = shop(3_000, seed=7)
    amount = surprise.widen(test.features)[:, len(COLUMNS)]
    # Amounts of frauds are those of the big buyers: alone they tell nothing, given the history nearly all.
    big = (test.features[:, 0] > 500) & (test.label == 0)
    assert np.median(amount[test.label == 1]) > np.median(amount[big]) + 2
    assert toy.auc(test, np.nan_to_num(amount)) > 0.95


def test_what_a_payment_does_not_say_is_no_surprise(surprise: Surprise) -> None:
    rows = shop(50, seed=9).features
    rows[:, 1] = np.nan
    wide = surprise.widen(rows)
    assert wide.shape == (50, len(COLUMNS) + len(NAMES))
    assert np.isnan(wide[:, len(COLUMNS) + NAMES.index("category_surprise")]).all()
    assert np.isfinite(wide[:, len(COLUMNS) + NAMES.index("amount_surprise")]).all()


def test_rows_without_a_history_have_no_surprise() -> None:
    rows = toy.rows(200, seed=1).features
    assert fit_surprise(toy.NAMES, toy.KINDS, rows, rows, seed=1) is None


@pytest.mark.parametrize("strategy", ["boosted", "coral"])
def test_surprise_widens_any_strategy_and_its_base_scores_as_before(strategy: str, task: Task) -> None:
    make_deterministic(1)
    asked = replace(task, options=replace(task.options, surprise=True))
    adapted = run(asked, strategy)
    assert isinstance(adapted.scorer, Widened)
    test = shop(2_000, seed=10)
    assert toy.auc(test, predict(adapted.scorer, test.features)) > 0.9
    assert "surprise in every row" in adapted.why


def _wide(rows: Floats, widened: Widened) -> Floats:
    return np.asarray(widened.widen(tf.constant(rows)), np.float32)


def test_a_bundle_serves_and_explains_the_columns_that_training_saw(task: Task, tmp_path: Path) -> None:
    asked = replace(task, options=replace(task.options, surprise=True))
    made: Candidate = adapt(asked, "boosted", frauds_counted=15, rows_counted=300)
    rows = shop(200, seed=11).features
    version = export_bundle(
        tmp_path, made, identity=Identity("f" * 16, "a" * 16), created_at=datetime(2026, 1, 2, tzinfo=UTC),
        parent=1, policy=Policy.default("EUR").model_dump_json().encode(),
    )  # fmt: skip
    loaded = tf.saved_model.load(str(tmp_path / "candidates" / str(version)))
    served = loaded.signatures["serve"](features=tf.constant(rows))["score"].numpy()
    module = ServingModule(made)
    np.testing.assert_allclose(served, module.serve(tf.constant(rows))["score"].numpy(), atol=1e-6)
    told = loaded.signatures["explain"](features=tf.constant(rows))["contributions"].numpy()
    assert told.shape == rows.shape
    spread = told.sum(axis=1) - told.sum(axis=1).mean()
    logits = np.log(served / (1 - served))
    assert np.corrcoef(spread, logits)[0, 1] > 0.99


def test_a_widened_base_keeps_what_its_trees_and_nets_say(task: Task, surprise: Surprise) -> None:
    from training.modelling.self_supervised.surprise import widened_base

    rows = task.unlabelled[:300]
    wide = surprise.widen(rows)
    base = widened_base(task.base, surprise, wide)
    assert base.names == (*COLUMNS, *NAMES)
    before, after = (booster_logits(b.trees, r, b.kinds) for b, r in ((task.base, rows), (base, wide)))
    np.testing.assert_array_equal(before, after)
    narrow, wider = (predict(b.teacher(0, seed=1), r) for b, r in ((task.base, rows), (base, wide)))
    np.testing.assert_allclose(narrow, wider, atol=1e-4)


def test_auto_weighs_a_net_that_saw_all_rows_first_where_it_is_asked_to(task: Task) -> None:
    asked = replace(task, options=replace(task.options, weigh_self_supervised=True))
    usable = list(range(len(COLUMNS)))
    assert set(members(asked, usable)) - set(members(task, usable)) == {"self_supervised"}
    net = members(asked, usable)["self_supervised"](asked)
    test = shop(2_000, seed=12)
    assert toy.auc(test, net(test.features)) > 0.8


def test_hidden_values_are_learnt_from_the_others(task: Task) -> None:
    """The loss of a net that was pre-trained is below that of one that was not."""
    from training.modelling.self_supervised.masked_features import Reconstruction
    from training.modelling.train_loop import fit

    rows = task.unlabelled
    hidden = np.random.default_rng(1).random(rows.shape) < 0.4
    net = build_net(task.base.encoding, features=len(COLUMNS), seed=1, options=task.base.net_options)
    decoders = Reconstruction(task.base.encoding, task.base.net_options.width, ignored=[], seed=1)
    loss = partial(decoders.loss, net, tf.constant(rows), tf.constant(hidden))
    start = float(loss())
    moving = [*net.extractor.trainable_variables, *decoders.trainable_variables]
    draws = {"rows": np.tile(np.arange(256), (80, 1))}
    fit(
        lambda batch, _: decoders.loss(net, batch["rows"]["features"], batch["rows"]["hidden"]),
        moving, {"rows": {"features": rows[:256], "hidden": hidden[:256]}}, draws, options=QUICK.fit,
    )  # fmt: skip
    assert float(loss()) < 0.8 * start
