"""Adaptation: a base, a few target labels and a strategy give a calibrated candidate."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.models.bundle import TrainedOn
from training.data.errors import (
    InvalidDataset,
)
from training.data.sample import Floats, check_trainable, row_keys, some_rows
from training.modelling.calibration import Calibration, estimate_prior, fit_calibration
from training.modelling.columns.checks import column_warnings
from training.modelling.contributions import reference_row
from training.modelling.export import Candidate, golden_rows
from training.modelling.network import predict
from training.modelling.self_supervised.surprise import Widened, fit_surprise, widened_base
from training.modelling.strategies import STRATEGIES
from training.modelling.strategies.task import Adapted, Strategy, Task
from training.modelling.train_loop import make_deterministic
from training.registry.learnt import code_version

CALIBRATION_WEIGHT: Final = 30.0
"""The held-out source rows count in the calibration's shape as if they had so many frauds."""

CALIBRATION_ROWS: Final = 50_000
"""Of the target, at most, for the calibration's height."""

ENOUGH_UNSEEN: Final = 1_000
"""Unlabelled rows from which on the calibration's height needs no labelled ones beside them."""


def strategy_named(name: str) -> Strategy:
    """The strategy of that name; its module is imported now.

    Raises:
        InvalidDataset: there is none of that name.
    """
    if name not in STRATEGIES:
        raise InvalidDataset(f"strategy {name!r} does not exist; choose one of {', '.join(STRATEGIES)}")
    module, _, attribute = STRATEGIES[name].partition(":")
    function: Strategy = getattr(import_module(module), attribute)
    return function


def adapt(task: Task, strategy: str, *, frauds_counted: float, rows_counted: float) -> Candidate:
    """Runs a strategy and calibrates what it gives for the target.

    Args:
        task: base, labelled target rows, unlabelled target rows, seed.
        strategy: one of `STRATEGIES`.
        frauds_counted: frauds in a uniform count of target rows, for its fraud rate; the labelled rows themselves may
            hold more than their share.
        rows_counted: rows of that count.

    Raises:
        InvalidDataset: nothing can be learnt from the labels.
    """
    check_trainable(task.target, "target")
    if task.target.features.shape[1] != len(task.base.names):
        raise InvalidDataset(
            f"the target has {task.target.features.shape[1]} features, the base {len(task.base.names)}: "
            "build both with the same code"
        )
    make_deterministic(task.seed)
    adapted = run(task, strategy)
    prior = estimate_prior(frauds_counted, rows_counted, task.base.source_prior)
    task.progress("calibration", 0.0)
    calibration = calibrate(task, adapted, prior)
    task.progress("calibration", 1.0)
    return Candidate(
        scorer=adapted.scorer,
        calibration=calibration,
        reference=reference_row(task.unlabelled[:20_000], task.base.kinds),
        names=task.base.names,
        golden=golden_rows(task.unlabelled, seed=task.seed),
        strategy=strategy,
        seed=task.seed,
        prior=prior,
        trained_on=TrainedOn(
            since=_iso(task.target.time[0]),
            until=_iso(task.target.time[-1]),
            rows=len(task.target),
            frauds=task.target.frauds,
            options=asdict(task.options),
            code=code_version(),
        ),
        report=_report(task, strategy, adapted.why, calibration, prior=prior),
    )


def run(task: Task, strategy: str) -> Adapted:
    """What a strategy makes of a task, uncalibrated; on wider rows where surprise is asked for and there is any."""
    function = strategy_named(strategy)
    if not task.options.surprise:
        return function(task)
    base = task.base
    surprise = fit_surprise(
        base.names, base.kinds, base.source.features, task.unlabelled,
        seed=task.seed, report=partial(task.progress, "expectations of a payment"),
    )  # fmt: skip
    if surprise is None:
        return function(task)
    unlabelled = surprise.widen(task.unlabelled)
    target = replace(task.target, features=surprise.widen(task.target.features))
    wider = replace(task, base=widened_base(base, surprise, unlabelled), target=target, unlabelled=unlabelled)
    adapted = function(wider)
    return replace(adapted, scorer=Widened(adapted.scorer, surprise), why=f"{adapted.why}; surprise in every row")


def calibrate(task: Task, adapted: Adapted, prior: float) -> Calibration:
    """Shape from held-out source rows and the labelled target rows, height from the unlabelled target rows."""
    held_out, target = task.base.held_out, task.target
    target_logits = predict(adapted.scorer, target.features) if adapted.held_out is None else adapted.held_out
    known = ~np.isnan(target_logits)
    source_logits = predict(adapted.scorer, held_out.features)
    source_weight = min(CALIBRATION_WEIGHT / max(held_out.frauds, 1), 1.0)
    return fit_calibration(
        np.concatenate([target_logits[known], source_logits]),
        np.concatenate([target.label[known], held_out.label]),
        _weights(target.weight[known], len(held_out), source_weight),
        unseen_logits(task, adapted),
        prior,
    )


def unseen_logits(task: Task, adapted: Adapted) -> Floats:
    """Logits of target rows as they come, but for those that the model learnt by heart.

    Trees are sure of the frauds that they were shown: with those among them a handful would make up the whole fraud
    rate, and nothing would be left for payments to come. Where (nearly) every row is labelled, their held-out logits
    stand for them, if there are any.
    """
    rows = some_rows(task.unlabelled, CALIBRATION_ROWS, seed=task.seed)
    unseen = ~np.isin(row_keys(rows), row_keys(task.target.features))
    if np.count_nonzero(unseen) >= ENOUGH_UNSEEN:
        return predict(adapted.scorer, rows[unseen])
    return predict(adapted.scorer, rows) if adapted.held_out is None else adapted.held_out[~np.isnan(adapted.held_out)]


def _report(task: Task, strategy: str, why: str, calibration: Calibration, *, prior: float) -> dict[str, object]:
    """What `metrics.json` says of an adaptation."""
    return {
        "strategy": strategy,
        "why": why,
        "labels": len(task.target),
        "frauds": task.target.frauds,
        "warnings": column_warnings(task.target, task.unlabelled, task.base.names, task.base.kinds),
        "prior": prior,
        "source_prior": task.base.source_prior,
        "calibration": {
            "knots": calibration.knots.tolist(),
            "slopes": calibration.slopes.tolist(),
            "height": calibration.height,
        },
    }


def _weights(target: Floats, source: int, source_weight: float) -> npt.NDArray[np.float64]:
    return np.concatenate([target.astype(np.float64), np.full(source, source_weight)])


def _iso(time_us: np.int64) -> str:
    return datetime.fromtimestamp(int(time_us) / 1e6, UTC).isoformat(timespec="seconds")
