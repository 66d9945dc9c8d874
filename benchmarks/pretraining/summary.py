"""Seeds pooled: average precision of each part, and its gain over the default without it, paired."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.pretraining.cells import PARTS, Cell
from benchmarks.report import Figure
from benchmarks.transfer.summary import Gain

DEFAULT = "default"
ADDED = tuple(name for name in PARTS if name != DEFAULT)


@dataclass(frozen=True, slots=True)
class Row:
    """A set and budget over its seeds; only cells that have every part."""

    pair: str
    budget: str
    cells: tuple[Cell, ...]

    @property
    def stem(self) -> str:
        """Of the figures' names."""
        return f"{self.pair}.{self.budget}"

    def mean(self, part: str) -> float:
        """Average precision, mean of the seeds."""
        return float(np.mean([cell.methods[part].ap for cell in self.cells]))

    def gain(self, part: str) -> Gain:
        """Over the default, with the 95 % interval of the tests' customers."""
        return Gain.over(self.cells, part, DEFAULT)


def rows_of(cells: Sequence[Cell]) -> list[Row]:
    """Cells by set and budget."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if set(PARTS) <= set(cell.methods):
            groups[cell.pair, cell.budget].append(cell)
    return [Row(*key, tuple(held)) for key, held in sorted(groups.items(), key=lambda item: _order(*item[0]))]


def figures_of(rows: Sequence[Row]) -> list[Figure]:
    """Of each set and budget, then the geometric mean of the gains over sets."""
    found = []
    for row in rows:
        found.append(Figure(f"{row.stem}.seeds", len(row.cells), ""))
        for part in PARTS:
            values = [cell.methods[part].ap for cell in row.cells]
            found.append(Figure.of(f"{row.stem}.{part}.ap", values, ""))
        for part in ADDED:
            gain = row.gain(part)
            found.append(Figure(f"{row.stem}.{part}.gain", gain.value, "", gain.low, gain.high))
            found.append(Figure(f"{row.stem}.{part}.gain_low", gain.low, ""))
    for budget in dict.fromkeys(row.budget for row in rows):
        held = [row for row in rows if row.budget == budget]
        for part in ADDED:
            mean = np.expm1(np.mean([np.log1p(row.gain(part).value) for row in held]))
            found.append(Figure(f"all.{budget}.{part}.gain", float(mean), f"{len(held)} sets"))
    return found


def table(rows: Sequence[Row]) -> str:
    """Markdown: one line a set and budget."""
    lines = [
        f"| set.budget | seeds | labels / frauds | test frauds | default | {' | '.join(ADDED)} |",
        "| --- " * (5 + len(ADDED)) + "|",
    ]
    for row in rows:
        learnt = " / ".join(f"{np.mean([getattr(c, name) for c in row.cells]):,.0f}" for name in ("labels", "frauds"))
        told = []
        for part in ADDED:
            gain = row.gain(part)
            told.append(f"{row.mean(part):.3f}, {gain.value:+.1%} ({gain.low:+.1%} to {gain.high:+.1%})")
        frauds = np.mean([cell.test_frauds for cell in row.cells])
        head = f"| {row.stem} | {len(row.cells)} | {learnt} | {frauds:,.0f} | {row.mean(DEFAULT):.3f} | "
        lines.append(head + " | ".join(told) + " |")
    return "\n".join(lines)


def _order(pair: str, budget: str) -> tuple[str, bool, float]:
    return pair, budget.endswith("d"), float(budget.rstrip("d"))
