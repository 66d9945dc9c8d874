"""Distillation of teachers (nets and trees) into one small net that is quick enough to serve.

The student sees no label: at every row of the pool it learns the teachers' mean logit, t = mean(nets, aligned trees),

    L = CE(σ(student), σ(t)) + λ · Huber(student − t)

(Hinton et al. 2015; Ba & Caruana 2014.) The pool is source rows and *all* unlabelled target rows, so that the student
agrees with its teachers where it will be used; half of each batch comes from the rows that the teachers find riskiest.

Risky rows are few, and a student that has only those learns them by heart. So the pool gets rows that never happened: a
risky row with each value exchanged, at some rate, for another row's, and the teachers score that too (Bucilă, Caruana &
Niculescu-Mizil 2006, "Model Compression").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from training.data.sample import Floats, uniform
from training.modelling.encoder import FEW_QUANTILES, EncodingOptions, fit_encoding
from training.modelling.losses import logit_distance, soft_cross_entropy
from training.modelling.network import STUDENT, FraudNet, NetOptions, build_net
from training.modelling.train_loop import FitOptions, Report, Rows, fit, silent

FEWEST: Final = 50

Teacher: TypeAlias = Callable[[Floats], Floats]
"""Features [n, d] -> logits [n]."""


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """Size and schooling of the student.

    Attributes:
        steps, batch: of its training.
        risky: share of the real rows that counts as risky.
        mixed_rows: invented rows, two thirds of them risky with risky, the rest risky with any row.
        mix_rate: share of an invented row's values that come from the other row.
        huber: λ.
        net, encoding, fit: of the parts.
    """

    steps: int = 2000
    batch: int = 512
    risky: float = 0.05
    mixed_rows: int = 90_000
    mix_rate: float = 0.3
    huber: float = 0.1
    net: NetOptions = STUDENT
    encoding: EncodingOptions = field(default_factory=lambda: EncodingOptions(quantiles=FEW_QUANTILES, buckets=256))
    fit: FitOptions = field(default_factory=lambda: FitOptions(learning_rate=4e-3, weight_decay=1e-5))


def distil(
    parts: Sequence[Floats],
    teacher: Teacher,
    *,
    kinds: Sequence[str],
    seed: int,
    options: DistilOptions = DistilOptions(),
    report: Report = silent,
) -> FraudNet:
    """A student of the given teacher.

    Args:
        parts: the pool's feature arrays, [n_i, d]; each has the same say in where the bins lie.
        teacher: features [n, d] -> logits [n].
        kinds: of the features.
        seed: of everything drawn.
        options: see there.
        report: told the share of steps done.
    """
    encoding = fit_encoding(parts, kinds, options=options.encoding, seed=seed)
    student = build_net(encoding, features=len(kinds), seed=seed, options=options.net)
    real = np.concatenate(parts)
    logits = teacher(real)
    risky = np.argsort(logits, kind="stable")[-max(round(options.risky * len(real)), 1) :]
    mixed = mix(real, risky, options=options, seed=seed)
    pool: dict[str, npt.NDArray[Any]] = {
        "features": np.concatenate([real, mixed]),
        "teacher": np.concatenate([logits, teacher(mixed)]),
    }
    # Half of a batch as payments come, half risky or invented.
    special = np.concatenate([risky, np.arange(len(real), len(real) + len(mixed))])
    half = options.batch // 2
    common = uniform(len(real), steps=options.steps, batch=half, seed=seed)
    rare = special[uniform(len(special), steps=options.steps, batch=half, seed=seed + 1)]

    def loss(batch: dict[str, Rows], _share: object) -> Any:  # noqa: ANN401  # a tensor
        import tensorflow as tf

        rows = batch["pool"]
        guess = student(rows["features"], training=True)
        soft = soft_cross_entropy(guess, tf.sigmoid(rows["teacher"]))
        return soft + options.huber * logit_distance(guess, rows["teacher"])

    draws = {"pool": np.concatenate([common, rare], axis=1)}
    fit(loss, student.trainable_variables, {"pool": pool}, draws, options=options.fit, seed=seed, report=report)
    return student


def fidelity(truth: Floats, guess: Floats) -> float:
    """Share of the riskiest hundredth by `truth` [n] that is in the riskiest hundredth by `guess` [n].

    No label is needed. Of few rows it is the riskiest `FEWEST`, or a tenth.
    """
    count = max(round(0.01 * len(truth)), min(FEWEST, len(truth) // 10), 1)
    riskiest, found = (np.argsort(-logits, kind="stable")[:count] for logits in (truth, guess))
    return len(np.intersect1d(riskiest, found)) / count


def mix(rows: Floats, risky: npt.NDArray[np.intp], *, options: DistilOptions, seed: int) -> Floats:
    """Rows that never happened: risky ones with values of others, float32 [options.mixed_rows, d]."""
    rng = np.random.default_rng(seed)
    count = options.mixed_rows
    own = rng.choice(risky, count)
    other = np.where(rng.random(count) < 2 / 3, rng.choice(risky, count), rng.integers(len(rows), size=count))
    exchanged = rng.random((count, rows.shape[1]), dtype=np.float32) < options.mix_rate
    return np.where(exchanged, rows[other], rows[own])
