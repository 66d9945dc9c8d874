"""Fast signals that a new champion does something that nobody wants, long before chargebacks tell.

Alert volume, approval and the analysts' hit rate since it took over are compared with those before. What the former
champion, which goes on as a shadow, shows as well is the payments' doing and no reason to roll back.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from training.loop.state import ServingPeriod

VOLUME_FACTOR: Final = 2.0
"""Twice, or half, as many alerts as before."""

APPROVAL_DROP: Final = 0.02
HIT_RATE_FACTOR: Final = 0.5
MIN_DECISIONS: Final = 500
MIN_ALERTS: Final = 20
SURE: Final = 3.0
"""Standard errors."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What is seen within hours.

    Attributes:
        decisions: how many.
        alerts: share that was flagged.
        approved: share that was neither blocked nor challenged nor reviewed.
        verdicts: analysts' verdicts on alerts.
        hits: share of them that confirmed fraud.
    """

    decisions: int
    alerts: float
    approved: float
    verdicts: int
    hits: float


def signals(actions: "pd.Series[str]", verdicts: "pd.Series[str]") -> Signals:
    """Signals of some decisions.

    Args:
        actions: what was done, or would have been.
        verdicts: an analyst's verdict on each, "" where there is none.
    """
    flagged = (actions != "allow").to_numpy(bool)
    judged = flagged & (verdicts != "").to_numpy(bool)
    hit = (verdicts == "unauthorised").to_numpy(bool)[judged]
    share = float(flagged.mean()) if len(flagged) else 0.0
    return Signals(len(flagged), share, 1 - share, int(judged.sum()), float(hit.mean()) if judged.any() else 0.0)


def rollback_reason(
    decisions: pd.DataFrame, labels: pd.DataFrame, serving: ServingPeriod, *, budget: float | None = None
) -> str | None:
    """Why the champion must go back, or None.

    Args:
        decisions: frame of `training.loop.messages.DECISIONS`.
        labels: labels received so far, as they came.
        serving: the champion that is watched; alerts as often as the gate expected of it are no harm.
        budget: share of payments that the shop wants to look at; coming nearer to it is no harm.
    """
    if serving.former is None:
        return None
    analyst = labels[labels["source"] == "analyst"].drop_duplicates("transaction").set_index("transaction")["verdict"]
    verdicts = decisions["transaction"].map(analyst).astype(object).fillna("").astype(str)
    mine, theirs = decisions["version"] == serving.version, decisions["version"] == serving.former
    now = signals(decisions.loc[mine, "model_action"], verdicts[mine])
    before = signals(decisions.loc[theirs, "model_action"], verdicts[theirs])
    if min(now.decisions, before.decisions) < MIN_DECISIONS:
        return None
    shadowed = mine & (decisions["shadow_version"] == serving.former)
    shadow = signals(decisions.loc[shadowed, "shadow_action"], verdicts[shadowed])
    nearer = budget is not None and abs(now.alerts - budget) <= abs(before.alerts - budget)
    promised = serving.alerts is not None and serving.alerts[0] <= now.alerts <= serving.alerts[1]
    volume = None if nearer or promised else _volume(now, before)
    for finding, also in ((volume, _volume(shadow, before)), (_hits(now, before), _hits(shadow, before))):
        if finding and not (also and shadow.decisions >= MIN_DECISIONS):
            return finding
    return None


def _volume(now: Signals, before: Signals) -> str | None:
    """Alert volume, and with it approval."""
    error = np.sqrt(max(before.alerts, 1e-6) * (1 / max(now.decisions, 1) + 1 / max(before.decisions, 1)))
    sure = abs(now.alerts - before.alerts) > SURE * error
    factor = now.alerts / before.alerts if before.alerts else np.inf
    if sure and before.approved - now.approved > APPROVAL_DROP:
        return f"approval fell from {before.approved:.1%} to {now.approved:.1%}"
    if sure and not 1 / VOLUME_FACTOR <= factor <= VOLUME_FACTOR:
        return f"alerts went from {before.alerts:.2%} to {now.alerts:.2%} of payments"
    return None


def _hits(now: Signals, before: Signals) -> str | None:
    if min(now.verdicts, before.verdicts) < MIN_ALERTS:
        return None
    error = np.sqrt(before.hits * (1 - before.hits) * (1 / now.verdicts + 1 / before.verdicts))
    fell = now.hits < HIT_RATE_FACTOR * before.hits and before.hits - now.hits > SURE * error
    return f"analysts confirm {now.hits:.0%} of the alerts, were {before.hits:.0%}" if fell else None
