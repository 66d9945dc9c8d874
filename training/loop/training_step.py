"""The training step of a run: what to learn from, strategy, candidate, and models that judge it and its baselines.

Every known fraud teaches, and every one judges: the candidate learns from all rows, and beside it as many models as
there are folds learn from all but their fold, with the same strategy. What these make of their own fold is what the
gate believes of the candidate. Folds keep components together (`training.data.components`), so that no model has seen
other victims of the ring that it is asked about. Stone, "Cross-Validatory Choice and Assessment of Statistical
Predictions", 1974. A model of a fold knows less than the candidate; so that this is no merit of the champion's, what it
had learnt is learnt again by models of the same folds.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import Policy
from training.data.dataset import Dataset
from training.data.sample import Floats as Features
from training.data.sample import Sample, some_rows
from training.data.training_rows import FraudRate, TrainingRows
from training.gate.paired_scores import in_its_time
from training.loop.config import LoopConfig
from training.modelling.adapt import adapt, strategy_named
from training.modelling.base import Base
from training.modelling.export import Candidate
from training.modelling.inputs import matched
from training.modelling.network import predict
from training.modelling.strategies.boosted import fit_pooled
from training.modelling.strategies.target_only import fit_alone
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import Progress, quiet
from training.modelling.trees.boosting import booster_logits

Floats: TypeAlias = npt.NDArray[np.float64]
Folds: TypeAlias = npt.NDArray[np.intp]
Fit: TypeAlias = Callable[[Task], Callable[[Features], npt.NDArray[np.floating]]]
"""Learns from a task; gives features [n, d] -> logits [n]."""

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
        ranks: float64 [n], of every payment in its time, by models that had not learnt from it; NaN where none is.
        baselines: name -> the same by boosted trees on the same labels.
    """

    candidate: Candidate
    strategy: str
    rows: int
    frauds: int
    ranks: Floats
    baselines: Mapping[str, Floats]


def train_candidate(
    base: Base,
    data: Dataset,
    taught: TrainingRows,
    rate: FraudRate,
    config: LoopConfig,
    *,
    seed: int,
    progress: Progress = quiet,
) -> TrainedCandidate:
    """Adapts the base to what is known, and ranks every payment by models that did not learn from it.

    Args:
        base: the pre-trained model.
        data: every payment.
        taught: those to learn from.
        rate: of fraud among the payments.
        config: strategy and limits.
        seed: of everything drawn.
        progress: told what is going on.
    """
    task, strategy = task_of(base, data, taught, config, seed=seed, progress=progress)
    candidate = adapt(task, strategy, frauds_counted=rate.frauds, rows_counted=rate.payments)
    if strategy == COLD_START:
        # The source's rows only calibrated: of the target nothing was learnt.
        nothing = {"rows": 0, "frauds": 0, "since": None, "until": None}
        candidate = replace(candidate, trained_on=candidate.trained_on.model_copy(update=nothing))
        scores = np.asarray(predict(candidate.scorer, data.features), np.float64)
        return TrainedCandidate(candidate, strategy, 0, 0, in_its_time(scores, data.time, config.budget), {})
    fold = folds(data, taught, config.folds)
    fits = {"": _fit_strategy(strategy), **(_BASELINES if config.baselines else {})}
    ranks = {name: cross_fitted(task, data, taught, fold, fit, budget=config.budget) for name, fit in fits.items()}
    return TrainedCandidate(candidate, strategy, taught.labelled, taught.sample.frauds, ranks.pop(""), ranks)


def retrained(
    base: Base,
    data: Dataset,
    taught: TrainingRows,
    then: TrainingRows,
    config: LoopConfig,
    *,
    strategy: str,
    seed: int,
    progress: Progress = quiet,
) -> Floats:
    """Ranks of n payments, as the candidate's, by models that learn what a former version had.

    Args:
        base: the pre-trained model.
        data: every payment.
        taught: what the candidate learns from; it makes the folds.
        then: what the former version learnt from.
        config: limits.
        strategy: of the former version.
        seed: as for the candidate, so that luck is shared.
        progress: told what is going on.
    """
    task, _ = task_of(base, data, then, config, seed=seed, progress=progress)
    fold = folds(data, taught, config.folds)
    return cross_fitted(task, data, then, fold, _fit_strategy(strategy), budget=config.budget)


def task_of(
    base: Base, data: Dataset, taught: TrainingRows, config: LoopConfig, *, seed: int, progress: Progress = quiet
) -> tuple[Task, str]:
    """What is to be learnt, and by which strategy: arguments as of `train_candidate`."""
    sample = taught.sample
    base = matched(base, data)
    cold = sample.frauds < config.min_frauds or sample.frauds == len(sample)
    # Without labels of its own the target borrows the source's held-out rows: they calibrate only.
    target = base.held_out if cold else sample
    options = AdaptOptions(teachers=config.teachers or len(base.teachers))
    unlabelled = some_rows(data.features, UNLABELLED_ROWS, seed=seed)
    return Task(base, target, unlabelled, seed, options, progress), COLD_START if cold else config.strategy


def folds(data: Dataset, taught: TrainingRows, count: int) -> Folds:
    """A fold for each payment, [n]: whole components, their frauds spread evenly, the largest first."""
    frauds = np.bincount(data.component, weights=np.isin(data.transaction, _frauds(taught)).astype(np.float64))
    fold, held = np.arange(len(frauds)) % count, np.zeros(count)
    for component in np.argsort(-frauds, kind="stable")[: int((frauds > 0).sum())]:
        fold[component] = int(held.argmin())
        held[fold[component]] += frauds[component]
    return np.asarray(fold[data.component], np.intp)


def cross_fitted(task: Task, data: Dataset, taught: TrainingRows, fold: Folds, fit: Fit, *, budget: float) -> Floats:
    """Ranks in their time of n payments by models that learnt from the other folds; NaN where no fraud was left."""
    scores = np.full(len(data), np.nan)
    fold_of_row = fold[_places(data, taught)]
    for number in range(int(fold.max()) + 1):
        rest = taught.sample.take(fold_of_row != number)
        if rest.frauds == 0:
            continue
        task.progress(f"judges, fold {number + 1}", 0.0)
        # One teacher: what is judged is the recipe, not how many copies of a net are averaged.
        part = replace(task, target=rest, options=replace(task.options, teachers=1))
        mine = fold == number
        scores[mine] = fit(part)(data.features[mine])
    return in_its_time(scores, data.time, budget, fold)


def ranks_of(data: Dataset, taught: TrainingRows, ranks: Floats, budget: float) -> Floats:
    """The ranks of the payments to learn from, in their order, as shares of the payments of their time."""
    return np.asarray(ranks[_places(data, taught)] + (1 - budget), np.float64)


def _places(data: Dataset, taught: TrainingRows) -> npt.NDArray[np.intp]:
    order = np.argsort(data.transaction)
    return np.asarray(order[np.searchsorted(data.transaction[order], taught.transaction)], np.intp)


def _frauds(taught: TrainingRows) -> npt.NDArray[np.uint64]:
    return np.asarray(taught.transaction[taught.sample.label == 1], np.uint64)


def _fit_strategy(name: str) -> Fit:
    def fit(task: Task) -> Callable[[Features], npt.NDArray[np.floating]]:
        scorer = strategy_named(name)(task).scorer
        return lambda features: predict(scorer, features)

    return fit


def _fit_trees(train: Callable[[Task, Sample], object]) -> Fit:
    def fit(task: Task) -> Callable[[Features], npt.NDArray[np.floating]]:
        trees = train(task, task.target)
        return lambda features: booster_logits(trees, features, task.base.kinds)

    return fit


_BASELINES: Final[Mapping[str, Fit]] = {
    "trees on source and target": _fit_trees(fit_pooled),
    "trees on the target": _fit_trees(fit_alone),
}


def policy_of(costs: Policy, candidate: Candidate, recent: Dataset, alert_share: float | None) -> Policy:
    """The shop's costs, with the score from which on at most `alert_share` of recent payments raise an alert."""
    if alert_share is None or len(recent) == 0:
        return costs
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
