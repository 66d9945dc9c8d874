"""Recall before, during and after, as a PNG and on the terminal."""

from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from rich.table import Table

from local.demo.closed_loop.recall import DecidedPayments, Recall, by_step
from local.demo.closed_loop.scenario import DAY_US, START_US, Scenario

NEW: Final = "the new pattern"
OLD: Final = "all other fraud"


def lines(decided: DecidedPayments, scenario: Scenario) -> dict[str, "pd.Series[float]"]:
    """What is drawn: recall by the day in the middle of each step."""
    both = {
        OLD: by_step(decided, ~decided.rows["new"], scenario.step),
        NEW: by_step(decided, decided.rows["new"], scenario.step),
    }
    return {name: series.rename(index=lambda day: day + scenario.step / 2) for name, series in both.items()}


def draw(decided: DecidedPayments, scenario: Scenario, recall: Recall, path: Path) -> None:
    """Writes the PNG."""
    plot = Figure(figsize=(7.5, 3.4), layout="constrained")
    axes = plot.subplots()
    for name, series in lines(decided, scenario).items():
        axes.plot(series.index, series.to_numpy(), marker="o", markersize=3, label=name)
    axes.hlines(recall.recall_oracle, (decided.learnt - START_US) / DAY_US, scenario.days, color="0.4", linewidth=1,
                label="oracle with the same labels")  # fmt: skip
    for at in decided.promoted:
        axes.axvline((at - START_US) / DAY_US, linestyle=":", color="0.7", linewidth=1)
    for day, what in ((scenario.pattern, "new pattern"), ((decided.learnt - START_US) / DAY_US, "re-adapted")):
        axes.axvline(day, linestyle="--", color="0.5", linewidth=1)
        axes.text(day, 1.06, what, ha="center", fontsize=9)
    axes.set(xlabel="day", ylabel="recall at the alert budget", ylim=(0, 1.03), xlim=(scenario.live, scenario.days))
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    plot.savefig(path, dpi=80)


def table(decided: DecidedPayments, scenario: Scenario) -> Table:
    """The same for a terminal: a bar for each step."""
    made = Table("day", OLD, NEW, "", title="recall at the alert budget", box=None, header_style="")
    both = [by_step(decided, chosen, scenario.step) for chosen in (~decided.rows["new"], decided.rows["new"])]
    for day in range(scenario.live, scenario.days, scenario.step):
        made.add_row(str(day), *(bar(series.get(day)) for series in both), ", ".join(events(decided, scenario, day)))
    return made


def bar(share: float | None) -> str:
    """A share as a bar of at most 25 blocks and a percentage; nothing for None."""
    return "" if share is None else f"{'█' * round(25 * share)} {share:.0%}"


def events(decided: DecidedPayments, scenario: Scenario, day: int) -> list[str]:
    """What happened within a step."""
    found = ["the new pattern begins"] if day <= scenario.pattern < day + scenario.step else []
    adapted = any(day <= (at - START_US) / DAY_US < day + scenario.step for at in decided.promoted)
    return found + (["re-adapted"] if adapted else [])
