"""Draws a dashboard without Grafana: its JSON, a Prometheus' data, one HTML page.

`python -m tools.dashboards.preview --prometheus http://localhost:9090 --out DIR` writes a page for each dashboard.
Tiles, colours, units and places are those of the JSON; how it looks is not Grafana's, and the page says so.
"""

import html
import io
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import click
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tools.dashboards.panels import told

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
COLOURS: Final = {"green": "#1a7f37", "orange": "#bf6a02", "red": "#b3261e", "blue": "#1f5fa8"}
POINTS: Final = 240
STYLE: Final = """
body { font: 14px/1.35 system-ui, sans-serif; margin: 0; padding: 14px 18px; background: #f4f5f6; color: #1b1f24; }
h1 { font-size: 20px; margin: 0; } .lead { color: #57606a; margin: 2px 0 10px; }
.grid { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 30px; gap: 6px; }
.row { align-self: end; font-weight: 600; font-size: 15px; }
.panel { background: #fff; border: 1px solid #d8dee4; border-radius: 4px; padding: 5px 8px; overflow: hidden; }
.panel b { display: block; font-weight: 600; font-size: 12.5px; }
.stat { color: #fff; border: 0; } .stat span { font-size: 27px; line-height: 1.5; white-space: nowrap; }
.panel svg { width: 100%; height: calc(100% - 18px); }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: its name, times in s since 1970, values."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


class Source(Protocol):
    """Where a panel's lines come from."""

    def read(self, query: Mapping[str, Any]) -> list[Series]:
        """A panel's target over the time shown; raises OSError when nobody answers."""
        ...


class Prometheus:
    """A `Source` over HTTP."""

    def __init__(self, url: str, *, since: float, until: float) -> None:
        self._url, self._since, self._until = url.rstrip("/"), since, until

    def read(self, query: Mapping[str, Any]) -> list[Series]:
        """A panel's target over the time shown."""
        step = max((self._until - self._since) / POINTS, 1)
        times = {"start": self._since, "end": self._until, "step": step}
        asked = urllib.parse.urlencode({"query": query["expr"], **times})
        with urllib.request.urlopen(f"{self._url}/api/v1/query_range?{asked}", timeout=30) as answer:  # noqa: S310 - http
            found = json.load(answer)["data"]["result"]
        return [_series(one, query.get("legendFormat", "")) for one in found]


def _series(found: Mapping[str, Any], legend: str) -> Series:
    for label, value in found["metric"].items():
        legend = legend.replace("{{" + label + "}}", value)
    return Series(legend, [float(t) for t, _ in found["values"]], [float(v) for _, v in found["values"]])


def page(dashboard: Mapping[str, Any], prometheus: Source, *, since: float, until: float) -> str:
    """A dashboard as one HTML page that loads nothing; times in s since 1970."""
    panels = "".join(_panel(panel, prometheus, (since, until)) for panel in dashboard["panels"])
    drawn = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    note = f"{dashboard['description']} Drawn {drawn} from the dashboard's JSON and a Prometheus' data; not Grafana."
    title = html.escape(dashboard["title"])
    return (
        f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
        f"<h1>{title}</h1><p class=lead>{html.escape(note)}</p><div class=grid>{panels}</div>\n"
    )


def _panel(panel: Mapping[str, Any], prometheus: Source, times: tuple[float, float]) -> str:
    place = panel["gridPos"]
    where = f"grid-column: {place['x'] + 1} / span {place['w']}; grid-row: {place['y'] + 1} / span {place['h']}"
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        return f'<div class=row style="{where}">{title}</div>'
    series = [one for query in panel["targets"] for one in prometheus.read(query)]
    if panel["type"] == "stat":
        text, colour = _stat(panel, series)
        return f'<div class="panel stat" style="{where}; background: {colour}"><b>{title}</b><span>{text}</span></div>'
    drawn = _graph(panel, series, times) if series else "No data"
    return f'<div class=panel style="{where}"><b>{title}</b>{drawn}</div>'


def _stat(panel: Mapping[str, Any], series: Sequence[Series]) -> tuple[str, str]:
    """Text and colour of a tile: the newest value, or the names of what there is."""
    newest = max((one.times[-1] for one in series), default=0.0)
    current = [one for one in series if one.times[-1] == newest]
    if not current:
        return "No data", "#6e7781"
    if panel["options"].get("textMode") == "name":
        return html.escape(", ".join(one.name for one in current)), COLOURS["blue"]
    value, settings = current[0].values[-1], panel["fieldConfig"]["defaults"]
    reached = [step for step in settings["thresholds"]["steps"] if step.get("value") is None or value >= step["value"]]
    return told(value, settings["unit"]), COLOURS[reached[-1]["color"]]


def _graph(panel: Mapping[str, Any], series: Sequence[Series], times: tuple[float, float]) -> str:
    place, settings = panel["gridPos"], panel["fieldConfig"]["defaults"]
    figure = Figure(figsize=(place["w"] * 0.68, 2.15), layout="constrained")
    axes = figure.subplots()
    for one in series:
        axes.plot(one.times, one.values, label=one.name, linewidth=1.3)
    axes.yaxis.set_major_formatter(lambda value, _: told(value, settings["unit"]))
    axes.xaxis.set_major_formatter(lambda value, _: datetime.fromtimestamp(value, UTC).strftime("%H:%M"))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 3, 6]))
    axes.set_xlim(times)
    axes.margins(y=0.12)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if settings.get("min") == 0:
        axes.set_ylim(bottom=0)
    if any(one.name for one in series):
        axes.legend(fontsize=7, frameon=False, loc="best", ncols=2)
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    text = target.getvalue()
    return text[text.index("<svg") :]


@click.command()
@click.option("--prometheus", "url", default="http://localhost:9090", show_default=True)
@click.option("--minutes", default=60, show_default=True, help="How much time the graphs show.")
@click.option("--until", type=click.DateTime(), help="Their end, UTC; default: now.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def main(*, url: str, minutes: int, until: datetime | None, out: Path) -> None:
    """Draw every dashboard as a page of HTML."""
    out.mkdir(parents=True, exist_ok=True)
    now = time.time() if until is None else until.replace(tzinfo=UTC).timestamp()  # noqa: TID251 - the edge
    for file in sorted(FOLDER.glob("*.json")):
        times = {"since": now - 60 * minutes, "until": now}
        target = out / f"{file.stem}.html"
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        target.write_text(page(dashboard, Prometheus(url, **times), **times), encoding="utf-8")
        click.echo(target)


if __name__ == "__main__":
    main()
