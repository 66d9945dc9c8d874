"""The page of models: what was announced, what lies in the directory, reports of the loop."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.accounts.roles import Role
from fraud.contracts.examples import EXAMPLES
from fraud.contracts.outbound import Announcement
from tests.support.console_events import act, case_id, decision, label, raw
from tests.support.console_site import Console, console
from tests.support.memory_topics import MemoryTopics


def directory(root: Path) -> Path:
    for number in (3, 4):
        version = root / "models" / str(number)
        version.mkdir(parents=True)
        (version / "manifest.json").write_text(json.dumps({"created_at": "2026-02-01T00:00:00Z", "strategy": "auto"}))
        (version / "BLESSED").touch()
    (root / "models" / "serving.json").write_text(json.dumps({"f": {"champion": 4, "previous": [3]}}))
    run = root / "runs" / "00012"
    run.mkdir(parents=True)
    record = {"at": "2026-02-01", "why": "labels", "decision": "promote", "reason": "better", "candidate": 4}
    figures = {"promised": {"precision": 0.31}, "drift": {"scores": 0.07}}
    (run / "record.json").write_text(json.dumps({**record, **figures}))
    (run / "report.html").write_text("<script>alert(1)</script>")
    (root / "secret.txt").write_text("secret")
    return root


@contextmanager
def models_desk(root: Path, topics: MemoryTopics) -> Iterator[Console]:
    folders = {"console_models_dir": root / "models", "console_reports_dir": root / "runs"}
    with console(root / "data", topics, **folders) as desk:
        yield desk


def serving(root: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((root / "models" / "serving.json").read_text())["f"]
    return found


def test_versions_are_shown_with_what_they_promised_what_came_of_it_and_the_runs(
    tmp_path: Path, topics: MemoryTopics
) -> None:
    topics.append("models", "fraud", raw(EXAMPLES["announcement"][1]))
    for number, flagged, verdict in ((70, True, "unauthorised"), (71, True, "genuine"), (72, False, "unauthorised")):
        action = {"action": "review", "model_action": "review"} if flagged else {}
        topics.append("decisions", "c", raw(decision(number, model_version=4, **action)))
        topics.append("labels", "k", raw(label(number, verdict)))
    with models_desk(directory(tmp_path), topics) as desk:
        page = desk.logged_in("mira").get("/models").text
        assert "0.310 / 0.500" in page, "precision: promised, and one of two flagged was fraud"
        assert "– / 0.500" in page, "recall: nothing was promised, and one of two frauds was flagged"
        assert "scores 0.07" in page
        assert "recall within the alert budget" in page
        assert 'action="/models/rollback"' not in page


def test_an_admin_rolls_back_where_the_console_may_write_and_the_act_is_told_and_noted(
    tmp_path: Path, topics: MemoryTopics
) -> None:
    root = directory(tmp_path)
    with models_desk(root, topics) as desk:
        form = {"features": "f", "champion": "4", "reason": "false alarms"}
        assert desk.logged_in("lea", Role.lead).send("/models/rollback", **form).status_code == 403
        ada = desk.logged_in("ada", Role.admin)
        assert "Roll version 4 back" in ada.get("/models").text
        assert ada.send("/models/rollback", **{**form, "champion": "3"}).status_code == 409, "the page was old"
        assert serving(root)["champion"] == 4
        assert ada.send("/models/rollback", **form).status_code == 303
        assert serving(root) == {"champion": 3, "shadow": None, "previous": []}
        noted = json.loads((root / "models" / "4" / "ROLLED_BACK.json").read_text())
        assert noted["reason"] == "ada: false alarms"
        said = Announcement.model_validate_json(desk.topics.records["models"][-1].value)
        assert (said.type, said.version, said.former) == ("rollback", 3, 4)
        assert ada.send("/models/rollback", **{**form, "champion": "3"}).status_code == 409, "nobody is left"
        assert "version 4 -&gt; 3: false alarms" in ada.get("/audit").text


def test_where_the_directory_cannot_be_written_the_command_is_shown_and_nothing_done(
    tmp_path: Path, topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = directory(tmp_path)
    monkeypatch.setattr("console.model_files.os.access", lambda _path, _mode: False)  # root may write everything
    with models_desk(root, topics) as desk:
        ada = desk.logged_in("ada", Role.admin)
        page = ada.get("/models").text
        assert "models is not writable" in page
        assert "python -m training rollback --models" in page
        form = {"features": "f", "champion": "4", "reason": "false alarms"}
        assert ada.send("/models/rollback", **form).status_code == 404
        assert serving(root)["champion"] == 4


def test_a_rollback_while_kafka_is_away_stands_and_says_what_is_missing(tmp_path: Path, topics: MemoryTopics) -> None:
    root = directory(tmp_path)
    with models_desk(root, topics) as desk:
        ada = desk.logged_in("ada", Role.admin)
        csrf = ada.csrf()
        desk.topics.away = True
        form = {"csrf": csrf, "features": "f", "champion": "4", "reason": "false alarms"}
        answer = ada.client.post("/models/rollback", data=form)
        assert answer.status_code == 503
        assert "was not told" in answer.text
        assert serving(root)["champion"] == 3


@pytest.mark.parametrize("name", ["../secret.txt", "..%2Fsecret.txt", "%2e%2e%2fsecret.txt", "00013", "00012%2Frecord"])
def test_no_file_but_the_reports_is_given_out(tmp_path: Path, topics: MemoryTopics, name: str) -> None:
    with models_desk(directory(tmp_path), topics) as desk:
        assert desk.logged_in("mira").get(f"/models/reports/{name}").status_code == 404


def test_a_report_is_a_file_to_keep_and_no_page_of_ours(tmp_path: Path, topics: MemoryTopics) -> None:
    with models_desk(directory(tmp_path), topics) as desk:
        mira = desk.logged_in("mira")
        assert 'href="/models/reports/00012"' in mira.get("/models").text
        answer = mira.get("/models/reports/00012")
        assert answer.text == "<script>alert(1)</script>"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"


def test_a_case_tells_which_version_came_after_its_label(tmp_path: Path, topics: MemoryTopics) -> None:
    for event in (act("claim", 1), act("verdict", 2)):
        topics.append("cases", "k", raw(event))
    topics.now_us += 60_000_000
    runs = tmp_path / "runs"
    with console(tmp_path, topics, console_reports_dir=runs) as desk:
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
        for run, made_us in ((8, desk.topics.now_us - 3_600_000_000), (9, desk.topics.now_us + 1)):
            (runs / f"{run:05d}").mkdir(parents=True)
            (runs / f"{run:05d}" / "record.json").write_text(json.dumps({"at_us": made_us}))
        for run, day in ((8, "2098-01-01"), (9, "2098-01-02")):
            told = {**EXAMPLES["announcement"][1], "version": run, "at": f"{day}T00:00:00Z", "run": run}
            desk.topics.append("models", "fraud", raw(told))
        desk.settle()
        page = mira.get(f"/case/{case_id(1)}").text
        assert "Version 9, promoted 2098-01-02T00:00:00Z, learnt from it in run 9." in page, (
            "run 8 was before the label"
        )
