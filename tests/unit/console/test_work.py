"""A queue worked through: claims, verdicts, labels, undo, blind cases, groups."""

import re

from console.accounts.roles import Role
from fraud.contracts.cases import CaseEvent
from fraud.contracts.inbound import Label
from tests.support.console_events import alert, case_id, payment, raw
from tests.support.console_site import Console

GENUINE = {"verdict": "genuine", "reason_code": "customer_confirmed"}
STOLEN = {"verdict": "unauthorised", "reason_code": "stolen_card", "text": "eight cards"}


def labels(desk: Console) -> list[Label]:
    return [Label.model_validate_json(record.value) for record in desk.topics.records["labels"]]


def events(desk: Console) -> list[CaseEvent]:
    return [CaseEvent.model_validate_json(record.value) for record in desk.topics.records["cases"]]


def order(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/case/([^"]+)"', page)


def until_labels(desk: Console, count: int) -> list[Label]:
    for _ in range(500):
        if len(labels(desk)) >= count:
            break
        desk.site.follower._stop.wait(0.01)
    return labels(desk)


def test_the_queue_is_ordered_by_what_a_minute_saves(desk: Console) -> None:
    page = desk.logged_in("mira").get("/queue").text
    alerts = [case for case in order(page) if case in {case_id(1), case_id(2), case_id(3)}]
    assert alerts == [case_id(2), case_id(1), case_id(3)]


def test_a_case_is_claimed_judged_and_its_label_stands_in_the_topic(desk: Console) -> None:
    mira = desk.logged_in("mira")
    assert mira.act(case_id(1), "claim").status_code == 303
    assert "You hold this case" in mira.get(f"/case/{case_id(1)}").text
    assert mira.act(case_id(1), "verdict", **STOLEN).headers["location"] == f"/case/{case_id(1)}"
    (label,) = until_labels(desk, 1)
    assert (label.transaction_id, label.verdict, label.source, label.reason_code) == (
        "t1",
        "unauthorised",
        "analyst",
        "stolen_card",
    )
    assert case_id(1) not in order(mira.get("/queue").text)
    assert case_id(1) in order(mira.get("/queue?state=closed").text)
    desk.settle()
    assert "unauthorised, analyst" in mira.get(f"/case/{case_id(1)}").text


def test_a_verdict_is_undone_by_one_that_supersedes_its_label(desk: Console) -> None:
    mira = desk.logged_in("mira")
    mira.act(case_id(1), "claim")
    mira.act(case_id(1), "verdict", **STOLEN)
    assert mira.act(case_id(1), "reopen", text="wrong card").status_code == 303
    mira.act(case_id(1), "verdict", **GENUINE)
    first, second = until_labels(desk, 2)
    assert (second.verdict, second.supersedes) == ("genuine", first.label_id)


def test_two_analysts_never_hold_one_case(desk: Console) -> None:
    mira, tom = desk.logged_in("mira"), desk.logged_in("tom")
    stale = tom.version(case_id(1))
    assert mira.act(case_id(1), "claim").status_code == 303
    late = tom.send(f"/case/{case_id(1)}/act", act="claim", version=stale)
    assert late.status_code == 409
    assert "mira holds this case" in tom.get(f"/case/{case_id(1)}").text
    assert case_id(1) not in order(tom.get("/queue").text)
    assert tom.act(case_id(1), "verdict", **STOLEN).status_code == 409
    assert labels(desk) == []


def test_a_claim_runs_out_and_another_takes_the_case(desk: Console) -> None:
    mira, tom = desk.logged_in("mira"), desk.logged_in("tom")
    mira.act(case_id(1), "claim")
    desk.topics.now_us += 16 * 60_000_000
    assert tom.act(case_id(1), "claim").status_code == 303
    assert mira.act(case_id(1), "verdict", **STOLEN).status_code == 409


def test_judging_goes_on_to_the_next_case_by_itself(desk: Console) -> None:
    mira = desk.logged_in("mira")
    first = mira.send("/queue/next", query="level=critical").headers["location"].removeprefix("/case/")
    assert first == case_id(2)
    answer = mira.act(first, "verdict", **STOLEN, then="next")
    following = answer.headers["location"].removeprefix("/case/")
    assert following not in ("", first)
    assert "You hold this case" in mira.get(f"/case/{following}").text


def test_a_blind_case_hides_its_score_until_it_is_judged(desk: Console) -> None:
    mira = desk.logged_in("mira")
    with desk.site.readers.view() as connection:
        blind = [row[0] for row in connection.execute("SELECT case_id FROM cases WHERE kind = 'blind'")]
    assert blind
    assert set(blind) & set(order(mira.get("/queue").text))
    page = mira.get(f"/case/{blind[0]}").text
    assert "Drawn at random" in page
    assert "0.010" not in page
    assert "Reasons" not in page
    assert "Expected cost" not in page
    mira.act(blind[0], "claim")
    mira.act(blind[0], "verdict", **GENUINE)
    assert "0.010" in mira.get(f"/case/{blind[0]}").text
    (label,) = until_labels(desk, 1)
    assert label.transaction_id in {f"t{number}" for number in range(10, 50)}
    assert events(desk)[-1].propensity == 0.1


def test_a_filter_would_tell_what_is_hidden_and_so_shows_no_blind_case(desk: Console) -> None:
    assert "blind" not in desk.logged_in("mira").get("/queue?action=review").text


def test_linked_cases_are_judged_at_once_and_one_that_somebody_holds_is_left_out(desk: Console) -> None:
    for number in (60, 61, 62):
        desk.topics.append("alerts", "c", raw(alert(number, paid=payment(number, device_id="farm"))))
    desk.settle()
    mira, tom = desk.logged_in("mira"), desk.logged_in("tom")
    page = mira.get(f"/case/{case_id(60)}/group/device").text
    ticked = re.findall(r'name="case" value="([^"]+)"', page)
    assert len(ticked) == 3
    tom.act(case_id(61), "claim")
    told = mira.send(f"/case/{case_id(60)}/group/device", case=ticked, **STOLEN).text
    assert "2 judged, 1 left out" in told
    assert {label.transaction_id for label in until_labels(desk, 2)} == {"t60", "t62"}


def test_a_merged_case_leaves_the_queue_and_shares_the_verdict(desk: Console) -> None:
    mira = desk.logged_in("mira")
    mira.act(case_id(2), "claim")
    assert mira.act(case_id(2), "merge", into="nowhere").status_code == 404
    assert mira.act(case_id(2), "merge", into=case_id(1)).status_code == 303
    assert case_id(2) not in order(mira.get("/queue").text)
    mira.act(case_id(1), "claim")
    mira.act(case_id(1), "verdict", **STOLEN)
    assert {label.transaction_id for label in until_labels(desk, 2)} == {"t1", "t2"}


def test_a_snoozed_case_comes_back(desk: Console) -> None:
    mira = desk.logged_in("mira")
    mira.act(case_id(1), "claim")
    assert mira.act(case_id(1), "snooze", **{"for": "hour"}).status_code == 303
    assert case_id(1) not in order(mira.get("/queue").text)
    assert case_id(1) in order(mira.get("/queue?state=snoozed").text)
    desk.topics.now_us += 3_601_000_000
    again = desk.logged_in("mira")
    assert case_id(1) in order(again.get("/queue").text)


def test_a_lead_hands_a_case_over_and_the_reason_stands_in_its_history(desk: Console) -> None:
    mira, lead = desk.logged_in("mira"), desk.logged_in("lea", Role.lead)
    desk.logged_in("tom")
    mira.act(case_id(1), "claim")
    assert lead.act(case_id(1), "assign", to="nobody", text="off").status_code == 409
    assert lead.act(case_id(1), "assign", to="tom", text="off sick").status_code == 303
    assert "off sick" in mira.get(f"/case/{case_id(1)}").text
    assert "tom holds this case" in mira.get(f"/case/{case_id(1)}").text


def test_views_are_saved_and_forgotten(desk: Console) -> None:
    mira = desk.logged_in("mira")
    assert mira.send("/views", title="big", query="least=100").headers["location"] == "/queue?least=100"
    assert 'href="/queue?least=100"' in mira.get("/queue").text
    mira.send("/views/remove", title="big")
    assert 'href="/queue?least=100"' not in mira.get("/queue").text


def test_without_a_broker_pages_are_read_only_and_say_so(desk: Console) -> None:
    mira = desk.logged_in("mira")
    token, version = mira.csrf(), mira.version(case_id(1))
    desk.topics.away = True
    for _ in range(500):
        if desk.site.follower.trouble:
            break
        desk.site.follower._stop.wait(0.01)
    page = mira.get("/queue")
    assert "Kafka is away" in page.text
    assert case_id(1) in order(page.text)
    form = {"csrf": token, "version": version, "act": "claim"}
    assert mira.client.post(f"/case/{case_id(1)}/act", data=form).status_code == 503
    desk.topics.away = False
    desk.settle()
    assert mira.act(case_id(1), "claim").status_code == 303
