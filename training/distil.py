"""Distillation of teachers (nets and trees) into one small net that is quick enough to serve.

The student sees no label: at every row of the pool it learns the teachers' mean logit, t = mean(nets, aligned trees),

    L = CE(σ(student), σ(t)) + λ · Huber(student − t)

(Hinton et al. 2015; Ba & Caruana 2014.) The pool is source rows and *all* unlabelled target rows, so that the student
agrees with its teachers where it will be used; half of each batch comes from the rows that the teachers find riskiest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from training.encoder import FEW_QUANTILES, EncodingOptions, fit_encoding
from training.fitting import FitOptions, Report, Rows, fit, silent
from training.losses import logit_distance, soft_cross_entropy
from training.model import STUDENT, FraudNet, NetOptions, build_net
from training.sample import Floats, uniform


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """Size and schooling of the student.

    Attributes:
        columns: features it may read, the ones that the trees gain most from; scoring time grows with them.
        steps, batch: of its training.
        risky: share of the pool that counts as risky and makes up half of each batch.
        huber: λ.
        net, encoding, fit: of the parts.
    """

    columns: int = 64
    steps: int = 2000
    batch: int = 512
    risky: float = 0.05
    huber: float = 0.1
    net: NetOptions = STUDENT
    encoding: EncodingOptions = field(default_factory=lambda: EncodingOptions(quantiles=FEW_QUANTILES, buckets=256))
    fit: FitOptions = field(default_factory=lambda: FitOptions(learning_rate=4e-3, weight_decay=1e-5))


def distil(
    parts: Sequence[Floats],
    teacher: Floats,
    *,
    kinds: Sequence[str],
    columns: Sequence[int],
    seed: int,
    options: DistilOptions = DistilOptions(),
    report: Report = silent,
) -> FraudNet:
    """A student of the given logits.

    Args:
        parts: the pool's feature arrays, [n_i, d]; each has the same say in where the bins lie.
        teacher: logits of the pool's rows, float32 [Σ n_i].
        kinds: of the features.
        columns: that the student reads.
        seed: of everything drawn.
        options: see there.
        report: told the share of steps done.
    """
    encoding = fit_encoding(parts, kinds, options=options.encoding, columns=columns, seed=seed)
    student = build_net(encoding, features=len(kinds), seed=seed, options=options.net)
    pool: dict[str, npt.NDArray[Any]] = {"features": np.concatenate(parts), "teacher": teacher}
    risky = np.argsort(teacher)[-max(round(options.risky * len(teacher)), 1) :]
    half = options.batch // 2
    draws = np.concatenate(
        [
            uniform(len(teacher), steps=options.steps, batch=half, seed=seed),
            risky[uniform(len(risky), steps=options.steps, batch=half, seed=seed + 1)],
        ],
        axis=1,
    )

    def loss(batch: dict[str, Rows], _share: object) -> Any:  # noqa: ANN401  # a tensor
        import tensorflow as tf

        rows = batch["pool"]
        logits = student(rows["features"], training=True)
        soft = soft_cross_entropy(logits, tf.sigmoid(rows["teacher"]))
        return soft + options.huber * logit_distance(logits, rows["teacher"])

    fit(
        loss,
        student.trainable_variables,
        {"pool": pool},
        {"pool": draws},
        options=options.fit,
        seed=seed,
        report=report,
    )
    return student


def align(logits: Floats, reference: Floats) -> Floats:
    """Gives `logits` [n] the mean and spread of `reference` [n]: trees and nets speak at different scales."""
    spread = float(reference.std()) / max(float(logits.std()), 1e-6)
    return np.asarray((logits - logits.mean()) * spread + reference.mean(), np.float32)


def most_useful(booster: lightgbm.Booster, count: int) -> list[int]:
    """The features that trees gain most from, at most `count`, those without any gain left out; sorted."""
    gain = np.asarray(booster.feature_importance("gain"))
    order = np.argsort(-gain, kind="stable")[:count]
    return sorted(int(i) for i in order if gain[i] > 0) or [int(order[0])]
