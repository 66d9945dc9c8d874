"""Writes the pages of `docs/reference/` that the code knows: settings, metrics, rules. `python -m tools.reference`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from console.metrics import ConsoleMetrics
from console.settings import Settings as ConsoleSettings
from fraud.controls.language.vocabulary import Vocabulary
from fraud.controls.names import vocabulary_of
from fraud.features.platform import STANDARD
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

{gateway}
## Console

Of `python -m console`.

{console}"""

METRICS: Final = """# Metrics

{made}

All programs answer `/metrics`, `/healthz` (it lives) and `/readyz` (it works).

## Service

{service}
## Training loop

{loop}
## Gateway

{gateway}
## Console

{console}"""


RULES: Final = """# The language of rules

{made}

A rule is a condition about one payment:

    card_attempts_1h >= 5 and amount > money(200, "EUR") and not customer_id in list("good")

It runs no code: there are no loops, assignments, attributes or functions but those below, and a rule has at most 4,000
characters, 300 parts and 24 levels. It is checked against the platform's names and types when it is written. Lines may
break within parentheses.

**What is missing.** A comparison with something missing is neither true nor false, and so is a division by zero. `and`
is false where one part is false, `or` true where one is true, whatever else is missing. A rule that is neither does
nothing and is counted as not computed; `has(x)` asks whether x is there. The order of evaluation plays no part; meaning
is that of CEL (`tests/property/test_rules_oracle.py` holds random rules to it).

| written | of | means |
| --- | --- | --- |
| `and`, `or`, `not`, `true`, `false` | bool | |
| `<` `<=` `>` `>=` | numbers, money, times | also `2 < x <= 5`; a number beside money is in the base currency |
| `==` `!=` | all of one type | texts as they stand in the event, byte by byte |
| `+` `-` `*` `/` | numbers, money | money times or by a number is money, money by money a number |
| `x in ("a", "b")`, `x not in (…)` | text, numbers | one of up to about 200 constants; of one: `("a",)` |
| `x in list("name")` | text | on that list at the time of the payment; a list that nobody filled is empty |
| `x in cidr("10.0.0.0/8", "2001:db8::/32")` | text | an address in one of them; unknown where it is none |
| `has(x)` | a name | whether the payment has it |
| `money(12.5, "USD")` | | in the base currency, by the rate of the payment's day |
| `startswith(x, "abc")`, `lower(x)` | text | |
| `abs(x)` | numbers, money | |
| `time("2026-12-01T08:00:00Z")` | | a moment |
| `hour(t)`, `weekday(t)` | time | 0 to 23, 1 (Monday) to 7; by `tz_offset_min` where known, else UTC |
| `hours(later, earlier)` | times | hours between |
| `attribute("risk level")` | | an own field whose name is no plain word; else `attribute_<name>` |

## Names

Of a platform without fields of its own. Every measure of the history is there in every window, whether or not the model
reads it; it tells of what came before the payment. Measures are kept in single precision: 7 digits.

{names}"""


def names_table(vocabulary: Vocabulary) -> str:
    """All names with type, meaning and an example."""
    rows = (f"| `{n.name}` | {n.type} | {n.meaning} | `{vocabulary.example(n)}` |\n" for n in vocabulary)
    return "| name | type | meaning | example |\n| --- | --- | --- | --- |\n" + "".join(rows)


def pages() -> Mapping[str, str]:
    """Each page's name and text, as the code has them now."""
    registry, loop_registry = CollectorRegistry(), CollectorRegistry()
    gateway_registry, console_registry = CollectorRegistry(), CollectorRegistry()
    Metrics(registry)
    LoopMetrics(loop_registry)
    GatewayMetrics(gateway_registry)
    ConsoleMetrics(console_registry)
    return {
        "settings.md": SETTINGS.format(
            made=MADE,
            service=settings_rows(Settings),
            loop=settings_rows(LoopSettings),
            gateway=settings_rows(GatewaySettings),
            console=settings_rows(ConsoleSettings),
        ),
        "metrics.md": METRICS.format(
            made=MADE,
            service=metrics_table(registry),
            loop=metrics_table(loop_registry),
            gateway=metrics_table(gateway_registry),
            console=metrics_table(console_registry),
        ),
        "openapi.json": documents()["openapi.json"].decode(),
        "rules.md": RULES.format(made=MADE, names=names_table(vocabulary_of(STANDARD))),
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
