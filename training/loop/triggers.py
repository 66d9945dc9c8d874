"""The triggers of a run: time, new frauds, drift."""

from training.loop.config import HOUR_US, LoopConfig
from training.loop.monitoring.drift import Drift
from training.loop.state import LoopState


def due(state: LoopState, now: int, *, frauds: int, labels: int, drift: Drift | None, config: LoopConfig) -> str | None:
    """Why a run is due now, or None.

    Without new labels there is nothing new to learn, so drift alone starts no run (it raises review sampling).

    Args:
        state: what the loop remembers.
        now: µs.
        frauds: frauds known now.
        labels: labels received by now.
        drift: how far things moved, where measured.
        config: the limits.
    """
    if state.unfinished is not None:
        return state.unfinished.why
    if state.last_run is None:
        return "the first run"
    since = now - state.last_run
    new_labels, new_frauds = labels - state.labels_then, frauds - state.frauds_then
    if since < config.cooldown or new_labels <= 0:
        return None
    moved = drift.beyond(psi=config.drift_psi, auc=config.drift_auc) if drift is not None else ""
    reasons = (
        (new_frauds >= config.new_frauds, f"{new_frauds} new frauds are known"),
        (since >= config.interval, f"{since / HOUR_US:.0f} hours since the last run, {new_labels} new labels"),
        (bool(moved), f"drift of {moved}, {new_labels} new labels"),
    )
    return next((reason for holds, reason in reasons if holds), None)
