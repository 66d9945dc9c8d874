"""The page of models: what was announced, what lies in the directory, reports of the loop."""

import json
from pathlib import Path

import pytest

from console.accounts.roles import Role
from fraud.contracts.examples import EXAMPLES
from tests.support.console_events import act, case_id, raw
from tests.support.console_site import console
from tests.support.memory_topics import MemoryTopics


def directory(root: Path) -> Path:
    for number in (3, 4):
        version = root / "models" / str(number)
        version.mkdir(parents=True)
        (version / "manifest.json").write_text(json.dumps({"created_at": "2026-02-01T00:00:00Z", "strategy": "auto"}))
        (version / "metrics.json").write_text(json.dumps({"average_precision": 0.31, "curve": [1]}))
    (root / "models" / "4" / "BLESSED").touch()
    (root / "models" / "serving.json").write_text(json.dumps({"f": {"champion": 4, "shadow": 3}}))
    (root / "reports").mkdir()
    (root / "reports" / "run-12.html").write_text("<script>alert(1)</script>")
    (root / "secret.txt").write_text("secret")
    return root


def test_versions_and_announcements_are_shown_and_admins_learn_how_to_roll_back(
    tmp_path: Path, topics: MemoryTopics
) -> None:
    root = directory(tmp_path)
    topics.append("models", "fraud", raw(EXAMPLES["announcement"][1]))
    folders = {"console_models_dir": root / "models", "console_reports_dir": root / "reports"}
    with console(tmp_path / "data", topics, **folders) as desk:
        page = desk.logged_in("mira").get("/models").text
        assert "average_precision 0.31" in page
        assert "champion" in page
        assert "recall within the alert budget" in page
        assert "training rollback" not in page
        assert "training rollback" in desk.logged_in("ada", Role.admin).get("/models").text


@pytest.mark.parametrize("name", ["../secret.txt", "..%2Fsecret.txt", "%2e%2e%2fsecret.txt", "nothing.html"])
def test_no_file_but_the_reports_is_given_out(tmp_path: Path, topics: MemoryTopics, name: str) -> None:
    root = directory(tmp_path)
    with console(tmp_path / "data", topics, console_reports_dir=root / "reports") as desk:
        assert desk.logged_in("mira").get(f"/models/reports/{name}").status_code == 404


def test_a_report_is_a_file_to_keep_and_no_page_of_ours(tmp_path: Path, topics: MemoryTopics) -> None:
    with console(tmp_path / "data", topics, console_reports_dir=directory(tmp_path) / "reports") as desk:
        answer = desk.logged_in("mira").get("/models/reports/run-12.html")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"


def test_a_case_tells_which_version_came_after_its_label(tmp_path: Path, topics: MemoryTopics) -> None:
    for event in (act("claim", 1), act("verdict", 2)):
        topics.append("cases", "k", raw(event))
    topics.now_us += 60_000_000
    with console(tmp_path, topics) as desk:
        for _ in range(500):
            if desk.topics.records["labels"]:
                break
            desk.site.follower._stop.wait(0.01)
        desk.settle()
        mira = desk.logged_in("mira")
        assert "No version was promoted" in mira.get(f"/case/{case_id(1)}").text
        for version, day in ((7, "2020-01-01"), (8, "2099-01-01")):
            told = {**EXAMPLES["announcement"][1], "version": version, "at": f"{day}T00:00:00Z"}
            desk.topics.append("models", "fraud", raw(told))
        desk.settle()
        assert "Version 8, promoted" in mira.get(f"/case/{case_id(1)}").text
