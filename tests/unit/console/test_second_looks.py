"""What one analyst judged is judged again by another, who is not told how: agreement, and no label."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud.contracts.cases import CaseEvent, second_case_id
from tests.support.console_events import case_id
from tests.support.console_site import Console, console
from tests.support.memory_topics import MemoryTopics

STOLEN = {"verdict": "unauthorised", "reason_code": "stolen_card"}
GENUINE = {"verdict": "genuine", "reason_code": "customer_confirmed"}
FIRST, SECOND = case_id(1), second_case_id(case_id(1))


@pytest.fixture
def judged(tmp_path: Path, topics: MemoryTopics) -> Iterator[Console]:
    """A console whose every verdict has a second look; mira has judged one case."""
    with console(tmp_path, topics, console_second_share=1.0, console_blind_share=0.0) as desk:
        mira = desk.logged_in("mira")
        assert mira.act(FIRST, "claim").status_code == 303
        assert mira.act(FIRST, "verdict", **STOLEN).status_code == 303
        for _ in range(500):
            if desk.topics.records["labels"]:
                break
            desk.site.follower._stop.wait(0.01)
        desk.settle()
        yield desk


def test_it_waits_for_anybody_but_who_judged_first(judged: Console) -> None:
    mira, tom = judged.logged_in("mira"), judged.logged_in("tom")
    assert f"/case/{SECOND}" not in mira.get("/queue").text
    assert f"/case/{SECOND}" in tom.get("/queue").text
    assert mira.act(SECOND, "claim").status_code == 409
    assert tom.act(SECOND, "claim").status_code == 303


def test_the_second_analyst_is_not_told_what_the_first_one_found(judged: Console) -> None:
    page = judged.logged_in("tom").get(f"/case/{SECOND}").text
    assert "A second look" in page
    for told in ("mira", "Judged", "unauthorised, analyst", "<td>unauthorised</td>", "Score 0."):
        assert told not in page


def test_its_verdict_makes_no_label_and_both_cases_show_each_other(judged: Console) -> None:
    tom = judged.logged_in("tom")
    tom.act(SECOND, "claim")
    assert tom.act(SECOND, "merge", into=case_id(2)).status_code == 409
    assert tom.act(SECOND, "verdict", **GENUINE).status_code == 303
    last = CaseEvent.model_validate_json(judged.topics.records["cases"][-1].value)
    assert (last.transaction_id, last.propensity) == ("t1", None)
    assert "Second look by tom: genuine." in tom.get(f"/case/{FIRST}").text
    assert f"/case/{FIRST}" in tom.get(f"/case/{SECOND}").text
    assert "unauthorised, analyst" in tom.get(f"/case/{SECOND}").text
    judged.site.follower._stop.wait(0.2)
    assert len(judged.topics.records["labels"]) == 1
    assert second_case_id(SECOND) not in tom.get("/queue").text, "no third look"


def test_nobody_merges_a_case_into_a_second_look(judged: Console) -> None:
    tom = judged.logged_in("tom")
    tom.act(case_id(2), "claim")
    assert tom.act(case_id(2), "merge", into=SECOND).status_code == 404
