"""How late frauds are reported, as the loop sees it now."""

from typing import Final

import numpy as np

from training.labels.delay import DelayCurve, Reports, exposure
from training.labels.ledger import DAY_US
from training.loop.ledger_view import LedgerView

AGES: Final = (7, 30, 60, 90, 120, 180)
"""Days at which the curve is shown."""


def reports(view: LedgerView, source: DelayCurve | None) -> tuple[dict[int, float], dict[str, float]]:
    """The share of frauds that is reported by each age of `AGES`, and the rates of fraud; empty before any payment.

    Args:
        view: what is known.
        source: the curve of the base's source.
    """
    known = view.known.frame
    if known.empty:
        return {}, {}
    curve = DelayCurve.of(Reports.of(view.stream.ledger, view.now), source)
    shares = curve.share(np.array(AGES, np.int64) * DAY_US)
    frauds = float((1 / known["propensity"][known["label"] == 1]).sum())
    seen = exposure(curve, known["time"].to_numpy(np.int64), view.now)
    rates = {"reported": frauds / len(known), "corrected": frauds / seen if seen > 0 else 0.0}
    return dict(zip(AGES, map(float, shares), strict=True)), rates
