"""Toy models of two shops, small enough to train nets on in seconds: the target's payments are shifted source ones.

Fraud is a fast device on an odd card product. The target trades in larger numbers (covariate shift), has less fraud
(prior shift), and lacks one feature.
"""

import numpy as np
import numpy.typing as npt

from training.data.sample import Floats, Sample
from training.modelling.base import Base
from training.modelling.distillation import DistilOptions
from training.modelling.encoder import EncodingOptions
from training.modelling.network import NetOptions
from training.modelling.pretrain import PretrainOptions
from training.modelling.self_supervised.pretraining import SelfSupervisedOptions
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import FitOptions
from training.modelling.trees.boosting import BoostOptions

NAMES = ("speed", "amount", "age", "noise", "absent", "is_guest", "product", "merchant_category")
KINDS = ("number", "number", "number", "number", "number", "flag", "category", "category")
DAY_US = 86_400_000_000
TREES = BoostOptions(trees=15, leaves=7, min_leaf=5, threads=1)
FEW = BoostOptions(trees=60, leaves=7, min_leaf=5, threads=1)
SIZES = PretrainOptions(
    teachers=2,
    steps=80,
    batch=128,
    kept_rows=2_000,
    net=NetOptions(width=16, blocks=1, dropout=0.05, embedding_dropout=0.05),
    encoding=EncodingOptions(buckets=32, embedding=3),
    boost=TREES,
    fit=FitOptions(learning_rate=5e-3, mask_rate=0.05),
)
OPTIONS = AdaptOptions(
    teachers=2,
    steps=60,
    source_batch=64,
    target_batch=64,
    pool_rows=2_000,
    boost=TREES,
    few=FEW,
    threads=1,
    fit=FitOptions(learning_rate=3e-3),
    self_supervised=SelfSupervisedOptions(steps=150, batch=128),
    distil=DistilOptions(steps=150, batch=128, mixed_rows=1_000, encoding=EncodingOptions(buckets=32)),
)


def rows(count: int, *, seed: int, shifted: bool = False, rate: float = 0.06) -> Sample:
    """`count` payments of the source, or of the shifted target, in time order."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(count) < rate
    speed = rng.exponential(1.0 + 4.0 * fraud) * (3.0 if shifted else 1.0)
    usual = np.where(rng.random(count) < 0.4, 3, rng.integers(1, 12, count))
    product = np.where(fraud & (rng.random(count) < 0.6), 7, usual) * 1_000_003.0
    columns: list[npt.NDArray[np.float64]] = [
        speed,
        rng.lognormal(3.0, 1.0, count) * np.where(fraud, 1.5, 1.0),
        rng.exponential(200.0, count),
        rng.normal(size=count),
        np.full(count, np.nan) if shifted else speed + rng.normal(size=count),
        (rng.random(count) < np.where(fraud, 0.6, 0.2)).astype(np.float64),
        product,
        rng.integers(1, 2**24, count).astype(np.float64),
    ]
    features = np.stack(columns, axis=1).astype(np.float32)
    features[rng.random(count) < 0.1, 2] = np.nan
    time = np.arange(count, dtype=np.int64) * DAY_US // 100
    return Sample(features, fraud.astype(np.int8), time)


def target_task(base: Base, *, labels: int = 300, seed: int = 1, rate: float = 0.04) -> Task:
    """The adaptation of a base to the target with so many labels."""
    sample = rows(labels, seed=100 + seed, shifted=True, rate=rate)
    unlabelled = np.concatenate([sample.features, rows(1_500, seed=200 + seed, shifted=True, rate=rate).features])
    return Task(base, sample, unlabelled, seed, OPTIONS)


def target_test(*, rate: float = 0.04) -> Sample:
    """Later payments of the target."""
    return rows(4_000, seed=999, shifted=True, rate=rate)


def auc(sample: Sample, score: Floats) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(sample.label, score))
