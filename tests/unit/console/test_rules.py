"""What helps to write a rule: what is wrong with it, which names there are, what it would have done."""

import re
import time

import httpx
import pytest

from console.accounts.roles import Role
from fraud.contracts.controls import Control
from tests.support.console_events import decision, label, payment, raw
from tests.support.console_site import Browser, Console

RULE = {"control_id": "many", "kind": "rule", "when": "amount > 500", "effect": "block", "reason": "seen"}


def write(browser: Browser, when: str, *, version: int = 0, status: str = "draft") -> httpx.Response:
    return browser.send("/controls", version=version, **{**RULE, "when": when}, status=status)


def tried(browser: Browser, days: int = 7) -> str:
    """The outcome of a backtest, once there is one."""
    assert browser.send("/controls/many/backtest", days=days).status_code == 303
    for _ in range(2_000):
        page = browser.get("/controls/many/backtest").text
        if "At work" not in page:
            return page
        time.sleep(0.02)
    raise AssertionError(page)


def figure(page: str, name: str) -> str:
    found = re.search(f"<dt>{re.escape(name)}</dt><dd>([^<]*)</dd>", page)
    assert found is not None, page
    return found[1]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("ammount > 500", "amount"),
        ("device_attempt_1h > 3", "device_attempts_1h"),
        ('amount > "many"', "money"),
        ("amount >", "when: at"),
        ("card_country + 1 > 2", "text + number"),
    ],
)
def test_a_rule_that_cannot_be_is_shown_again_with_what_is_wrong(desk: Console, when: str, told: str) -> None:
    mira = desk.logged_in("mira")
    answer = write(mira, when)
    assert answer.status_code == 409
    alert = re.search('role="alert"[^>]*>([^<]*)<', answer.text)
    assert alert is not None
    assert told in alert[1]
    assert f">{escaped(when)}</textarea>" in answer.text, "nothing that was typed is lost"
    assert 'value="seen"' in answer.text
    assert desk.topics.records["controls"] == []


def escaped(text: str) -> str:
    return text.replace(">", "&gt;").replace('"', "&#34;")


def test_a_condition_on_a_field_that_is_none_is_told_the_nearest(desk: Console) -> None:
    mira = desk.logged_in("mira")
    form = {"control_id": "x", "kind": "condition", "id": "c1", "effect": "block", "reason": "x"}
    answer = mira.send("/controls", version=0, **form, entity="custommer_id", status="live")
    assert answer.status_code == 409
    assert "is it customer_id?" in answer.text
    assert mira.send("/controls", version=0, **form, entity="amount", status="live").status_code == 409
    assert mira.send("/controls", version=0, **form, entity="customer_id", status="live").status_code == 303


def test_what_the_form_shows_of_a_control_is_what_it_writes_again(desk: Console) -> None:
    lea = desk.logged_in("lea", Role.lead)
    lever = {"control_id": "x", "kind": "policy", "reason": "sale", "valid_from": "2027-02-01T00:00"}
    costs = "review = 4.5\nchallenge_lost = 0.1"
    assert lea.send("/controls", version=0, **lever, costs="review 4", status="draft").status_code == 409
    ends = {"valid_until": "2027-03-01T00:00"}
    assert lea.send("/controls", version=0, **lever, **ends, costs=costs, status="draft").status_code == 303
    page = lea.get("/controls/x").text
    assert f">{costs}</textarea>" in page
    assert 'name="valid_from" type="datetime-local" value="2027-02-01T00:00"' in page
    written = Control.model_validate_json(desk.topics.records["controls"][-1].value)
    assert written.policy is not None
    assert written.policy.costs == {"review": 4.5, "challenge_lost": 0.1}
    assert written.valid_from is not None


def test_names_are_found_by_word_and_told_with_type_meaning_and_example(desk: Console) -> None:
    viewer = desk.logged_in("eve", Role.viewer)
    page = viewer.get("/names?find=device+attempts").text
    assert "device_attempts_1h" in page
    assert "attempts of this device in 1h" in page
    assert "device_attempts_1h &gt;= 3" in page
    assert "card_declines_1h" not in page


def test_a_rule_page_tells_which_lists_it_looks_in(desk: Console) -> None:
    mira = desk.logged_in("mira")
    entry = {"control_id": "bad", "kind": "list_entry", "list": "denied", "values": "device1\ndevice2", "reason": "x"}
    assert mira.send("/controls", version=0, **entry, status="live").status_code == 303
    write(mira, 'device_id in list("denied") or device_id in list("nobody")')
    page = mira.get("/controls/many").text
    assert "<code>denied</code> (2 values), <code>nobody</code> (0 values)" in page


def test_a_draft_is_tried_on_the_payments_and_labels_that_are_there(desk: Console) -> None:
    for number, verdict in ((10, "unauthorised"), (15, "genuine"), (20, "genuine"), (11, "unauthorised")):
        desk.topics.append("labels", "k", raw(label(number, verdict)))
    desk.topics.append("labels", "k", raw(label(20, "unauthorised", label_id="second", supersedes="l20")))
    desk.settle()
    mira = desk.logged_in("mira")
    write(mira, 'device_id == "device0"')
    assert "Not tried yet" in mira.get("/controls/many").text
    page = tried(mira)
    hit = [number for number in range(10, 50) if number % 5 == 0]
    assert figure(page, "Payments that it hits") == str(len(hit))
    assert figure(page, "allow -&gt; block") == str(len(hit))
    assert figure(page, "Known frauds among them") == "2 of 3", "the label that stands counts, not the one before it"
    assert figure(page, "Hits known as genuine") == "1, of 1 customers"
    assert "43 payments since" in page
    assert "Payments that it hits" in mira.get("/controls/many").text, "who approves it sees it as well"


def test_measures_of_the_past_are_counted_from_the_payments_before(desk: Console) -> None:
    for number in range(100, 105):
        ids = {
            "customer_id": "cx",
            "device_id": "dx",
            "card_fingerprint": "kx",
            "email_hash": "mx",
            "order_id": f"o{number}",
        }
        desk.topics.append("payments", "c", raw(payment(number, **ids)))
        desk.topics.append("decisions", "c", raw(decision(number)))
    desk.settle()
    mira = desk.logged_in("mira")
    write(mira, 'device_id == "dx" and device_attempts_1h >= 2')
    assert figure(tried(mira), "Payments that it hits") == "3", "the third, fourth and fifth"


def test_scores_and_the_controls_of_today_are_those_beside_which_a_draft_is_tried(desk: Console) -> None:
    mira, lea = desk.logged_in("mira"), desk.logged_in("lea", Role.lead)
    live = {**RULE, "control_id": "other", "when": 'device_id == "device0"'}
    assert mira.send("/controls", version=0, **live, status="live").status_code == 303
    write(mira, 'score < 0.5 and (device_id == "device0" or device_id == "device1")')
    page = tried(lea)
    assert figure(page, "Hits of other controls too") == "8"
    assert figure(page, "allow -&gt; block") == "8", "device1 alone: the others were blocked already"


def test_what_no_decision_is_known_of_is_told_and_not_judged(desk: Console) -> None:
    desk.topics.append("payments", "c", raw(payment(60)))
    mira = desk.logged_in("mira")
    write(mira, "amount >= 0")
    page = tried(mira)
    assert figure(page, "Payments without a decision, not judged") == "1"


def test_a_backtest_of_a_lever_or_by_a_viewer_is_refused(desk: Console) -> None:
    lea, eve = desk.logged_in("lea", Role.lead), desk.logged_in("eve", Role.viewer)
    lever = {"control_id": "many", "kind": "policy", "flag_from": "0.4", "reason": "x"}
    assert lea.send("/controls", version=0, **lever, status="draft").status_code == 303
    assert lea.send("/controls/many/backtest", days=7).status_code == 404
    assert eve.send("/controls/many/backtest", days=7).status_code == 403


def test_while_kafka_is_away_a_backtest_says_so(desk: Console) -> None:
    mira = desk.logged_in("mira")
    write(mira, "amount > 1")
    desk.topics.away = True
    assert "Kafka is away" in tried(mira)
