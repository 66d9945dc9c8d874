"""Seeds pooled: mean average precision of each method, and `auto` against the better of the raw LightGBMs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from benchmarks.own_fields.cells import METHODS, Cell
from benchmarks.report import Figure
from benchmarks.transfer.results import SCALE

REPEATS: Final = 1_000
COVERED: Final = (2.5, 97.5)
"""Percentiles of the interval."""


@dataclass(frozen=True, slots=True)
class Row:
    """A set and budget over its seeds.

    Attributes:
        stem: "<set>.<budget>".
        cells: of the seeds.
        methods: that were measured in all of them.
    """

    stem: str
    cells: tuple[Cell, ...]
    methods: tuple[str, ...]

    def mean(self, method: str) -> float:
        """Mean average precision over seeds."""
        return float(np.mean([cell.methods[method].ap for cell in self.cells]))

    @property
    def rival(self) -> str:
        """The raw LightGBM that is better on these very tests, hence no easy one."""
        return max((name for name in self.methods if name != "auto"), key=self.mean)

    def against(self, rival: str) -> "Ratio":
        """`auto` against that rival."""
        return Ratio.of(self.cells, rival)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of mean average precisions, with its 95 % interval over seeds and, within each, groups of test rows."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, cells: Sequence[Cell], rival: str) -> Self:
        """From the draws of each cell, paired between methods."""
        drawn = np.array([[cell.methods[name].draws for name in ("auto", rival)] for cell in cells]) / SCALE
        value = float(np.divide(*(np.mean([cell.methods[name].ap for cell in cells]) for name in ("auto", rival))))
        rng = np.random.default_rng(0)
        seeds = rng.integers(len(cells), size=(REPEATS, len(cells)))
        # All seeds of a file share one test: they are weighed with the same draw of it.
        draw = rng.integers(drawn.shape[2], size=REPEATS)
        means = np.array([drawn[chosen, :, number].mean(axis=0) for chosen, number in zip(seeds, draw, strict=True)])
        low, high = np.percentile(means[:, 0] / means[:, 1], COVERED)
        return cls(value, float(low), float(high))


def rows_of(cells: Sequence[Cell]) -> list[Row]:
    """Cells by set and budget."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if {"auto", "raw_target"} <= set(cell.methods):
            groups[cell.name, cell.budget].append(cell)
    return [
        Row(f"{name}.{budget}", tuple(held), tuple(m for m in METHODS if all(m in cell.methods for cell in held)))
        for (name, budget), held in sorted(groups.items(), key=lambda item: _order(*item[0]))
    ]


def figures_of(row: Row) -> list[Figure]:
    """Medians and quartiles of the seeds; the ratio with its interval."""
    found = [Figure.of(f"{row.stem}.{name}", [cell.methods[name].ap for cell in row.cells], "") for name in row.methods]
    ratio = row.against(row.rival)
    return [*found, Figure(f"{row.stem}.auto_to_raw", ratio.value, "", ratio.low, ratio.high)]


def table(rows: Sequence[Row]) -> str:
    """Markdown: one line a set and budget."""
    lines = [
        "| set.budget | seeds | frauds learnt | test frauds | auto | raw, target | raw, pooled | auto to raw |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratio = row.against(row.rival)
        values = [f"{row.mean(name):.3f}" if name in row.methods else "" for name in METHODS]
        lines.append(
            f"| {row.stem} | {len(row.cells)} | {np.mean([cell.frauds for cell in row.cells]):,.0f} | "
            f"{row.cells[0].test_frauds:,} | {' | '.join(values)} | "
            f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) |"
        )
    return "\n".join(lines)


def _order(name: str, budget: str) -> tuple[str, float]:
    return name, float("inf") if budget == "all" else float(budget)
