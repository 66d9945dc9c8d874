"""The alert rules: each has a runbook section, a test, and a severity that somebody acts on."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "prometheus"


def alerts() -> list[dict[str, Any]]:
    loaded = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("rules/*.yml"))]
    rules = [rule for one in loaded for group in one["groups"] for rule in group["rules"]]
    return [rule for rule in rules if "alert" in rule]


every_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda rule: str(rule["alert"]))


@every_alert
def test_its_runbook_has_a_section_of_its_name(alert: dict[str, Any]) -> None:
    path, anchor = alert["annotations"]["runbook_url"].split("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    assert alert["alert"] in headings
    assert anchor == alert["alert"].lower()


@every_alert
def test_it_says_what_is_wrong_and_how_urgent_it_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"].endswith(".")


@every_alert
def test_promtool_is_told_when_it_fires_and_when_not(alert: dict[str, Any]) -> None:
    tests = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("tests/*.yml"))]
    cases = [case for one in tests for block in one["tests"] for case in block["alert_rule_test"]]
    mine = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert["alert"]]
    assert set(mine) == {True, False}


def test_runbooks_have_no_section_without_an_alert() -> None:
    names = {alert["alert"] for alert in alerts()}
    for page in ("service", "model", "business", "gateway"):
        text = (ROOT / "docs" / "how-to" / "runbooks" / f"{page}.md").read_text(encoding="utf-8")
        assert set(re.findall(r"^## (\w+)$", text, re.MULTILINE)) <= names
