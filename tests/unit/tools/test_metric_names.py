"""Dashboards and rules ask for nothing that the programs do not export."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from console.metrics import ConsoleMetrics
from gateway.metrics import Metrics as GatewayMetrics
from service.observability.metrics import Metrics
from training.loop.metrics import LoopMetrics

ROOT = Path(__file__).parents[3]


def declared() -> set[str]:
    """Names of every series that the programs export."""
    made = CollectorRegistry()
    Metrics(made)
    LoopMetrics(made)
    GatewayMetrics(made)
    ConsoleMetrics(made)
    names = set()
    for family in made.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + suffix for suffix in suffixes}
    return names


def rules() -> list[dict[str, str]]:
    files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    loaded = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return [rule for one in loaded for group in one["groups"] for rule in group["rules"]]


def queries() -> list[tuple[str, str]]:
    found = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    for file in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            found += [(f"{file.stem}: {panel['title']}", query["expr"]) for query in panel.get("targets", [])]
    return found


@pytest.mark.parametrize(("where", "expr"), queries())
def test_every_metric_of_a_query_is_declared(where: str, expr: str) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = set(re.findall(r"\bfraud_\w+", expr)) | set(re.findall(r"\bfraud:[\w:]+", expr))
    unknown = asked - declared() - recorded
    assert not unknown, f"{where} asks for {sorted(unknown)}"


def test_every_declared_metric_of_ours_is_shown_or_watched() -> None:
    text = " ".join(expr for _, expr in queries())
    base = {re.sub(r"_(bucket|sum|count)$", "", name) for name in declared() if name.startswith("fraud_")}
    unseen = {name for name in base if not re.search(rf"\b{name}(_bucket|_sum|_count)?\b", text)}
    assert not unseen
