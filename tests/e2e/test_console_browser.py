"""The console in a real browser, Debian's Chromium: a morning's work; every page under axe, in the dark, on a phone."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn

from console.accounts.roles import Role
from console.web.app import application
from fraud.contracts.controls import Control
from fraud.contracts.inbound import Label
from local.ports import free_port
from tests.support.browsers import SECONDS, logged_in, no_faults, opened_browser, shot, violations
from tests.support.console_events import alert, case_id, decision, payment, raw
from tests.support.console_site import PASSWORD, Console, console
from tests.support.memory_topics import MemoryTopics

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with opened_browser() as opened:
        yield opened


def models(folder: Path) -> Path:
    """A model directory in which version 4 serves, and 3 did before."""
    for number in (3, 4):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "BLESSED").touch()
        manifest = {"created_at": "2027-01-10T00:00:00+00:00", "strategy": "auto"}
        (folder / str(number) / "manifest.json").write_text(json.dumps(manifest))
    (folder / "serving.json").write_text(json.dumps({"2f9c": {"champion": 4, "previous": [3]}}))
    return folder


def runs(folder: Path) -> Path:
    """The record of the run that made version 4."""
    (folder / "00007").mkdir(parents=True)
    record = {"at": "2027-01-10T00:00:00+00:00", "why": "1,000 new labels", "decision": "promote", "candidate": 4}
    figures = {"reason": "better by 0.04", "promised": {"precision": 0.41, "recall": 0.62}, "drift": {"scores": 0.07}}
    (folder / "00007" / "record.json").write_text(json.dumps(record | figures))
    (folder / "00007" / "report.html").write_text("<p>a report</p>")
    return folder


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Three alerts whose payments share a device with others, and allowed payments to draw blind cases from."""
    topics = MemoryTopics()
    for number in range(40):
        topics.append("payments", "c", raw(payment(number)))
        if number in (5, 10, 15):
            topics.append("alerts", "c", raw(alert(number, gain=float(number))))
        else:
            topics.append("decisions", "c", raw(decision(number)))
    root = tmp_path_factory.mktemp("console")
    folders = {"console_models_dir": models(root / "models"), "console_reports_dir": runs(root / "runs")}
    with console(root / "data", topics, **folders) as made:
        for name, role in (("mira", Role.analyst), ("lea", Role.lead), ("ada", Role.admin)):
            made.site.accounts.put_user(name, role, PASSWORD)
        yield made


@pytest.fixture(scope="module")
def address(desk: Console) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(application(desk.site), host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


def labels(desk: Console) -> list[Label]:
    return [Label.model_validate_json(record.value) for record in desk.topics.records["labels"]]


def test_a_morning_by_keyboard_alone(desk: Console, browser: "Browser", address: str) -> None:
    page = logged_in(browser, address, "mira", viewport={"width": 1280, "height": 900})
    shot(page, "queue")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case/*")
    assert page.url.endswith(case_id(15)), "the worthiest comes first"
    assert "cards from this device" in page.inner_text("main")
    page.keyboard.press("c")
    page.wait_for_selector("text=You hold this case")
    shot(page, "case")
    page.keyboard.press("1")
    page.click("button[value=stay]")
    page.wait_for_selector("text=Judged unauthorised by mira")
    page.fill("input[name=text]", "the customer called")
    page.click("button[value=reopen]")
    page.wait_for_selector("text=You hold this case")
    page.keyboard.press("4")
    page.select_option("select[name=reason_code]", "customer_confirmed")
    page.click("button[value=next]")
    page.wait_for_url(lambda url: "/case/" in url and not url.endswith(case_id(15)))
    page.wait_for_selector("text=You hold this case")
    no_faults(page)
    desk.settle()
    threading.Event().wait(1.0)
    first, second = labels(desk)[:2]
    assert (first.verdict, second.verdict, second.supersedes) == ("unauthorised", "genuine", first.label_id)


def test_a_blind_case_shows_no_score_before_the_verdict(browser: "Browser", address: str) -> None:
    page = logged_in(browser, address, "mira")
    row = page.locator("table.queue tbody tr", has_text="blind").first
    assert "hidden until judged" in row.inner_text()
    row.locator("a").click()
    page.wait_for_selector("text=Drawn at random")
    assert "Score 0.010" not in page.inner_text("body")
    page.click("button[value=claim]")
    page.check("input[value=genuine]")
    page.click("button[value=stay]")
    page.wait_for_selector("text=Score 0.010")


def test_a_rule_is_written_by_one_and_approved_by_another(desk: Console, browser: "Browser", address: str) -> None:
    lea = logged_in(browser, address, "lea")
    lea.goto(f"{address}/controls/new/rule")
    lea.fill("input[name=control_id]", "regulars")
    lea.click("summary:has-text('Names that rules may use')")
    lea.fill("input[name=find]", "device attempts")
    lea.wait_for_selector("#names >> text=attempts of this device in 1h")
    lea.fill("#when", "ammount < 80 and device_attempts_1h < 5")
    lea.select_option("select[name=effect]", "allow")
    lea.fill("input[name=max_amount]", "80")
    lea.fill("input[name=max_score]", "0.5")
    lea.fill("input[name=reason]", "known customers")
    lea.click("button[value=draft]")
    assert "amount" in lea.inner_text("[role=alert]")
    assert violations(lea) == []
    lea.fill("#when", "amount < 80 and device_attempts_1h < 5")
    lea.click("button[value=draft]")
    lea.wait_for_url("**/controls/regulars")
    assert lea.locator("button[value=approve]").count() == 0
    lea.click("text=Try it on past payments")
    lea.wait_for_selector("text=Payments that it hits", timeout=120_000)  # the first one may compile
    no_faults(lea, but="409")
    ada = logged_in(browser, address, "ada", viewport={"width": 1280, "height": 1100})
    ada.goto(f"{address}/controls/regulars")
    assert "Payments that it hits" in ada.inner_text("#backtest"), "who approves sees what it would have done"
    shot(ada, "rule")
    assert violations(ada) == []
    ada.fill("form.line input[name=reason]", "checked the numbers")
    ada.click("button[value=approve]")
    ada.wait_for_selector("text=checked the numbers")
    last = Control.model_validate_json(desk.topics.records["controls"][-1].value)
    assert (last.status, last.author, last.approver) == ("live", "ada", "ada")


def test_an_admin_rolls_the_model_back(browser: "Browser", address: str) -> None:
    ada = logged_in(browser, address, "ada", viewport={"width": 1280, "height": 800})
    ada.goto(f"{address}/models")
    shot(ada, "models")
    assert violations(ada) == []
    ada.fill("input[name=reason]", "false alarms")
    ada.click("text=Roll version 4 back")
    ada.wait_for_selector("text=ada: false alarms")
    assert "nobody served before it" in ada.inner_text("main")
    no_faults(ada)


PAGES = {
    "queue": "/queue",
    "judged": "/queue?state=closed",
    "case": f"/case/{case_id(5)}",
    "group": f"/case/{case_id(5)}/group/device",
    "controls": "/controls",
    "rule": "/controls/new/rule",
    "written rule": "/controls/regulars",
    "names": "/names",
    "list": "/controls/new/list_entry",
    "condition": "/controls/new/condition",
    "levers": "/controls/new/policy",
    "models": "/models",
    "audit": "/audit",
    "missing": "/nowhere",
    "login": "/login",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(browser: "Browser", address: str, scheme: str) -> None:
    page = logged_in(browser, address, "lea", color_scheme=scheme)
    found = {}
    for name, path in PAGES.items():
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        found[name] = violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


WIDEST = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [document.documentElement.scrollWidth, ...[...document.querySelectorAll("body *")]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.outerHTML.slice(0, 120))]"""
"""What sticks out of the window, where anything does."""


@pytest.mark.parametrize("width", [320, 390], ids=["at 400 % of 1280", "phone"])
def test_no_page_is_wider_than_the_screen(browser: "Browser", address: str, width: int) -> None:
    page = logged_in(browser, address, "lea", viewport={"width": width, "height": 700})
    wide = {}
    for name, path in PAGES.items():
        page.goto(address + path)
        wide[name] = page.evaluate(WIDEST)
    shot(page, f"narrow-{width}")
    assert {name: found for name, found in wide.items() if found} == {}


def test_forms_work_without_script(browser: "Browser", address: str) -> None:
    page = logged_in(browser, address, "lea", java_script_enabled=False)
    page.goto(f"{address}/case/{case_id(5)}")
    page.click("button[value=claim]")
    page.wait_for_selector("text=You hold this case")
    page.check("input[value=unauthorised]")
    page.click("button[value=stay]")
    page.wait_for_selector("text=Judged unauthorised by lea")


def test_the_table_is_refreshed_in_place(browser: "Browser", address: str) -> None:
    page = logged_in(browser, address, "mira")
    with page.expect_response(lambda answer: "page=0" in answer.url, timeout=SECONDS) as fetched:
        pass
    assert "<html" not in fetched.value.text()
    page.wait_for_selector("#table table.queue")
    assert page.locator("#table #table").count() == 0
    no_faults(page)
