"""One way to print and keep the figures of a benchmark: a table, and `build/bench/<target>.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles

import msgspec
from rich.console import Console
from rich.table import Table

FOLDER = Path("build/bench")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, with the spread over its repeats where there were several."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, name: str, values: Sequence[float], unit: str) -> "Figure":
        """The median of repeats, with their quartiles as `low` and `high`."""
        if len(values) == 1:
            return cls(name, values[0], unit)
        low, median, high = quantiles(values, n=4, method="inclusive")
        return cls(name, median, unit, low, high)


def report(target: str, figures: Sequence[Figure], *, title: str) -> Path:
    """Prints the figures as a table and writes them to `build/bench/<target>.json`, whose path is returned."""
    print_figures(figures, title=title)
    return keep(target, figures)


def print_figures(figures: Sequence[Figure], *, title: str) -> None:
    """Prints them as a table."""
    table = Table("figure", "value", "low", "high", "unit", title=title)
    for figure in figures:
        table.add_row(figure.name, *(_number(v) for v in (figure.value, figure.low, figure.high)), figure.unit)
    Console(width=120).print(table)


def keep(target: str, figures: Sequence[Figure]) -> Path:
    """Writes them to `build/bench/<target>.json`, whose path is returned."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{target}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(figure) for figure in figures])) + b"\n")
    return path


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
