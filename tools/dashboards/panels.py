"""What a dashboard of ours is made of: rows of stats and graphs over Prometheus queries."""

from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, Threshold, ThresholdsMode

_SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the name of its series in the legend."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what is shown, with a unit only where Grafana's is not clear.
        queries: one line or number each.
        unit: Grafana's unit id, such as ``s``, ``percentunit``, ``reqps``.
        why: what to make of it; the panel's tooltip.
        kind: a number of now, the names of what there is now, or a graph over time.
        width: of 24 columns.
        orange: from this value on a stat turns orange.
        red: from this value on a stat turns red; below ``orange`` it means that small values are the bad ones.
        signed: whether values below zero can be.
    """

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    why: str = ""
    kind: Literal["stat", "name", "graph"] = "graph"
    width: int = 8
    orange: float | None = None
    red: float | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; ``uid`` is its address and never changes."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]


def number(
    title: str,
    expr: str,
    unit: str = "short",
    *,
    why: str = "",
    orange: float | None = None,
    red: float | None = None,
) -> Panel:
    """Return a stat of one query, an eighth of the width; its title says what is good."""
    good = ""
    if orange is not None:
        good = f" (≥ {told(orange, unit)})" if red is not None and red < orange else f" (< {told(orange, unit)})"
    return Panel(title + good, (Query(expr),), unit, why, kind="stat", width=3, orange=orange, red=red)


def told(value: float, unit: str) -> str:
    """Return a value as its unit has it, short."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s" and value == 0:
        return "0 s"
    if unit == "s":
        return next(
            (f"{value / size:.3g} {name}" for size, name in _TIMES if abs(value) >= size), f"{value * 1e3:.3g} ms"
        )
    if unit == "bytes":
        return f"{value / 1e6:.3g} MB"
    return (f"{value:,.3g}" if abs(value) < 1_000 else f"{value:,.0f}") + (" /s" if unit == "reqps" else "")


_TIMES: Final = ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"))
"""From the largest down; less than a second is told in ms."""

FIRING = number(
    "Alerts firing",
    'count(ALERTS{alertname=~"Fraud.*", alertstate="firing"}) or vector(0)',
    orange=1,
    red=2,
    why="Prometheus' alerts page names them, and each links its runbook.",
)
"""The first tile of every dashboard."""


def dashboard_of(board: Board) -> dashboard.Dashboard:
    """Return Grafana's builder of a board."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["fraudstream"])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("10s")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    identity = 0
    for row in board.rows:
        identity += 1
        built.with_row(dashboard.Row(row.title).id(identity))
        for panel in row.panels:
            identity += 1
            built.with_panel((_graph if panel.kind == "graph" else _stat)(panel).id(identity))
    return built


def _graph(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(len(panel.queries) > 1 or bool(panel.queries[0].legend))
    built = timeseries.Panel().legend(legend).show_points(VisibilityMode.NEVER).fill_opacity(8).span(panel.width)
    built.title(panel.title).description(panel.why).unit(panel.unit).height(7).datasource(_SOURCE)
    if not panel.signed:
        built.min(0)
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        built.with_target(_target(query, letter))
    return built


def _stat(panel: Panel) -> stat.Panel:
    built = stat.Panel().color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.AREA).span(panel.width)
    built.title(panel.title).description(panel.why).unit(panel.unit).height(3).datasource(_SOURCE)
    built.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(_steps(panel)))
    if panel.kind == "name":
        built.text_mode(BigValueTextMode.NAME).graph_mode(BigValueGraphMode.NONE)
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        built.with_target(_target(query, letter))
    return built


def _target(query: Query, letter: str) -> prometheus.Dataquery:
    built = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(_SOURCE).range()
    return built.legend_format(query.legend) if query.legend else built


def _steps(panel: Panel) -> list[Threshold]:
    """Return the colours of a stat from its lowest value up."""
    low, high = panel.orange, panel.red
    if low is None and high is None:
        return [Threshold(color="blue")]
    if low is not None and high is not None and high < low:
        return [Threshold(color="red"), Threshold(high, "orange"), Threshold(low, "green")]
    marks = [Threshold(low, "orange")] if low is not None else []
    marks += [Threshold(high, "red")] if high is not None else []
    return [Threshold(color="green"), *marks]
