"""Self-supervised pre-training of a net: hidden values and the next payment, of source and target rows alike.

    θ_f = argmin  Σ over {source, target}  L_hidden + L_next      no label is looked at

Fraud rates of risk tables are missing throughout: reports of fraud made them. Pre-training on all traffic and
fine-tuning on few labels: Booking.com 2024, arXiv 2405.13692.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.sample import Floats, uniform
from training.modelling.columns.raw import RISK_COLUMN
from training.modelling.network import FraudNet, build_auxiliary
from training.modelling.self_supervised.masked_features import Reconstruction
from training.modelling.self_supervised.next_event import (
    CLASSES,
    Questions,
    declined_class,
    history_columns,
    next_event_loss,
)
from training.modelling.train_loop import FitOptions, Report, Rows, fit, silent

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SelfSupervisedOptions:
    """What learning without labels costs.

    Attributes:
        steps, batch: of pre-training; half of a batch from each side.
        hidden: share of the values that are hidden and asked for.
        rows: of each side to learn from, at most.
        fit: how to descend.
    """

    steps: int = 600
    batch: int = 512
    hidden: float = 0.4
    rows: int = 100_000
    fit: FitOptions = field(default_factory=lambda: FitOptions(learning_rate=2e-3))


def unlabelled_pools(
    source: Floats, target: Floats, declined: Floats | None, options: SelfSupervisedOptions, *, seed: int
) -> tuple[dict[str, dict[str, Floats]], dict[str, npt.NDArray[np.int64]]]:
    """(rows by side, drawn row numbers by side): what a fit takes. An empty side is left out.

    Args:
        source: rows [n, d].
        target: rows [u, d].
        declined: of the target's rows, [u]; None where nobody knows.
        options: how many.
        seed: of the draws.
    """
    known = np.full(len(target), np.nan, np.float32) if declined is None else declined
    sides = {"source": (source, np.full(len(source), np.nan, np.float32)), "target": (target, known)}
    pools, draws = {}, {}
    for number, (side, (rows, answers)) in enumerate(sides.items()):
        if len(rows):
            rng = np.random.default_rng(seed + number)
            kept = np.sort(rng.permutation(len(rows))[: options.rows])
            pools[side] = {"features": rows[kept], "declined": answers[kept]}
            draws[side] = uniform(len(kept), steps=options.steps, batch=options.batch // 2, seed=seed + number)
    return pools, draws


def pretrain_net(
    net: FraudNet,
    names: tuple[str, ...],
    source: Floats,
    target: Floats,
    *,
    seed: int,
    declined: Floats | None = None,
    options: SelfSupervisedOptions = SelfSupervisedOptions(),
    report: Report = silent,
) -> None:
    """Trains a net's extractor; its head stays as it was.

    Args:
        net: new, or what it knows is forgotten.
        names: of the features.
        source: rows [n, d]; n may be 0.
        target: rows [u, d].
        seed: of everything drawn.
        declined: whether each target row's payment was declined, [u], NaN where not known; None: nobody knows.
        options: see there.
        report: told the share of steps done.
    """
    code, width = net.extractor.encoder.encoding, net.extractor.widen.units
    counted = [column for column, name in enumerate(names) if RISK_COLUMN.search(name)]
    decoders = Reconstruction(code, width, ignored=counted, seed=seed)
    questions = Questions.of(names, [part for part in (source, target) if len(part)])
    heads = build_auxiliary(width, {head: CLASSES[head] for head in (*questions.columns, "declined")}, seed=seed)
    everywhere = np.arange(len(names))
    barred = tf.constant(np.isin(everywhere, counted))
    present = tf.constant(~np.isin(everywhere, history_columns(names)))

    def loss(batch: dict[str, Rows], share: tf.Tensor) -> tf.Tensor:
        parts = []
        for number, rows in enumerate(batch.values()):
            features = tf.where(barred, tf.constant(np.nan, tf.float32), rows["features"])
            drawn = tf.stack([seed + number, tf.cast(share * MILLION, tf.int32)])
            hidden = tf.random.stateless_uniform(tf.shape(features), drawn) < options.hidden
            parts.append(decoders.loss(net, features, hidden))
            h, _ = net.represent(tf.where(present, tf.constant(np.nan, tf.float32), features), training=True)
            asked = questions.classes(features) | {"declined": declined_class(rows["declined"])}
            parts.append(next_event_loss({head: heads[head](h) for head in asked}, asked))
        return tf.add_n(parts)

    pools, draws = unlabelled_pools(source, target, declined, options, seed=seed)
    moving = [*net.extractor.trainable_variables, *decoders.trainable_variables]
    moving += [weight for head in heads.values() for weight in head.trainable_variables]
    fit(loss, moving, pools, draws, options=options.fit, seed=seed, report=report)
