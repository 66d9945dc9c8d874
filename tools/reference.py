"""Writes the pages of `docs/reference/` that the code knows best: settings and metrics. `python -m tools.reference`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from gateway.http.openapi import documents
from gateway.metrics import Metrics as GatewayMetrics
from gateway.settings import Settings as GatewaySettings
from runtime.settings import ProgramSettings, settings_table
from service.observability.metrics import Metrics
from service.settings import Settings
from training.loop.metrics import LoopMetrics
from training.settings import Settings as LoopSettings

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
MADE: Final = "<!-- Made by `make reference` from the code; do not edit. -->"

SETTINGS: Final = """# Settings

{made}

Environment variables, read once, validated, frozen; an unknown one is an error (exit code 2). A secret may come from a
file: the same name with `_FILE` behind it. `python -m service check` prints what was resolved and what is wrong.
Durations are seconds or ISO 8601 (`90`, `PT12H`, `P30D`), switches `true` or `false`.

## Service

{service}
## Training loop

Of `python -m training loop`.

{loop}
## Gateway

Of `python -m gateway run`; what it shares with the service must be set alike.

{gateway}"""

METRICS: Final = """# Metrics

{made}

All programs answer `/metrics`, `/healthz` (it lives) and `/readyz` (it works).

## Service

{service}
## Training loop

{loop}
## Gateway

{gateway}"""


def pages() -> Mapping[str, str]:
    """Each page's name and text, as the code has them now."""
    registry, loop_registry, gateway_registry = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
    Metrics(registry)
    LoopMetrics(loop_registry)
    GatewayMetrics(gateway_registry)
    return {
        "settings.md": SETTINGS.format(
            made=MADE,
            service=settings_rows(Settings),
            loop=settings_rows(LoopSettings),
            gateway=settings_rows(GatewaySettings),
        ),
        "metrics.md": METRICS.format(
            made=MADE,
            service=metrics_table(registry),
            loop=metrics_table(loop_registry),
            gateway=metrics_table(gateway_registry),
        ),
        "openapi.json": documents()["openapi.json"].decode(),
    }


def settings_rows(settings: type[ProgramSettings]) -> str:
    """One row a setting: variable, default, meaning."""
    rows = (
        (f"`{name}`", f"`{default}`" if default else "", meaning) for name, default, meaning in settings_table(settings)
    )
    return _table(("variable", "default", "meaning"), rows)


def metrics_table(registry: CollectorRegistry) -> str:
    """One row a metric: name, type, meaning."""
    rows = []
    for family in registry.collect():
        suffix = "_total" if family.type == "counter" else ""
        rows.append((f"`{family.name}{suffix}`", family.type, family.documentation))
    return _table(("metric", "type", "meaning"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
