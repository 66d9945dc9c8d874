"""The training step of a run: rows to learn from and rows to judge by, strategy, candidate, baselines."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import Policy
from training.data.dataset import Dataset
from training.data.sample import Sample, some_rows
from training.loop.config import LoopConfig
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.boosting import booster_logits
from training.modelling.export import Candidate
from training.modelling.inputs import matched
from training.modelling.strategies.boosted import fit_pooled
from training.modelling.strategies.target_only import fit_alone
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import Progress, quiet

Floats: TypeAlias = npt.NDArray[np.float64]

COLD_START: Final = "coral"
"""Without labels: align the unlabelled target with the source (docs/explanation/transfer.md)."""

UNLABELLED_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class TrainedCandidate:
    """What a candidate was made from, and what else the same labels could have made.

    Attributes:
        candidate: ready to be exported.
        strategy: how.
        rows, frauds: labelled rows and frauds among them.
        baselines: name -> log-odds of the judged rows by boosted trees on the same labels.
    """

    candidate: Candidate
    strategy: str
    rows: int
    frauds: int
    baselines: Mapping[str, Floats]


def held_out(customer: npt.NDArray[np.uint64], share: float) -> npt.NDArray[np.bool_]:
    """True for customers that only the gate sees; the same ones in every run. Shape [n]."""
    # Hashed ids are uniform; mixing keeps the choice apart from other uses of the same hash.
    mixed = customer * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(40)) < np.uint64(int(share * (1 << 24)))


def train_candidate(
    base: Base, learners: Dataset, judged: Dataset, config: LoopConfig, *, seed: int, progress: Progress = quiet
) -> TrainedCandidate:
    """Adapts the base to what is known.

    Args:
        base: the pre-trained model.
        learners: payments of customers that may be learnt from, labels as known.
        judged: rows that baselines are to score, for the gate.
        config: strategy and limits.
        seed: of everything drawn.
        progress: told what is going on.
    """
    sample = Sample.of(learners)
    base = matched(base, learners)
    cold = sample.frauds < config.min_frauds or sample.frauds == len(sample)
    # Without labels of its own the target borrows the source's held-out rows: they calibrate only.
    target = base.held_out if cold else sample
    options = AdaptOptions(teachers=config.teachers or len(base.teachers))
    unlabelled = some_rows(learners.features, UNLABELLED_ROWS, seed=seed)
    task = Task(base, target, unlabelled, seed, options, progress)
    strategy = COLD_START if cold else config.strategy
    frauds, rows = (0, 0) if cold else fraud_rate(learners)
    candidate = adapt(task, strategy, frauds_counted=frauds, rows_counted=rows)
    baselines = {} if cold or not config.baselines else _baselines(task, sample, judged)
    return TrainedCandidate(candidate, strategy, 0 if cold else len(sample), 0 if cold else sample.frauds, baselines)


def fraud_rate(data: Dataset) -> tuple[int, int]:
    """Known frauds and payments, over everything or over the younger half, whichever has more fraud.

    The younger half may hold a new pattern; it may also lack labels that are still to come.
    """
    middle = np.median(data.time) if len(data) else 0
    young = data.take(data.time >= middle)
    whole, late = (data.frauds, len(data)), (young.frauds, len(young))
    return max((whole, late), key=lambda counted: counted[0] / max(counted[1], 1))


def policy_of(costs: Policy, candidate: Candidate, recent: Dataset, alert_share: float | None) -> Policy:
    """The shop's costs, with the score from which on at most `alert_share` of recent payments raise an alert."""
    if alert_share is None or len(recent) == 0:
        return costs
    from training.modelling.network import predict

    calibrated = candidate.calibration(predict(candidate.scorer, recent.features))
    score = 1 / (1 + np.exp(-np.asarray(calibrated, np.float64)))
    return Policy.from_costs(
        costs.costs,
        base_currency=costs.base_currency,
        actions=costs.actions,
        flag_from=float(np.quantile(score, 1 - alert_share, method="higher")),
        review_capacity=costs.review_capacity,
    )


def run_seed(seed: int, number: int) -> int:
    """A seed for one run: fixed by the setting and the run's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big") >> 1


def _baselines(task: Task, sample: Sample, judged: Dataset) -> dict[str, Floats]:
    trees = {"trees on source and target": fit_pooled(task, sample), "trees on the target": fit_alone(task, sample)}
    kinds = task.base.kinds
    return {name: booster_logits(t, judged.features, kinds).astype(np.float64) for name, t in trees.items()}
