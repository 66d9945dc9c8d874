"""Before go-live: what a target's own past says a model would have caught, day by day, with and without transfer.

At each number of days since launch a model learns from what could have been known by then (`arrival` says what is
presumed where labels are late) and ranks the payments after it, whose labels are known by now. "Without" is boosted
trees on the target alone, what one would do without a source, or nothing at all where those had nothing to learn from.

It is a look back, not a promise: it holds as far as the time to come is like the past, risk tables are left out, and
frauds that nobody has reported yet count as genuine.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import Policy
from training.data.dataset import END_OF_TIME, Dataset
from training.data.errors import InvalidDataset
from training.data.sample import MIN_FRAUDS, Sample
from training.evaluation.arrival import Arrival, Known, known_at
from training.evaluation.bootstrap import Interval, difference
from training.evaluation.evaluate import to_scored
from training.evaluation.scores import ENOUGH_FRAUDS, Floats, Scored, money_saved, recall_at_review
from training.labels.ledger import DAY_US, Ledger
from training.modelling.adapt import adapt
from training.modelling.base import Base
from training.modelling.inputs import matched
from training.modelling.network import predict
from training.modelling.strategies.task import AdaptOptions, Task
from training.modelling.train_loop import Progress, quiet

Ends = tuple[float, float, float]
"""A value and the ends of its 90 % interval."""

ALONE: Final = "target_only"
DRAWS: Final = 400
"""Of the bootstrap of money."""


@dataclass(frozen=True, slots=True)
class Point:
    """One number of days since launch; figures "alone" are None where there were too few labels to learn alone.

    Attributes:
        days: since launch.
        labels, frauds: known then, presumed ones among the labels.
        presumed: labels that are presumed: silence that counts as genuine.
        test_frauds: in the payments after it.
        recall, recall_alone: at 1 % review, with and without transfer.
        money, money_alone: saved per 1,000 orders, against allowing everything.
        gain: average precision with transfer minus without; without labels, minus that of a blind guess.
        money_gain: money with transfer minus the better of alone and allowing everything, per 1,000 orders.
    """

    days: int
    labels: int
    frauds: int
    presumed: int
    test_frauds: int
    recall: float | None
    recall_alone: float | None
    money: float
    money_alone: float | None
    gain: Ends
    money_gain: Ends


@dataclass(frozen=True, slots=True)
class Forecast:
    """All points, whether to transfer, and what was assumed of the labels."""

    points: tuple[Point, ...]
    transfer: bool
    reason: str
    arrival: Arrival

    @property
    def underpowered(self) -> bool:
        """Whether the frauds ahead are too few to tell a small gain from chance."""
        return max(point.test_frauds for point in self.points) < ENOUGH_FRAUDS

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        points = [asdict(point) for point in self.points]
        return {
            "transfer": self.transfer, "reason": self.reason, "underpowered": self.underpowered, "points": points,
            "assumed": self.arrival.as_json(),
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
    arrival = Arrival.of(ledger, END_OF_TIME)
    points = []
    for day in days:
        now = launch + day * DAY_US
        ahead = target.between(now, now + horizon_days * DAY_US).labelled()
        if ahead.frauds < MIN_FRAUDS:
            continue
        known = known_at(target.between(None, now), ledger, now, arrival)

        def tell(what: str, share: float, day: int = day) -> None:
            progress(f"day {day}: {what}", share)

        with_it, alone = (
            _scored(base, known, ahead, name, seed=seed, teachers=teachers, progress=tell) for name in (strategy, ALONE)
        )
        assert with_it is not None  # noqa: S101  # for mypy: only `ALONE` can lack labels
        points.append(point_of(day, known, with_it, alone, policy=policy, seed=seed))
    if not points:
        raise InvalidDataset("the target's past is too short for a forecast: no period after a day holds three frauds")
    return Forecast(tuple(points), *decide(points), arrival)


def decide(points: Sequence[Point]) -> tuple[bool, str]:
    """Whether to transfer, and why: by money first, for that is what a shop is left with, then by ranking.

    Days share payments, so their intervals are averaged, not narrowed.
    """
    money = _mean([point.money_gain for point in points])
    warm = [point for point in points if point.money_alone is not None]
    ranking = _mean([point.gain for point in warm or points])
    rival = "the target alone" if warm else "a blind guess, for there were never enough labels to learn alone"
    said = (
        f"money {money[0]:+.1f} per 1,000 orders ({money[1]:+.1f} to {money[2]:+.1f}), "
        f"average precision {ranking[0]:+.3f} ({ranking[1]:+.3f} to {ranking[2]:+.3f}) against {rival}"
    )
    saved = float(np.mean([point.money for point in points]))
    if saved <= 0:
        loses = f"its decisions save nothing ({saved:+.1f} per 1,000 orders against allowing everything)"
        return False, f"do not transfer: {loses}; {said}"
    if money[2] < 0 or (ranking[2] < 0 and money[1] <= 0):
        return False, f"do not transfer: {said}"
    if money[1] > 0 or (ranking[1] > 0 and money[0] >= 0):
        return True, f"transfer: {said}"
    if money[0] > 0:
        return True, f"transfer, though the evidence is thin: {said}"
    return False, f"do not transfer, though the evidence is thin: {said}"


def _mean(intervals: Sequence[Ends]) -> Ends:
    value, low, high = (float(end) for end in np.mean(np.array(intervals), axis=0))
    return value, low, high


def _scored(
    base: Base, known: Known, ahead: Dataset, strategy: str, *, seed: int, teachers: int, progress: Progress
) -> Scored | None:
    """The payments ahead with calibrated scores; None when the labels do not suffice to learn alone."""
    sample = Sample.of(known.data)
    cold = sample.frauds < MIN_FRAUDS or sample.frauds == len(sample)
    if cold and strategy == ALONE:
        return None
    # Before the first labels the source's own rows calibrate, and the net stays as it was pre-trained.
    options = AdaptOptions(teachers=teachers)
    task = Task(base, base.held_out if cold else sample, known.data.features, seed, options, progress)
    counted = (0, 0) if cold else (sample.frauds, known.rows_counted)
    made = adapt(task, "source_only" if cold else strategy, frauds_counted=counted[0], rows_counted=counted[1])
    logits = made.calibration(predict(made.scorer, ahead.features))
    return to_scored(ahead, np.asarray(1 / (1 + np.exp(-logits)), np.float64))


def point_of(day: int, known: Known, with_it: Scored, alone: Scored | None, *, policy: Policy, seed: int) -> Point:
    """What one day came to."""
    saved, saved_alone = (None if scored is None else money_saved(scored, policy) for scored in (with_it, alone))
    assert saved is not None  # noqa: S101  # for mypy: only `alone` can be None
    rival = np.zeros_like(saved)
    if saved_alone is not None and saved_alone.sum() > 0:
        rival = saved_alone
    blind = np.zeros_like(with_it.score)
    gain = difference(with_it, blind if alone is None else alone.score, "average_precision", seed=seed)
    return Point(
        days=day,
        labels=int(known.data.observed.sum()),
        frauds=known.data.frauds,
        presumed=known.presumed,
        test_frauds=int(with_it.fraud.sum()),
        recall=recall_at_review(with_it, 0.01),
        recall_alone=None if alone is None else recall_at_review(alone, 0.01),
        money=float(saved.mean() * 1000),
        money_alone=None if saved_alone is None else float(saved_alone.mean() * 1000),
        gain=_ends(gain),
        money_gain=_mean_by_customer((saved - rival) * 1000, with_it.customer, seed=seed),
    )


def _ends(interval: Interval) -> Ends:
    return interval.value, interval.low, interval.high


def _mean_by_customer(values: Floats, customer: npt.NDArray[np.uint64], *, seed: int) -> Ends:
    """Mean of values [n] with the 90 % interval of a bootstrap that draws customers, as `bootstrap` does."""
    _, place = np.unique(customer, return_inverse=True)
    total, count = np.bincount(place, weights=values), np.bincount(place).astype(np.float64)
    rng = np.random.default_rng(seed)
    draws = (rng.poisson(1.0, len(count)) for _ in range(DRAWS))
    low, high = np.quantile([float(drawn @ total) / max(float(drawn @ count), 1.0) for drawn in draws], [0.05, 0.95])
    return float(values.mean()), float(low), float(high)
