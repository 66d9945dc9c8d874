"""The fold of the controls log: versions, approval, and what does not count."""

from collections.abc import Mapping
from typing import Any

import pytest

from fraud.contracts.controls import Control
from fraud.controls.opened_lists import opened_lists
from fraud.controls.state import Applied, ControlsState, Refusal, Refused

BLOCK: Mapping[str, object] = {"kind": "rule", "rule": {"when": "amount < 5", "effect": "block"}}
ALLOW: Mapping[str, object] = {
    "kind": "rule",
    "rule": {"when": 'customer_id in list("vip")', "effect": "allow", "max_amount": 100, "max_score": 0.5},
}
LEVER: Mapping[str, object] = {"kind": "policy", "policy": {"flag_from": 0.2}}
ENTRY: Mapping[str, object] = {"kind": "list_entry", "list_entry": {"list": "vip", "values": ["cu-1"]}}


def control(version: int = 1, control_id: str = "a", *, body: Mapping[str, object] = BLOCK, **facts: object) -> Control:
    content = {
        "control_id": control_id,
        "version": version,
        "status": "live",
        "author": "mira",
        "reason": "why",
        "written_at": "2026-01-05T10:00:00Z",
        **body,
        **facts,
    }
    return Control.model_validate(content)


def fold(*controls: Control) -> tuple[ControlsState, list[Applied | Refused]]:
    state = ControlsState()
    return state, [state.apply(each.encode(), offset) for offset, each in enumerate(controls)]


def reason(outcome: Applied | Refused) -> Refusal | None:
    return outcome.reason if isinstance(outcome, Refused) else None


def test_of_two_writers_of_one_version_the_first_in_the_log_wins() -> None:
    state, taken = fold(control(1), control(2, author="noor"), control(2, author="omar"), control(3))
    assert [reason(outcome) for outcome in taken] == [None, None, Refusal.CONFLICT, None]
    assert state.current()["a"].version == 3
    assert state.offset == 4


def test_a_version_that_skips_one_is_a_conflict() -> None:
    assert [reason(outcome) for outcome in fold(control(2), control(1), control(3))[1]] == [
        Refusal.CONFLICT,
        None,
        Refusal.CONFLICT,
    ]


def test_a_control_stays_what_it_is() -> None:
    assert reason(fold(control(1), control(2, body=ENTRY))[1][1]) is Refusal.INVALID


def test_what_is_no_control_is_skipped_and_moves_the_offset() -> None:
    state = ControlsState()
    for offset, record in enumerate([b"", b"{", b"\xff", b"[]", b'{"control_id": "a"}']):
        assert reason(state.apply(record, offset)) is Refusal.INVALID
    assert state.offset == 5
    assert not state.current()


@pytest.mark.parametrize("body", [ALLOW, LEVER])
def test_what_lets_payments_through_takes_two_people(body: Mapping[str, object]) -> None:
    draft = control(1, body=body, status="draft")
    for approver, expected in ((None, Refusal.UNAPPROVED), ("mira", Refusal.UNAPPROVED), ("noor", None)):
        assert reason(fold(draft, control(2, body=body, approver=approver))[1][1]) is expected


def test_the_author_of_the_content_cannot_approve_it_under_another_version_s_author() -> None:
    versions = [control(1, body=ALLOW, status="draft"), control(2, body=ALLOW, status="paused", author="noor")]
    own = control(3, body=ALLOW, author="noor", approver="mira")
    assert reason(fold(*versions, own)[1][2]) is Refusal.UNAPPROVED


def test_approval_is_of_content_that_stood_there_before() -> None:
    assert reason(fold(control(1, body=ALLOW, approver="noor"))[1][0]) is Refusal.UNAPPROVED
    wider = {**ALLOW, "rule": {"when": "amount < 9999", "effect": "allow", "max_amount": 1e6, "max_score": 1}}
    versions = [control(1, body=ALLOW, status="draft"), control(2, body=ALLOW, approver="noor")]
    assert reason(fold(*versions, control(3, body=wider, approver="noor"))[1][2]) is Refusal.UNAPPROVED


def test_a_lever_that_only_sends_more_to_review_needs_nobody_else() -> None:
    explore: Mapping[str, object] = {"kind": "policy", "policy": {"explore_share": 0.01}}
    assert reason(fold(control(1, body=explore))[1][0]) is None


def test_an_entry_of_a_list_that_a_live_allow_rule_reads_takes_two_people() -> None:
    rule = [control(1, body=ALLOW, status="draft"), control(2, body=ALLOW, approver="noor")]
    entry = control(1, "e", body=ENTRY)
    assert reason(fold(entry)[1][0]) is None
    assert reason(fold(*rule, entry)[1][2]) is Refusal.UNAPPROVED
    approved = [control(1, "e", body=ENTRY, status="draft"), control(2, "e", body=ENTRY, approver="noor")]
    assert reason(fold(*rule, *approved)[1][3]) is None
    paused = control(3, body=ALLOW, status="paused")
    assert reason(fold(*rule, paused, entry)[1][3]) is None


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ('a in list("x") and not b in list("y")', {"x"}),
        ('not (a in list("x") or b not in list("y"))', {"y"}),
        ('(a in list("x")) == (b in list("y"))', {"x", "y"}),
        ('a in list("x"', set()),
        ("not " * 100 + 'a in list("x")', {"x"}),
        ("not " * 1_000 + 'a in list("x")', set()),
        ("(" * 1_000, set()),
    ],
)
def test_a_list_is_opened_where_an_entry_more_lets_more_through(when: str, opened: set[str]) -> None:
    assert opened_lists(when) == opened


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": None},
        {"share": 0.0},
        {"valid_from": "2026-01-06T00:00:00Z", "valid_until": "2026-01-05T00:00:00Z"},
        {"condition": {"entity": "ip", "id": "1", "effect": "block"}},
        {"reason": "  "},
        {"rule": {"when": "amount < 5", "effect": "allow"}},
        {"rule": {"when": "amount < 5", "effect": "block", "max_amount": 5.0}},
        {"control_id": "../x"},
    ],
)
def test_a_control_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        control(1, **changes)
