"""Debian's Chromium, driven: somebody who is logged in at a console, and what axe and the browser find wrong."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.console_site import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
SECONDS = 40_000
"""Playwright's patience, ms: the machine may be busy."""


def refuse(reason: str) -> None:
    """Fail where a browser is promised (CI=true), skip on a machine that has none."""
    if os.getenv("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def opened_browser() -> Iterator["Browser"]:
    """Chromium, for as long as the block lasts; without it the test is skipped, and fails in CI."""
    if not CHROMIUM.exists():
        refuse(f"{CHROMIUM} is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def logged_in(browser: "Browser", address: str, name: str, **options: object) -> "Page":
    """Somebody's page of the queue; `options` are those of Playwright's contexts."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type] # Playwright's own options
    page.set_default_timeout(SECONDS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/login")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue")
    page.faults = faults  # type: ignore[attr-defined] # read by `no_faults`
    return page


def no_faults(page: "Page", *, but: str = "") -> None:
    """Nothing in the browser's console: no script failed, and the policy blocked nothing that the page needs.

    `but`: part of a message that is expected, such as the status of a refused form.
    """
    faults: list[str] = page.faults  # type: ignore[attr-defined] # as above
    assert [fault for fault in faults if not but or but not in fault] == []


def violations(page: "Page") -> list[str]:
    """What axe finds against WCAG 2.2 AA, by rule and place."""
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def shot(page: "Page", name: str) -> None:
    """A picture for the docs, where CONSOLE_SHOTS names a folder."""
    folder = os.getenv("CONSOLE_SHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=False)
