"""Self-contained HTML reports: one file, plots inside, nothing loaded from anywhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from fraud.policy import Policy
from training import report_plots as plots
from training.evaluate import Floats, Json
from training.scores import ENOUGH_FRAUDS, Scored

ORDER: Final = (
    "average_precision", "roc_auc", "recall_at_0.5pct", "recall_at_1pct", "first_fraud_recall_at_1pct",
    "recall_at_1pct_fpr", "card_precision_at_k", "precision", "recall", "f1", "accuracy", "flagged_rate",
    "value_recall", "false_positives_per_caught", "insult_rate", "net_money_per_1000", "ece", "rows", "frauds",
)  # fmt: skip
"""Figures of the table, the most telling first."""


def render(template: str, /, **values: object) -> str:
    """A page of `training/templates`; an unknown name in it is an error."""
    loader = PackageLoader("training", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**values)


def evaluation_report(
    models: Mapping[str, tuple[Scored, Policy]],
    measured: Mapping[str, Json],
    differences: Json,
    *,
    title: str,
    lead: str,
    domains: Mapping[str, Floats] | None = None,
) -> str:
    """The report of one evaluation.

    Args:
        models: name -> scored payments and policy; the first is the one in question.
        measured: name -> its figures (`training.evaluate.evaluate`).
        differences: what `training.evaluate.compare` gave.
        title: of the page.
        lead: one line: which data, which period, which labels.
        domains: groups of rows -> the first model's scores there.
    """
    first, (scored, _) = next(iter(models.items()))
    both = bool(scored.fraud.any() and not scored.fraud.all())
    alone = {name: held[0] for name, held in models.items()}
    groups = domains or {"genuine": scored.score[~scored.fraud], "fraud": scored.score[scored.fraud]}
    drawn = [plots.calibration(alone), plots.scores_by_domain(groups), plots.cost_by_threshold(models)]
    if both:
        drawn = [plots.precision_recall(alone), *drawn, plots.side_by_side(_intervals(measured), "average_precision")]
    return render(
        "evaluation.html.j2",
        title=title,
        lead=lead,
        first=first,
        models=list(models),
        underpowered=int(scored.fraud.sum()) < ENOUGH_FRAUDS,
        frauds=int(scored.fraud.sum()),
        enough=ENOUGH_FRAUDS,
        rows=[[name.replace("_", " "), *(number(measured[m].get(name)) for m in models)] for name in ORDER],
        differences=_difference_rows(differences),
        plots=drawn,
    )


def number(value: object) -> str:
    """A figure as people read it."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) and abs(value) >= 10 else f"{value:.4f}"


def _intervals(measured: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    values = {name: held["intervals"]["average_precision"] for name, held in measured.items()}
    return {name: (held["value"], held["low"], held["high"]) for name, held in values.items()}


def _difference_rows(differences: Mapping[str, Any]) -> Sequence[Sequence[str]]:
    return [
        [other, measure.replace("_", " "), *(f"{gap[edge]:+.4f}" for edge in ("value", "low", "high"))]
        for other, gaps in differences.items()
        for measure, gap in gaps.items()
    ]
