"""Rules, lists and levers by form: versions, approval by a second person, what a case offers."""

import re
from pathlib import Path

import httpx
import pytest

from console.accounts.roles import Role
from fraud.contracts.controls import Control
from fraud.privacy.keys import PSEUDONYMS, derived
from fraud.privacy.pseudonyms import Pseudonyms
from tests.support.console_events import alert, case_id, decision, label, payment, raw
from tests.support.console_site import Browser, Console, console
from tests.support.memory_topics import MemoryTopics

RULE = {"control_id": "night", "kind": "rule", "when": "amount > 500", "effect": "block", "reason": "seen at night"}
ALLOW = {**RULE, "control_id": "regulars", "effect": "allow", "max_amount": "80", "max_score": "0.5"}


def written(desk: Console) -> list[Control]:
    return [Control.model_validate_json(record.value) for record in desk.topics.records["controls"]]


def write(browser: Browser, version: int = 0, /, **fields: str) -> httpx.Response:
    return browser.send("/controls", version=version, **fields)


def test_a_rule_is_written_as_a_draft_then_made_live_by_a_lead(desk: Console) -> None:
    mira, lea = desk.logged_in("mira"), desk.logged_in("lea", Role.lead)
    assert write(mira, **RULE, status="draft").headers["location"] == "/controls/night"
    page = lea.get("/controls/night").text
    assert "amount &gt; 500" in page
    assert lea.send("/controls/night/step", step="approve", version=1, reason="looks right").status_code == 303
    first, second = written(desk)
    assert (first.status, first.author, first.approver) == ("draft", "mira", None)
    assert (second.status, second.version, second.approver) == ("live", 2, "lea")
    assert "looks right" in mira.get("/controls/night").text


def test_nobody_lets_payments_through_alone(desk: Console) -> None:
    lea, ada = desk.logged_in("lea", Role.lead), desk.logged_in("ada", Role.admin)
    assert write(lea, **ALLOW, status="live").status_code == 409
    assert write(lea, **ALLOW, status="draft").status_code == 303
    assert 'value="approve"' not in lea.get("/controls/regulars").text
    assert lea.send("/controls/regulars/step", step="approve", version=1, reason="mine").status_code == 409
    assert ada.send("/controls/regulars/step", step="approve", version=1, reason="checked").status_code == 303
    assert written(desk)[-1].status == "live"


def test_of_two_who_change_one_version_the_second_is_told(desk: Console) -> None:
    mira, tom = desk.logged_in("mira"), desk.logged_in("tom")
    write(mira, **RULE, status="draft")
    assert write(mira, 1, **{**RULE, "when": "amount > 600"}, status="draft").status_code == 303
    late = write(tom, 1, **{**RULE, "when": "amount > 700"}, status="draft")
    assert late.status_code == 409
    assert "theirs stands" in late.text
    assert [control.version for control in written(desk)] == [1, 2]


def test_each_version_shows_what_it_changed(desk: Console) -> None:
    mira = desk.logged_in("mira")
    write(mira, **RULE, status="draft")
    write(mira, 1, **{**RULE, "when": "amount > 600"}, status="shadow")
    page = mira.get("/controls/night").text
    assert re.search(r'class="removed">- .*amount &gt; 500', page)
    assert re.search(r'class="added">\+ .*amount &gt; 600', page)


@pytest.mark.parametrize(
    "wrong",
    [
        {"when": ""},
        {"effect": "explode"},
        {"share": "2"},
        {"share": "x"},
        {"valid_until": "soon"},
        {"control_id": "../x"},
        {"kind": "spell"},
        {"reason": ""},
    ],
)
def test_a_control_that_breaks_the_contract_is_not_written(desk: Console, wrong: dict[str, str]) -> None:
    mira = desk.logged_in("mira")
    assert write(mira, **{**RULE, **wrong}, status="draft").status_code == 409
    assert written(desk) == []


def test_a_case_offers_its_device_for_a_list_with_an_end(desk: Console) -> None:
    mira = desk.logged_in("mira")
    form = {"field": "device_id", "what": "list", "list": "denied", "days": "7", "reason": "farm"}
    assert mira.send(f"/case/{case_id(1)}/offer", **form).headers["location"] == f"/case/{case_id(1)}"
    (entry,) = written(desk)
    assert entry.list_entry is not None
    assert (entry.list_entry.list, entry.list_entry.values, entry.status) == ("denied", ["device1"], "live")
    assert entry.valid_until is not None
    assert (entry.valid_until - entry.written_at).days == 7
    assert entry.control_id in mira.get("/controls?kind=list_entry").text


def test_under_pseudonyms_the_true_id_is_listed_which_the_scorer_compares(tmp_path: Path) -> None:
    topics, secret = MemoryTopics(), "a secret of the tests"
    names = Pseudonyms(derived(secret, PSEUDONYMS))
    for number in (1, 2):
        topics.append("payments", "c", raw(payment(number)))
    hidden = payment(2)
    hidden |= names.event_fields({name: value for name, value in hidden.items() if isinstance(value, str)})
    source = {"topic": "payments", "partition": 0, "offset": 1}
    topics.append("alerts", "c", raw(alert(2, paid=hidden, source=source)))
    topics.append("decisions", "c", raw(decision(2, alert_id=case_id(2), action="review", source=source)))
    with console(tmp_path, topics, secret=secret, pseudonyms=True) as desk:
        mira = desk.logged_in("mira")
        page = mira.get(f"/case/{case_id(2)}").text
        assert names.of("device2") in page
        assert ">device2<" not in page
        form = {"field": "device_id", "what": "list", "list": "denied", "days": "7", "reason": "farm"}
        assert mira.send(f"/case/{case_id(2)}/offer", **form).status_code == 303
        (entry,) = written(desk)
        assert entry.list_entry is not None
        assert entry.list_entry.values == ["device2"]


def test_an_override_waits_for_a_second_person_and_a_block_does_not(desk: Console) -> None:
    mira = desk.logged_in("mira")
    form = {"field": "customer_id", "days": "1", "reason": "travels", "up_to": "400", "list": "x"}
    mira.send(f"/case/{case_id(1)}/offer", **form, what="allow")
    mira.send(f"/case/{case_id(1)}/offer", **form, what="block")
    allow, block = written(desk)
    assert (allow.status, block.status) == ("draft", "live")
    assert mira.send(f"/case/{case_id(1)}/offer", **{**form, "field": "bin"}, what="block").status_code == 409
    assert mira.send(f"/case/{case_id(1)}/offer", **{**form, "days": "0"}, what="block").status_code == 409


def test_a_viewer_writes_no_control(desk: Console) -> None:
    viewer = desk.logged_in("eve", Role.viewer)
    assert write(viewer, **RULE, status="draft").status_code == 403
    assert viewer.get("/controls/new/rule").status_code == 403
    assert written(desk) == []


def test_an_analyst_approves_nothing_and_sets_no_lever(desk: Console) -> None:
    mira, tom = desk.logged_in("mira"), desk.logged_in("tom")
    write(mira, **RULE, status="draft")
    assert tom.send("/controls/night/step", step="approve", version=1, reason="x").status_code == 403
    assert (
        write(tom, control_id="levers", kind="policy", flag_from="0.5", reason="x", status="draft").status_code == 403
    )
    lea = desk.logged_in("lea", Role.lead)
    assert (
        write(lea, control_id="levers", kind="policy", explore_share="0.01", reason="x", status="live").status_code
        == 303
    )


def test_a_rules_page_counts_the_cases_on_which_it_fired(desk: Console) -> None:
    mira = desk.logged_in("mira")
    write(mira, **RULE, status="live")
    for number, names in ((80, ["night@1"]), (81, ["nightly@1"]), (82, ["night@1", "night@2"])):
        desk.topics.append("alerts", "c", raw(alert(number, rules=names)))
        told = decision(number, rules=names, alert_id=case_id(number), action="review")
        desk.topics.append("decisions", "c", raw(told))
    desk.topics.append("decisions", "c", raw(decision(83, rules_shadow=["night@1"])))
    desk.topics.append("labels", "k", raw(label(83, "unauthorised")))
    desk.settle()
    live, shadow = re.findall(r'<th scope="row">(?:live|shadow)</th>(.*)</tr>', mira.get("/controls/night").text)
    assert re.findall(r">(\d+)<", live) == ["2", "2", "0", "0"], "payments, cases, frauds, good"
    assert re.findall(r">(\d+)<", shadow) == ["1", "0", "1", "0"], "a fraud that was allowed"


@pytest.mark.parametrize("kind", ["rule", "list_entry", "condition", "policy"])
def test_a_form_of_each_kind_is_empty_at_first(desk: Console, kind: str) -> None:
    page = desk.logged_in("mira").get(f"/controls/new/{kind}")
    assert page.status_code == 200
    assert 'name="control_id"' in page.text
