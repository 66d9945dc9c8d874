"""Paces a daily capacity, such as reviews by analysts, over the hours of the week, by event time.

A token bucket: capacity accrues as event time passes, at the rate of each hour; one review takes one. The state is a
value, so the same events give the same decisions however they are batched.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fraud.units import DAY_US, HOUR_US

HOURS: Final = 168
_WEEK_US: Final = HOURS * HOUR_US
MONDAY_US: Final = 4 * DAY_US  # 1970-01-01 was a Thursday


class Capacity(BaseModel):
    """How many reviews a day, and how they spread over the week."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    per_day: Annotated[float, Field(gt=0)] = Field(description="reviews on an average day")
    weights: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (1.0,) * HOURS, description="relative staffing of each hour of the week, from Monday 0 h UTC"
    )
    burst_hours: Annotated[float, Field(gt=0)] = Field(
        4.0, description="unused capacity is kept for so many average hours"
    )

    @model_validator(mode="after")
    def _a_week(self) -> Self:
        if len(self.weights) != HOURS or not any(self.weights):
            raise ValueError(f"weights must be {HOURS} numbers, from Monday 0 h UTC, not all 0")
        return self

    @property
    def burst(self) -> float:
        """The most that can be saved up."""
        return max(self.per_day * self.burst_hours / 24, 1.0)

    def accrued(self, time_us: int) -> float:
        """Reviews that had become possible by a time, since 1970; only differences mean something."""
        weeks, within = divmod(time_us - MONDAY_US, _WEEK_US)
        hour, rest = divmod(within, HOUR_US)
        before = (0.0, *accumulate(self.weights))
        share = (before[hour] + self.weights[hour] * rest / HOUR_US) / before[-1]
        return (weeks + share) * self.per_day * 7


@dataclass(frozen=True, slots=True)
class ReviewBudget:
    """What is left of a capacity.

    Attributes:
        time: latest event time seen, µs; None before the first.
        tokens: reviews that are possible now.
    """

    time: int | None = None
    tokens: float = 0.0

    def take(self, time_us: int, capacity: Capacity) -> tuple[bool, "ReviewBudget"]:
        """Whether a review is possible at a time, and what is left. A first event finds the bucket full."""
        if self.time is None:
            tokens, latest = capacity.burst, time_us
        else:
            latest = max(self.time, time_us)
            tokens = min(capacity.burst, self.tokens + capacity.accrued(latest) - capacity.accrued(self.time))
        if tokens < 1:
            return False, ReviewBudget(latest, tokens)
        return True, ReviewBudget(latest, tokens - 1)
