"""The state of one input partition: its history, and where in the log that history stands."""

from dataclasses import dataclass, field

from fraud.decisions.exploration import Spent
from fraud.decisions.review_budget import ReviewBudget
from fraud.features.encoder import Encoder
from fraud.units import DAY_US


@dataclass(slots=True)
class Partition:
    """One partition's state; only the pipeline changes it.

    Attributes:
        encoder: its history behind the feature code.
        position: offset of the next record; None on a first start at the beginning of the log.
        history_from: time in µs that its history reaches back to, when that is less than the horizon; else None.
        review_budget: what is left of the review capacity.
        explored: money let through to learn on the present day.
    """

    encoder: Encoder
    position: int | None
    history_from: int | None = None
    review_budget: ReviewBudget = field(default_factory=ReviewBudget)
    explored: Spent = field(default_factory=Spent)

    def mature(self) -> None:
        """Forgets `history_from` once the history spans the horizon."""
        history = self.encoder.history
        newest = history.watermark
        horizon = history.config.horizon_days * DAY_US
        if self.history_from is not None and newest is not None and newest - horizon >= self.history_from:
            self.history_from = None
