"""Before go-live: what a target's own past says a model would have caught, day by day, with and without transfer.

At each number of days since launch a model learns from the labels received by then and ranks the payments after it,
whose labels are known by now. "Without" is boosted trees on the target alone, what one would do without a source.

It is a look back, not a promise: it holds as far as the time to come is like the past, risk tables are left out, and
frauds that nobody has reported yet count as genuine once they are old enough.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from fraud.decisions.policy import Policy
from training.data.dataset import (
    Dataset,
)
from training.data.errors import (
    InvalidDataset,
)
from training.data.sample import MIN_FRAUDS, Sample
from training.evaluation.bootstrap import Interval, difference
from training.evaluation.evaluate import to_scored
from training.evaluation.scores import ENOUGH_FRAUDS, Scored, at_policy, recall_at_review
from training.labels.ledger import DAY_US, Ledger
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.inputs import matched
from training.modelling.network import predict
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import Progress, quiet

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
        gain: average precision with transfer minus without, and the ends of its 90 % interval.
    """

    days: int
    labels: int
    frauds: int
    test_frauds: int
    recall: float | None
    recall_alone: float | None
    money: float | None
    money_alone: float | None
    gain: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """All points, and whether to transfer."""

    points: tuple[Point, ...]
    transfer: bool
    reason: str

    @property
    def underpowered(self) -> bool:
        """Whether the frauds ahead are too few to tell a small gain from chance."""
        return max(point.test_frauds for point in self.points) < ENOUGH_FRAUDS

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        points = [asdict(point) for point in self.points]
        return {
            "transfer": self.transfer, "reason": self.reason, "underpowered": self.underpowered, "points": points
        }  # fmt: skip


def forecast(
    base: Base,
    target: Dataset,
    ledger: Ledger,
    policy: Policy,
    *,
    strategy: str,
    seed: int,
    days: Sequence[int],
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
        strategy: the transfer; not `ALONE`, which it is compared with.
        seed: of everything drawn.
        days: since launch.
        horizon_days: how far after each day payments are ranked.
        teachers: nets to train.
        progress: told what is going on.

    Raises:
        InvalidDataset: the past is too short, or holds too few frauds.
    """
    base = matched(base, target)
    launch = int(target.time.min())
    points, gains = [], []
    for day in days:
        now = launch + day * DAY_US
        ahead = target.between(now, now + horizon_days * DAY_US).labelled()
        if ahead.frauds < MIN_FRAUDS:
            continue
        past = target.between(None, now).with_labels(ledger, now)

        def tell(what: str, share: float, day: int = day) -> None:
            progress(f"day {day}: {what}", share)

        with_it, alone = (
            _scored(base, past, ahead, name, seed=seed, teachers=teachers, progress=tell) for name in (strategy, ALONE)
        )
        assert with_it is not None  # noqa: S101  # for mypy: only `ALONE` can lack labels
        gain = None if alone is None else difference(with_it, alone.score, "average_precision", seed=seed)
        gains += [] if gain is None else [gain]
        points.append(_point(day, past, ahead, with_it, alone, gain=gain, policy=policy))
    if not points:
        raise InvalidDataset("the target's past is too short for a forecast: no period after a day holds three frauds")
    return Forecast(tuple(points), *decide(gains))


def decide(gains: Sequence[Interval]) -> tuple[bool, str]:
    """Whether to transfer, and why, from each day's gain in average precision.

    Days share payments, so their intervals are averaged, not narrowed.
    """
    if not gains:
        return True, "transfer: there were never enough labels to learn from the target alone"
    value, low, high = (float(np.mean([getattr(gain, end) for gain in gains])) for end in ("value", "low", "high"))
    said = f"average precision with transfer minus without: {value:+.3f} ({low:+.3f} to {high:+.3f})"
    if high < 0:
        return False, f"do not transfer: {said}"
    return True, f"transfer: {said}" if low > 0 else f"transfer, though the evidence is thin: {said}"


def _scored(
    base: Base, past: Dataset, ahead: Dataset, strategy: str, *, seed: int, teachers: int, progress: Progress
) -> Scored | None:
    """The payments ahead with calibrated scores; None when the labels do not suffice to learn alone."""
    sample = Sample.of(past)
    cold = sample.frauds < MIN_FRAUDS or sample.frauds == len(sample)
    if cold and strategy == ALONE:
        return None
    # Before the first labels the source's own rows calibrate, and the net stays as it was pre-trained.
    task = Task(base, base.held_out if cold else sample, past.features, seed, AdaptOptions(teachers=teachers), progress)
    counted = (0, 0) if cold else (sample.frauds, len(past))
    made = adapt(task, "source_only" if cold else strategy, frauds_counted=counted[0], rows_counted=counted[1])
    logits = made.calibration(predict(made.scorer, ahead.features))
    return to_scored(ahead, np.asarray(1 / (1 + np.exp(-logits)), np.float64))


def _point(
    day: int,
    past: Dataset,
    ahead: Dataset,
    with_it: Scored,
    alone: Scored | None,
    *,
    gain: Interval | None,
    policy: Policy,
) -> Point:
    recall, money = _worth(with_it, policy)
    recall_alone, money_alone = (None, None) if alone is None else _worth(alone, policy)
    return Point(
        day,
        int(past.observed.sum()),
        past.frauds,
        ahead.frauds,
        recall,
        recall_alone,
        money,
        money_alone,
        None if gain is None else (gain.value, gain.low, gain.high),
    )


def _worth(scored: Scored, policy: Policy) -> tuple[float | None, float | None]:
    money = at_policy(scored, policy)["net_money_per_1000"]
    return recall_at_review(scored, 0.01), None if money is None else float(money)
