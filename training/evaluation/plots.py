"""The plots of a report, each as SVG text to stand inside one HTML file."""

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final, TypeAlias

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from fraud.decisions.policy import Policy
from fraud.money import MICRO
from training.evaluation.scores import Scored, at_policy, reliability

Floats: TypeAlias = npt.NDArray[np.float64]

POINTS: Final = 400
"""Of a curve: more make the file large and show nothing."""

STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "fraudstream",  # same data, same bytes
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 9,
}


GENUINE: Final = "tab:blue"
FRAUD: Final = "tab:red"


def precision_recall(models: Mapping[str, Scored]) -> str:
    """Precision against recall, one line a model, and what drawing lots would give."""

    def draw(axes: Axes) -> None:
        for name, scored in models.items():
            precision, recall, _ = precision_recall_curve(scored.fraud, scored.score)
            keep = np.unique(np.linspace(0, len(recall) - 1, POINTS).astype(int))
            axes.plot(recall[keep], precision[keep], label=name, drawstyle="steps-post")
        rate = float(next(iter(models.values())).fraud.mean())
        axes.axhline(rate, color="0.6", linewidth=1, label=f"by lot ({rate:.2%})")
        axes.set(xlabel="recall: share of the frauds found", ylabel="precision: share of fraud in what is flagged")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))

    return _svg(draw, "Precision and recall")


def calibration(models: Mapping[str, Scored]) -> str:
    """Fraud rate against mean score in bins of equal size, on logarithmic axes."""

    def draw(axes: Axes) -> None:
        low = 1e-4
        axes.plot([low, 1], [low, 1], color="0.6", linewidth=1, label="perfect")
        for name, scored in models.items():
            curve = reliability(scored, bins=20)
            some = curve.rate > 0
            score = np.maximum(curve.score, low)
            (line,) = axes.plot(score[some], np.maximum(curve.rate[some], low), marker="o", markersize=3, label=name)
            # A logarithm has no place for 0: triangles on the lower edge.
            axes.plot(score[~some], np.full(int((~some).sum()), low), "v", color=line.get_color(), alpha=0.5)
        axes.set(xscale="log", yscale="log", xlabel="mean score of a twentieth of the payments", ylim=(low * 0.8, 1))
        axes.set(ylabel="share of fraud (▾ none)")

    return _svg(draw, "Calibration")


def scores_by_domain(domains: Mapping[str, Scored]) -> str:
    """How scores of genuine and fraudulent payments are distributed in each domain, the first one solid."""

    def draw(axes: Axes) -> None:
        bins = np.logspace(-4, 0, 50)
        for number, (name, scored) in enumerate(domains.items()):
            for what, color, rows in (("genuine", GENUINE, ~scored.fraud), ("fraud", FRAUD, scored.fraud)):
                score = np.clip(scored.score[rows], 1e-4, 1)
                share = np.histogram(score, bins)[0] / max(len(score), 1)
                style = ("-", "--", ":")[number % 3]
                axes.stairs(share, bins, color=color, linestyle=style, label=f"{name}, {what}")
        axes.set(xscale="log", yscale="log", xlabel="score", ylabel="share of the group's payments")

    return _svg(draw, "Scores by domain")


def cost_by_threshold(models: Mapping[str, tuple[Scored, Policy]]) -> str:
    """Money saved per 1,000 orders when everything from a score on is blocked, and what the policy itself saves."""

    def draw(axes: Axes) -> None:
        top = 1.0
        for name, (scored, policy) in models.items():
            threshold, saved = saved_by_threshold(scored, policy)
            (line,) = axes.plot(np.maximum(threshold, 1e-4), saved, label=name)
            own = float(at_policy(scored, policy)["net_money_per_1000"] or 0.0)
            axes.axhline(own, color=line.get_color(), linestyle="--", linewidth=1, label=f"{name}, by its policy")
            top = max(top, own, float(saved.max()))
        axes.axhline(0, color="0.6", linewidth=1)
        # Blocking everything costs so much that it would flatten all the rest.
        axes.set(xscale="log", ylim=(-0.5 * top, 1.15 * top))
        axes.set(xlabel="block from this score on", ylabel="money saved per 1,000 orders")

    return _svg(draw, "Cost against threshold")


def saved_by_threshold(scored: Scored, policy: Policy) -> tuple[Floats, Floats]:
    """Thresholds, falling, and the money saved per 1,000 orders by blocking from each on; both [k]."""
    genuine, fraud = policy.costs.lines(scored.amount / MICRO)
    gain = np.where(scored.fraud, fraud[:, 0] - fraud[:, 3], genuine[:, 0] - genuine[:, 3])
    order = np.argsort(-scored.score, kind="stable")
    saved = np.cumsum(gain[order]) * 1000 / len(scored)
    keep = np.unique(np.geomspace(1, len(order), POINTS).astype(int)) - 1
    return scored.score[order][keep], saved[keep]


def side_by_side(values: Mapping[str, tuple[float, float, float]], measure: str) -> str:
    """One figure of several models with its intervals (value, low, high), best on top."""

    def draw(axes: Axes) -> None:
        names = sorted(values, key=lambda name: values[name][0])
        middle = np.array([values[name][0] for name in names])
        spread = np.array([[values[n][0] - values[n][1], values[n][2] - values[n][0]] for n in names]).T
        axes.errorbar(middle, range(len(names)), xerr=np.maximum(spread, 0), fmt="o", capsize=3)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=f"{measure.replace('_', ' ')}, 90 % interval", ylim=(-0.5, len(names) - 0.5))

    return _svg(draw, "Side by side", legend=False)


def alerts_by_day(days: Sequence[str], caught: Sequence[int], alerts: Sequence[int], frauds: Sequence[int]) -> str:
    """Bars of a day's alerts, the frauds among them at the foot, and a mark at the frauds that there were."""

    def draw(axes: Axes) -> None:
        places = np.arange(len(days))
        axes.bar(places, alerts, color=GENUINE, alpha=0.35, label="alerts")
        axes.bar(places, caught, color=FRAUD, label="alerts that were fraud")
        axes.plot(places, frauds, "k_", markersize=8, label="all frauds of the day")
        shown = np.unique(np.linspace(0, len(days) - 1, min(len(days), 8)).astype(int))
        axes.set_xticks(shown, [days[place][5:] for place in shown])
        axes.set(xlabel="day (month-day, UTC)", ylabel="payments")

    return _svg(draw, "Alerts a day")


def importance(names: Sequence[str], shares: Sequence[float]) -> str:
    """Horizontal bars, the first on top."""

    def draw(axes: Axes) -> None:
        places = np.arange(len(names))[::-1]
        axes.barh(places, shares, color=GENUINE)
        axes.set_yticks(places, [name if len(name) <= 28 else f"{name[:27]}…" for name in names])
        axes.set(xlabel="mean absolute share of the score, log-odds")

    return _svg(draw, "What moves the score", legend=False)


def _svg(draw: Callable[[Axes], None], title: str, *, legend: bool = True) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_title(title)
        if legend:
            axes.legend(framealpha=0.8, edgecolor="none", fontsize=8)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
