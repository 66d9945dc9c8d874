"""Self-contained HTML reports: one file, plots inside, nothing loaded from anywhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from fraud.decisions.policy import Policy
from training.evaluation import plots
from training.evaluation.evaluate import Json
from training.evaluation.scores import ENOUGH_FRAUDS, Scored

ORDER: Final = {
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "recall_at_0.5pct": "recall when 0.5 % of payments are reviewed",
    "recall_at_1pct": "recall when 1 % are reviewed",
    "first_fraud_recall_at_1pct": "the same, first fraud of each card only",
    "recall_at_1pct_fpr": "recall when 1 % of the genuine are flagged",
    "card_precision_at_k": "share of compromised cards in the day's 100 riskiest",
    "precision": "precision of the alerts",
    "recall": "recall of the alerts",
    "f1": "F1 of the alerts",
    "accuracy": "accuracy of the alerts",
    "flagged_rate": "share of payments that raise an alert",
    "value_recall": "share of the fraud's money that was flagged",
    "false_positives_per_caught": "false alarms per caught fraud",
    "insult_rate": "share of good payments lost",
    "net_money_per_1000": "money saved per 1,000 orders",
    "ece": "calibration error (ECE)",
    "rows": "payments with a known label",
    "frauds": "frauds among them",
}
"""Figures of the table with their names for people, the most telling first."""

CAPTIONS: Final = {
    "pr": "Up and to the right is better. Average precision is the area below.",
    "calibration": "On the diagonal a score of 2 % means that 2 in 100 are fraud.",
    "domains": "The further apart genuine and fraud, the better; domains that lie apart need calibration of their own.",
    "cost": "Solid: one threshold for all. Dashed: the policy, which weighs each amount and may challenge or review.",
    "side": "Intervals that overlap much leave the order open; the table of differences compares on equal payments.",
}


def render(template: str, /, **values: object) -> str:
    """A page of `training/evaluation/templates`; an unknown name in it is an error."""
    loader = PackageLoader("training.evaluation", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**values)


def evaluation_report(
    models: Mapping[str, tuple[Scored, Policy]],
    measured: Mapping[str, Json],
    differences: Json,
    *,
    title: str,
    lead: str,
    domains: Mapping[str, Scored] | None = None,
) -> str:
    """The report of one evaluation.

    Args:
        models: name -> scored payments and policy; the first is the one in question.
        measured: name -> its figures (`training.evaluation.evaluate.evaluate`).
        differences: what `training.evaluation.evaluate.compare` gave.
        title: of the page.
        lead: one line: which data, which period, which labels.
        domains: name of a domain -> the first model's scores there; the evaluated payments alone by default.
    """
    first, (scored, _) = next(iter(models.items()))
    both = bool(scored.fraud.any() and not scored.fraud.all())
    alone = {name: held[0] for name, held in models.items()}
    drawn = {
        "calibration": plots.calibration(alone),
        "domains": plots.scores_by_domain(domains or {"these payments": scored}),
        "cost": plots.cost_by_threshold(models),
    }
    if both:
        side = plots.side_by_side(_intervals(measured), "average_precision")
        drawn = {"pr": plots.precision_recall(alone)} | drawn | {"side": side}
    return render(
        "evaluation.html.j2",
        title=title,
        lead=lead,
        first=first,
        models=list(models),
        underpowered=int(scored.fraud.sum()) < ENOUGH_FRAUDS,
        frauds=int(scored.fraud.sum()),
        enough=ENOUGH_FRAUDS,
        rows=[[words, *(number(measured[m].get(name)) for m in models)] for name, words in ORDER.items()],
        differences=_difference_rows(differences),
        plots=[(svg, CAPTIONS[name]) for name, svg in drawn.items()],
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
        [other, ORDER[measure], *(f"{gap[edge]:+.4f}" for edge in ("value", "low", "high"))]
        for other, gaps in differences.items()
        for measure, gap in gaps.items()
    ]
