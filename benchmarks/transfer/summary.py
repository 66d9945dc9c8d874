"""Seeds pooled, in figures and in words."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np

from benchmarks.report import Figure
from benchmarks.transfer.methods import METHODS, OURS, RIVALS
from benchmarks.transfer.pairs import PRESETS
from benchmarks.transfer.results import SCALE, Cell, Measured
from training.evaluation.scores import ENOUGH_FRAUDS

HALF: Final = 1.96
"""Standard errors on each side of a 95 % interval."""

HARM: Final = "lightgbm_target"


class Measurable(Protocol):
    """A cell of this benchmark or of another."""

    methods: dict[str, Measured]
    """Name -> figures."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Relative gain in mean average precision over a rival, with its 95 % interval."""

    rival: str
    value: float
    low: float
    high: float

    @classmethod
    def over(cls, cells: Sequence[Measurable], ours: str, rival: str) -> Self:
        """From the draws of each test's customers, paired; seeds, hence labels and streams, are taken as they are."""
        one, other = (np.mean([cell.methods[name].ap for cell in cells]) for name in (ours, rival))
        drawn = [np.mean([c.methods[name].draws for c in cells], axis=0) / SCALE for name in (ours, rival)]
        error = HALF * float(np.std(np.log(drawn[0] / drawn[1])))
        centre = float(np.log(one / other))
        return cls(rival, *(float(np.expm1(centre + shift)) for shift in (0.0, -error, error)))

    @property
    def outcome(self) -> str:
        """Of the comparison: wins, ties or loses."""
        return "wins" if self.low > 0 else "loses" if self.high < 0 else "ties"


@dataclass(frozen=True, slots=True)
class Pooled:
    """A pair and budget over its seeds.

    Attributes:
        stem: "<pair>.<budget>".
        cells: of the seeds that measured all of what is compared.
        methods: that every one of these cells has.
    """

    stem: str
    cells: tuple[Cell, ...]
    methods: tuple[str, ...]

    @property
    def frauds(self) -> int:
        """Distinct frauds in the tests: imported pairs have one test for all seeds."""
        counted = self.cells if self.cells[0].pair in PRESETS else self.cells[:1]
        return sum(cell.test_frauds for cell in counted)

    @property
    def powered(self) -> bool:
        """Whether the tests hold enough frauds for a conclusion."""
        return self.frauds >= ENOUGH_FRAUDS

    def mean(self, method: str, figure: str = "ap") -> float:
        """Mean over seeds."""
        return float(np.mean([getattr(cell.methods[method], figure) for cell in self.cells]))

    def best_rival(self) -> str:
        """The LightGBM that is best on these very tests, hence no easy one."""
        return max((name for name in self.methods if name in RIVALS), key=self.mean)

    def gain(self, ours: str, rival: str | None = None) -> Gain:
        """Over that rival, the best one by default."""
        return Gain.over(self.cells, ours, rival or self.best_rival())

    @property
    def harmful(self) -> bool:
        """Whether transfer was negative: target-only trees beat the pooled ones beyond the interval."""
        return {HARM, "lightgbm_pooled"} <= set(self.methods) and self.gain(HARM, "lightgbm_pooled").low > 0


def pool(cells: Sequence[Cell]) -> list[Pooled]:
    """Cells by pair, control and budget; cells that lack `auto` or a rival are left out."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if {"auto", *RIVALS} <= set(cell.methods):
            groups["-".join(filter(None, (cell.pair, cell.control))) + "." + cell.budget].append(cell)
    pooled = []
    for stem, held in sorted(groups.items(), key=lambda group: _order(*group[0].split("."))):
        common = [name for name in held[0].methods if all(name in cell.methods for cell in held)]
        pooled.append(Pooled(stem, tuple(held), tuple(common)))
    return pooled


def _order(pair: str, budget: str) -> tuple[str, bool, float]:
    """By pair, then numbers of labels, all of them, and days."""
    return pair, budget.endswith("d"), float("inf") if budget == "all" else float(budget.rstrip("d"))


def figures_of(row: Pooled) -> list[Figure]:
    """All figures of one pair and budget; seeds are medians with quartiles, gains have a 95 % interval."""
    stem, cells = row.stem, row.cells
    figures = [
        Figure(f"{stem}.test_frauds" + ("" if row.powered else " (underpowered)"), row.frauds, ""),
        Figure(f"{stem}.seeds", len(cells), ""),
    ]
    if cells[0].bayes is not None:
        figures.append(Figure.of(f"{stem}.bayes.ap", [cell.bayes or 0.0 for cell in cells], ""))
    for method in row.methods:
        for figure in ("ap", "recall_at_1pct"):
            values = [getattr(cell.methods[method], figure) for cell in cells]
            figures.append(Figure.of(f"{stem}.{method}.{figure}", values, ""))
    for ours in OURS:
        gain = row.gain(ours)
        figures.append(Figure(f"{stem}.{ours}.gain_over_{gain.rival}", gain.value, "", gain.low, gain.high))
    return figures


def table(rows: Sequence[Pooled]) -> str:
    """Markdown: one line a pair and budget."""
    lines = [
        "| pair.budget | seeds | labels / frauds | test frauds | best LightGBM | joint_distilled | auto | gain |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        gain = row.gain("auto")
        learnt = " / ".join(f"{np.mean([getattr(c, name) for c in row.cells]):,.0f}" for name in ("labels", "frauds"))
        power = "" if row.powered else ", underpowered"
        harm = ", negative transfer" if row.harmful else ""
        lines.append(
            f"| {row.stem} | {len(row.cells)} | {learnt} | {row.frauds}{power} | "
            f"{gain.rival.removeprefix('lightgbm_')} {row.mean(gain.rival):.3f} | {row.mean('joint_distilled'):.3f} | "
            f"{row.mean('auto'):.3f} | {gain.value:+.0%} ({gain.low:+.0%} .. {gain.high:+.0%}) {gain.outcome}{harm} |"
        )
    return "\n".join(lines)


def by_method(rows: Sequence[Pooled]) -> str:
    """Markdown: mean average precision of each method; empty where a seed lacks it."""
    names = (*METHODS, "auto")
    lines = [
        "| pair.budget | " + " | ".join(name.replace("lightgbm_", "trees: ") for name in names) + " | truth |",
        "| --- " * (len(names) + 2) + "|",
    ]
    for row in rows:
        values = [f"{row.mean(name):.3f}" if name in row.methods else "" for name in names]
        bayes = [cell.bayes for cell in row.cells if cell.bayes is not None]
        lines.append(f"| {row.stem} | " + " | ".join((*values, f"{np.mean(bayes):.3f}" if bayes else "")) + " |")
    return "\n".join(lines)


def by_rival(rows: Sequence[Pooled]) -> str:
    """Markdown: `auto` against each LightGBM as if it had been chosen beforehand, over all rows."""
    lines = ["| rival | mean gain of auto | wins | ties | loses |", "| --- | --- | --- | --- | --- |"]
    for rival in RIVALS:
        gains = [row.gain("auto", rival) for row in rows]
        mean = np.expm1(np.mean([np.log1p(gain.value) for gain in gains]))
        outcomes = Counter(gain.outcome for gain in gains)
        counts = " | ".join(str(outcomes[outcome]) for outcome in ("wins", "ties", "loses"))
        lines.append(f"| {rival.removeprefix('lightgbm_')} | {mean:+.0%} | {counts} |")
    return "\n".join(lines)


def words(rows: Sequence[Pooled]) -> str:
    """Where `auto` wins, ties and loses against the best LightGBM."""
    by_outcome: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_outcome[row.gain("auto").outcome].append(row.stem + ("" if row.powered else " (underpowered)"))
    return "\n".join(
        f"auto {outcome} against the best LightGBM on {len(by_outcome[outcome])} of {len(rows)}: "
        + (", ".join(by_outcome[outcome]) or "none")
        for outcome in ("wins", "ties", "loses")
    )
