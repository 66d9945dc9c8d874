"""What an analyst does in the browser decides the next payment: console, scorer, broker and Chromium, all real."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fraud.contracts.inbound import Label
from local.testbed.consoles import ConsoleStack
from local.testbed.events import raw, transaction
from local.testbed.scorer_run import ScorerRun
from service.adapters.kafka.group import Reader
from service.adapters.kafka.publisher import Outgoing, send_all
from tests.support.browsers import logged_in, no_faults, opened_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.kafka
USERS = {"mira": "analyst", "lea": "lead", "ada": "admin"}
DEVICE = "device-of-the-thief"


@pytest.fixture
def browser() -> Iterator["Browser"]:
    with opened_browser() as opened:
        yield opened


def values(scorer: ScorerRun, topic: str) -> list[bytes]:
    with closing(Reader(scorer.cluster, scorer.names[topic])) as reader:
        records = list(reader.replay(0, *reader.bounds(0)))
    return [value for share in records for value in share.values if value is not None]


def paid(scorer: ScorerRun, name: str, *, device: str, amount: str) -> dict[str, Any]:
    """The decision on a payment that is made now."""
    ids = {"card_id": f"card-{name}", "customer_id": f"customer-{name}", "ip": None}
    now = datetime.now(UTC).isoformat()
    event = transaction(0, transaction_id=name, event_time=now, device_id=device, amount=amount, **ids)
    send_all(scorer.cluster, [Outgoing(scorer.names["transactions_topic"], 0, b"c", raw(event), [])])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for value in values(scorer, "decisions_topic"):
            decision: dict[str, Any] = msgspec.json.decode(value)
            if decision["transaction_id"] == name:
                return decision
        time.sleep(0.1)
    raise AssertionError(f"{name} was not decided")


def paid_until(scorer: ScorerRun, name: str, wanted: str) -> dict[str, Any]:
    """Small payments of the device, one after another, until one is decided so: controls act within two seconds."""
    for number in range(40):
        decision = paid(scorer, f"{name}-{number}", device=DEVICE, amount="5.00")
        if decision["action"] == wanted:
            return decision
        time.sleep(0.25)
    raise AssertionError(decision)


@pytest.mark.timeout(900)
def test_an_id_that_is_listed_on_a_case_decides_the_next_payment_until_it_is_taken_back(
    make_scorer: Callable[..., ScorerRun], browser: "Browser"
) -> None:
    scorer = make_scorer()
    service = scorer.service()
    service.start()
    stack = ConsoleStack(scorer.servers, scorer.folder, scorer.name, given=scorer.names)
    try:
        console, port = stack.console("console", USERS)
        service.ready()
        console.ready()
        address = f"http://127.0.0.1:{port}"
        assert paid(scorer, "first", device=DEVICE, amount="900.00")["action"] != "allow"
        assert paid(scorer, "small", device=DEVICE, amount="5.00")["action"] == "allow"

        lea = logged_in(browser, address, "lea")
        lea.goto(f"{address}/controls/new/rule")
        lea.fill("input[name=control_id]", "denied-devices")
        lea.fill("#when", 'device_id in list("denied")')
        lea.select_option("select[name=effect]", "block")
        lea.fill("input[name=reason]", "devices of known thieves")
        lea.click("button[value=draft]")
        lea.wait_for_url("**/controls/denied-devices")
        ada = logged_in(browser, address, "ada")
        ada.goto(f"{address}/controls/denied-devices")
        ada.fill("form.line input[name=reason]", "checked")
        ada.click("button[value=approve]")
        ada.wait_for_selector("text=checked")

        mira = logged_in(browser, address, "mira")
        mira.reload()
        mira.locator("table.queue tbody a").first.click()
        mira.wait_for_selector(f"text={DEVICE}", state="attached")
        mira.click("button[value=claim]")
        mira.wait_for_selector("text=You hold this case")
        mira.check("input[value=unauthorised]")
        mira.click("button[value=stay]")
        mira.wait_for_selector("text=Judged unauthorised by mira")
        mira.click("summary:has-text('Act on this payment')")
        mira.select_option("#offer-field", "device_id")
        mira.fill("#offer-reason", "stolen card")
        mira.click("text=Do it")
        mira.wait_for_selector("text=Judged unauthorised by mira")
        listed = paid_until(scorer, "listed", "block")
        assert (listed["model_action"], listed["rules"]) == ("allow", ["denied-devices@2"])
        assert paid(scorer, "other", device="another", amount="5.00")["action"] == "allow"

        mira.goto(f"{address}/controls?kind=list_entry")
        mira.locator("tbody a").first.click()
        mira.fill("form.line input[name=reason]", "it was the owner")
        mira.click("button[value=archive]")
        mira.wait_for_selector("text=it was the owner")
        assert not paid_until(scorer, "freed", "allow").get("rules")
        for page in (lea, ada, mira):
            no_faults(page)
        (label,) = (Label.model_validate_json(value) for value in values(scorer, "labels_topic"))
        assert (label.transaction_id, label.verdict, label.source) == ("first", "unauthorised", "analyst")
    finally:
        stack.close()
