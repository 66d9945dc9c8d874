"""The policy of a shop: its own costs or the default ones, reviews paced like its payments."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fraud.decisions.policy import InvalidPolicy, Policy
from fraud.decisions.review_budget import HOURS, MONDAY_US, Capacity
from fraud.units import HOUR_US
from training.data.dataset import (
    Dataset,
)
from training.data.errors import (
    InvalidDataset,
)


def shop_policy(data: Dataset, file: Path | None, reviews_per_day: float | None = None) -> Policy:
    """The shop's own policy or the default one, with the review capacity paced like the target's payments."""
    try:
        own = Policy.parse(file.read_bytes()) if file else Policy.default(data.identity.platform.base_currency)
    except InvalidPolicy as error:
        raise InvalidDataset(f"{file}: {error}") from None
    if own.base_currency != data.identity.platform.base_currency:
        raise InvalidDataset(
            f"{file}: money in {own.base_currency}, features in {data.identity.platform.base_currency}"
        )
    if reviews_per_day is None:
        return own
    capacity = Capacity(per_day=reviews_per_day, weights=hourly_weights(data.time))
    return Policy.from_costs(
        own.costs,
        base_currency=own.base_currency,
        actions=own.actions,
        flag_from=own.flag_from,
        review_capacity=capacity,
    )


def hourly_weights(time: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """Share of payments in each hour of the week (UTC, from Monday), smoothed by one payment an hour."""
    hour = (time - MONDAY_US) // HOUR_US % HOURS
    counts = np.bincount(hour, minlength=HOURS) + 1.0
    return tuple(float(round(w, 6)) for w in counts / counts.mean())
