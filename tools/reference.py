"""Writes the README's tables of settings and metrics from the code that declares them: `python -m tools.reference`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings

from service.observability.metrics import Metrics
from service.settings import Settings
from training.loop.metrics import LoopMetrics
from training.settings import Settings as LoopSettings

README: Final = Path(__file__).parents[1] / "README.md"


def updated(text: str) -> str:
    """The README with its tables as the code has them now."""
    registry, loop_registry = CollectorRegistry(), CollectorRegistry()
    Metrics(registry)
    LoopMetrics(loop_registry)
    for name, table in {
        "service settings": settings_table(Settings),
        "loop settings": settings_table(LoopSettings),
        "service metrics": metrics_table(registry),
        "loop metrics": metrics_table(loop_registry),
    }.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{README}: wants the marks {begin.strip()} and {end}")
        text = before + begin + table + end + after
    return text


def settings_table(settings: type[BaseSettings]) -> str:
    """One row a setting: variable, default, meaning."""
    prefix = str(settings.model_config.get("env_prefix", "")).upper()
    fields = settings.model_fields.items()
    rows = (
        (f"`{prefix}{name.upper()}`", _default(field.get_default()), field.description or "") for name, field in fields
    )
    return _table(("variable", "default", "meaning"), rows)


def metrics_table(registry: CollectorRegistry) -> str:
    """One row a metric: name, type, meaning."""
    rows = []
    for family in registry.collect():
        suffix = "_total" if family.type == "counter" else ""
        rows.append((f"`{family.name}{suffix}`", family.type, family.documentation))
    return _table(("metric", "type", "meaning"), rows)


def _default(value: object) -> str:
    return "" if value is None or str(value) == "PydanticUndefined" else f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
