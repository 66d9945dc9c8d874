"""Before go-live: what a target's own past says a model would have caught, day by day, with and without transfer.

At each number of days since launch a model learns from the labels received by then and ranks the payments after it,
whose labels are known by now. "Without" is boosted trees on the target alone, what one would do without a source.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.policy import Policy
from training.adapt import adapt
from training.datasets import Dataset, InvalidDataset
from training.evaluate import to_scored
from training.fitting import Progress, quiet
from training.ledger import DAY_US, Ledger
from training.model import predict
from training.pretrained import Base
from training.sample import MIN_FRAUDS, Sample
from training.scores import Scored, at_policy, recall_at_review
from training.scores_bootstrap import Interval, difference
from training.strategies.task import AdaptOptions, Task

Floats = npt.NDArray[np.float64]

DAYS: Final = (14, 30, 60, 90)
ALONE: Final = "target_only"


@dataclass(frozen=True, slots=True)
class Point:
    """One number of days since launch; figures are None where there were too few labels to learn alone.

    Attributes:
        days: since launch.
        labels, frauds: known then.
        test_frauds: in the payments after it.
        recall, recall_alone: at 1 % review, with and without transfer.
        money, money_alone: saved per 1,000 orders.
    """

    days: int
    labels: int
    frauds: int
    test_frauds: int
    recall: float | None
    recall_alone: float | None
    money: float | None
    money_alone: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """All points, and whether to transfer."""

    points: tuple[Point, ...]
    transfer: bool
    reason: str

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {"transfer": self.transfer, "reason": self.reason, "points": [asdict(point) for point in self.points]}


def forecast(
    base: Base,
    target: Dataset,
    ledger: Ledger,
    policy: Policy,
    *,
    strategy: str,
    seed: int,
    days: Sequence[int] = DAYS,
    horizon_days: int = 30,
    teachers: int = 1,
    progress: Progress = quiet,
) -> Forecast:
    """The forecast from a target's past.

    Args:
        base: the pre-trained model.
        target: its payments, risk features left out, labels as known by now.
        ledger: labels as they were received.
        policy: what mistakes cost.
        strategy: the transfer.
        seed: of everything drawn.
        days: since launch.
        horizon_days: how far after each day payments are ranked.
        teachers: nets to train.
        progress: told what is going on.

    Raises:
        InvalidDataset: the past is too short, or holds too few frauds.
    """
    launch = int(target.time.min())
    points, pairs = [], []
    for day in days:
        now = launch + day * DAY_US
        ahead = target.between(now, now + horizon_days * DAY_US).labelled()
        if ahead.frauds < MIN_FRAUDS:
            continue
        past = target.between(None, now).with_labels(ledger, now)
        scores = {
            name: _scores(base, past, ahead, name, seed=seed, teachers=teachers, progress=progress)
            for name in (strategy, ALONE)
        }
        with_it, alone = (None if held is None else to_scored(ahead, held) for held in scores.values())
        points.append(_point(day, past, ahead, with_it, alone, policy=policy))
        if with_it is not None and alone is not None:
            pairs.append((with_it, alone.score))
    if not points:
        raise InvalidDataset("the target's past is too short for a forecast: no period after a day holds three frauds")
    return Forecast(tuple(points), *decide(pairs, seed=seed))


def decide(pairs: Sequence[tuple[Scored, Floats]], *, seed: int) -> tuple[bool, str]:
    """Whether to transfer, and why, from scores with and without it on the same payments."""
    if not pairs:
        return True, "transfer: there were never enough labels to learn from the target alone"
    gaps: list[Interval] = [difference(scored, other, "average_precision", seed=seed) for scored, other in pairs]
    value = float(np.mean([gap.value for gap in gaps]))
    low, high = float(np.mean([gap.low for gap in gaps])), float(np.mean([gap.high for gap in gaps]))
    said = f"average precision with transfer minus without: {value:+.3f} ({low:+.3f} to {high:+.3f})"
    if high < 0:
        return False, f"do not transfer: {said}"
    return True, f"transfer: {said}" if low > 0 else f"transfer, though the evidence is thin: {said}"


def _scores(
    base: Base, past: Dataset, ahead: Dataset, strategy: str, *, seed: int, teachers: int, progress: Progress
) -> Floats | None:
    """Calibrated scores of the payments ahead; None when the labels do not suffice."""
    sample = Sample.of(past)
    cold = sample.frauds < MIN_FRAUDS or sample.frauds == len(sample)
    if cold and strategy == ALONE:
        return None
    # Before the first labels the source's own rows calibrate, and the net stays as it was pre-trained.
    task = Task(base, base.held_out if cold else sample, past.features, seed, AdaptOptions(teachers=teachers), progress)
    counted = (0, 0) if cold else (sample.frauds, len(past))
    made = adapt(task, "source_only" if cold else strategy, frauds_counted=counted[0], rows_counted=counted[1])
    logits = made.calibration(predict(made.scorer, ahead.features))
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)


def _point(
    day: int, past: Dataset, ahead: Dataset, scored: Scored | None, alone: Scored | None, *, policy: Policy
) -> Point:
    empty = Point(day, int(past.observed.sum()), past.frauds, ahead.frauds, None, None, None, None)
    if scored is not None:
        recall, money = _worth(scored, policy)
        empty = replace(empty, recall=recall, money=money)
    if alone is not None:
        recall, money = _worth(alone, policy)
        empty = replace(empty, recall_alone=recall, money_alone=money)
    return empty


def _worth(scored: Scored, policy: Policy) -> tuple[float | None, float]:
    money = at_policy(scored, policy)["net_money_per_1000"]
    return recall_at_review(scored, 0.01), float(money or 0.0)
