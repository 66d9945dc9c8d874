"""The report of a trial: one HTML file, nothing loaded from anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from training.data.drafting.draft import Understood
from training.data.importing.importer import RejectedRows
from training.evaluation import plots
from training.evaluation.report import CAPTIONS, ORDER, number, render
from training.evaluation.scores import ENOUGH_FRAUDS
from training.trial.measuring import MODEL, Outcome
from training.trial.plain_trees import NAME as RIVAL

SHOWN_FEATURES: Final = 15
LISTED_FEATURES: Final = 40
ASTRAY: Final = 1.05
"""The rival with steady leaves, over its defaults, from which on these do not suit the data and that is said."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next, and how."""

    title: str
    commands: str


@dataclass(frozen=True, slots=True)
class Told:
    """What surrounds the figures.

    Attributes:
        file: its name.
        period: of the test.
        warnings: one line each.
        rejected: rows that became no events.
        columns: how each was understood.
        facts: (step, what was done).
        steps: what to do next.
        mapping_file, platform_file: where guesses are mended.
    """

    file: str
    period: str
    warnings: Sequence[str]
    rejected: Sequence[RejectedRows]
    columns: Sequence[Understood]
    facts: Sequence[tuple[str, str]]
    steps: Sequence[Step]
    mapping_file: str
    platform_file: str


def trial_report(outcome: Outcome, told: Told) -> str:
    """The page."""
    tone, verdict, why = judgement(outcome)
    models = {MODEL: (outcome.scored, outcome.policy), RIVAL: (outcome.rival, outcome.policy)}
    alone = {name: scored for name, (scored, _) in models.items()}
    shown = outcome.importance[:SHOWN_FEATURES]
    days = outcome.days
    frauds = int(outcome.scored.fraud.sum())
    return render(
        "trial.html.j2",
        title=f"Fraud detection on {told.file}",
        lead=f"{told.period}: {len(outcome.scored):,} payments with a known label, {frauds:,} frauds",
        tone=tone,
        verdict=verdict,
        verdict_why=why,
        tiles=_tiles(outcome),
        warnings=told.warnings,
        rejected=[
            [r.reason, f"{r.rows:,}", "" if r.first_row is None else r.first_row, r.example] for r in told.rejected
        ],
        models=[MODEL, RIVAL],
        rows=[[words, *(_cell(outcome.figures[model], name) for model in models)] for name, words in ORDER.items()],
        differences=[
            [ORDER[measure], *(f"{gap[edge]:+.4f}" for edge in ("value", "low", "high"))]
            for measure, gap in outcome.difference[RIVAL].items()
        ],
        plots=[
            (plots.precision_recall(alone), CAPTIONS["pr"]),
            (plots.side_by_side(_intervals(outcome), "average_precision"), CAPTIONS["side"]),
            (plots.calibration(alone), CAPTIONS["calibration"]),
            (plots.cost_by_threshold(models), CAPTIONS["cost"]),
        ],
        budgets=[
            [f"{b.share:.2%}", f"{b.payments:,}", *(f"{value:.1%}" for value in (*b.model, *b.rival))]
            for b in outcome.budgets
        ],
        day_plots=[
            (
                plots.alerts_by_day(
                    [d.day for d in days], [d.caught for d in days], [d.alerts for d in days], [d.frauds for d in days]
                ),
                "Red within blue: alerts that were right. A dash above the red: frauds that were missed.",
            )
        ],
        days=[[d.day, f"{d.payments:,}", f"{d.alerts:,}", f"{d.caught:,}", f"{d.frauds:,}"] for d in days],
        importance_plots=[
            (
                plots.importance([i.feature for i in shown], [i.share for i in shown]),
                "How far each feature moves scores, not in which direction.",
            )
        ],
        importance=[[i.feature, f"{i.share:.3f}", i.meaning] for i in outcome.importance[:LISTED_FEATURES]],
        columns=[[c.column, c.becomes, c.kind, c.evidence, c.why] for c in told.columns],
        facts=told.facts,
        steps=told.steps,
        mapping_file=told.mapping_file,
        platform_file=told.platform_file,
    )


def judgement(outcome: Outcome) -> tuple[str, str, str]:
    """(tone, verdict, why) of the model against its rival."""
    frauds = int(outcome.scored.fraud.sum())
    gap = outcome.difference[RIVAL]["average_precision"]
    told = f"Average precision differs by {gap['value']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})."
    thin = f" Only {frauds} frauds in the test: small differences are chance." if frauds < ENOUGH_FRAUDS else ""
    plain: Any = outcome.figures[RIVAL]["average_precision"]
    if outcome.steady > ASTRAY * plain:
        thin += (
            f" {RIVAL}'s defaults go astray here: with steadier leaves it has average precision {outcome.steady:.3f} "
            f"instead of {plain:.3f}; measure the gain against the former."
        )
    if gap["low"] > 0:
        return "good", f"Better than {RIVAL} on the same columns.", told + thin
    if gap["high"] < 0:
        return "bad", f"Worse than {RIVAL} on the same columns: do not serve this model yet.", told + thin
    return "unsure", f"Not told apart from {RIVAL} on the same columns.", told + thin


def _tiles(outcome: Outcome) -> list[tuple[str, str, str]]:
    mine = outcome.figures[MODEL]
    intervals: Any = mine["intervals"]
    tiles = []
    for name in ("average_precision", "recall_at_1pct"):
        held = intervals[name]
        tiles.append((ORDER[name], f"{held['value']:.3f}", f"90 % interval {held['low']:.3f} to {held['high']:.3f}"))
    alerts = sum(day.alerts for day in outcome.days) / max(len(outcome.days), 1)
    precision: Any = mine["precision"]
    tiles.append(("alerts a day", f"{alerts:,.1f}", f"{precision or 0:.0%} of them fraud, at the default costs"))
    tiles.append((ORDER["net_money_per_1000"], number(mine["net_money_per_1000"]), "at the default costs"))
    return tiles


def _cell(figures: Mapping[str, Any], name: str) -> str:
    held = figures["intervals"].get(name)
    value = number(figures.get(name))
    return value if held is None else f"{value} ({held['low']:.3f} to {held['high']:.3f})"


def _intervals(outcome: Outcome) -> dict[str, tuple[float, float, float]]:
    held: dict[str, Any] = {name: figures["intervals"] for name, figures in outcome.figures.items()}
    values = {name: intervals["average_precision"] for name, intervals in held.items()}
    return {name: (value["value"], value["low"], value["high"]) for name, value in values.items()}
