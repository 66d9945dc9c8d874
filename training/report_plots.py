"""The plots of a report, each as SVG text to stand inside one HTML file."""

import io
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from fraud.money import MICRO
from fraud.policy import Policy
from training.scores import Scored, reliability

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


def precision_recall(models: Mapping[str, Scored]) -> str:
    """Precision against recall, one line a model."""

    def draw(axes: Axes) -> None:
        for name, scored in models.items():
            precision, recall, _ = precision_recall_curve(scored.fraud, scored.score)
            keep = np.unique(np.linspace(0, len(recall) - 1, POINTS).astype(int))
            axes.plot(recall[keep], precision[keep], label=name, drawstyle="steps-post")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))

    return _svg(draw, "Precision and recall", legend=len(models) > 1)


def calibration(models: Mapping[str, Scored]) -> str:
    """Fraud rate against mean score in bins of equal size, on logarithmic axes."""

    def draw(axes: Axes) -> None:
        low = 1e-4
        axes.plot([low, 1], [low, 1], color="0.6", linewidth=1, label="perfect")
        for name, scored in models.items():
            curve = reliability(scored, bins=20)
            axes.plot(np.maximum(curve.score, low), np.maximum(curve.rate, low), marker="o", markersize=3, label=name)
        axes.set(xscale="log", yscale="log", xlabel="mean score of the bin", ylabel="share of fraud in the bin")

    return _svg(draw, "Calibration")


def scores_by_domain(domains: Mapping[str, Floats]) -> str:
    """How scores are distributed in each group of rows, on a logarithmic axis."""

    def draw(axes: Axes) -> None:
        bins = np.logspace(-4, 0, 50)
        for name, score in domains.items():
            if len(score):
                weights = np.full(len(score), 1 / len(score))
                axes.hist(np.clip(score, 1e-4, 1), bins=bins.tolist(), weights=weights, histtype="step", label=name)
        axes.set(xscale="log", yscale="log", xlabel="score", ylabel="share of payments")

    return _svg(draw, "Scores by domain")


def cost_by_threshold(models: Mapping[str, tuple[Scored, Policy]]) -> str:
    """Money saved per 1,000 orders when everything from a score on is blocked, and what the policy itself saves."""

    def draw(axes: Axes) -> None:
        for name, (scored, policy) in models.items():
            threshold, saved = saved_by_threshold(scored, policy)
            axes.plot(np.maximum(threshold, 1e-4), saved, label=name)
        axes.axhline(0, color="0.6", linewidth=1)
        axes.set(xscale="log", xlabel="block from this score on", ylabel="money saved per 1,000 orders")

    return _svg(draw, "Cost against threshold", legend=len(models) > 1)


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
        axes.set(xlabel=measure.replace("_", " "))

    return _svg(draw, "Side by side", legend=False)


def _svg(draw: Callable[[Axes], None], title: str, *, legend: bool = True) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_title(title)
        if legend:
            axes.legend(frameon=False)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]
