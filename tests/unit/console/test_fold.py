import pytest

from console.projection.fold import CaseState, NotCounted, fold
from fraud.contracts.cases import CaseEvent
from tests.support.console_events import act

MINUTE = 60_000_000


def after(*events: tuple[CaseEvent, int]) -> CaseState:
    state = CaseState()
    for event, stamp in events:
        folded = fold(state, event, stamp)
        state = state if isinstance(folded, NotCounted) else folded
    return state


def test_of_two_claims_the_first_in_the_log_wins() -> None:
    state = after((act("claim", 1, "mira"), 0), (act("claim", 1, "tom"), 0))
    assert (state.holder, state.version) == ("mira", 1)
    assert fold(state, act("claim", 2, "tom"), MINUTE) == NotCounted("held")


def test_a_claim_runs_out_by_the_brokers_stamp() -> None:
    state = after((act("claim", 1, "mira", seconds=60), 0))
    assert state.held_by("mira", MINUTE - 1)
    assert not state.held_by("mira", MINUTE)
    assert after((act("claim", 1, "mira", seconds=60), 0), (act("claim", 2, "tom"), MINUTE)).holder == "tom"


def test_only_the_holder_judges_and_only_while_the_claim_lasts() -> None:
    state = after((act("claim", 1, "mira", seconds=60), 0))
    assert fold(state, act("verdict", 2, "tom"), 1) == NotCounted("not_held")
    assert fold(state, act("verdict", 2, "mira"), MINUTE) == NotCounted("not_held")
    judged = fold(state, act("verdict", 2, "mira"), 1)
    assert isinstance(judged, CaseState)
    assert (judged.status, judged.verdict, judged.judged_by, judged.holder) == ("closed", "unauthorised", "mira", None)


def test_an_event_of_a_page_that_was_stale_does_not_count() -> None:
    state = after((act("claim", 1), 0), (act("note", 2), 1))
    assert fold(state, act("verdict", 2), 2) == NotCounted("changed")


def test_a_judged_case_takes_no_claim_until_it_is_reopened() -> None:
    closed = after((act("claim", 1), 0), (act("verdict", 2), 1))
    assert fold(closed, act("claim", 3, "tom"), 2) == NotCounted("closed")
    reopened = fold(closed, act("reopen", 3, "tom"), 2)
    assert isinstance(reopened, CaseState)
    assert reopened.held_by("tom", 3)
    assert fold(reopened, act("reopen", 4, "mira"), 3) == NotCounted("not_closed")


def test_a_snoozed_case_is_free_again_and_a_claim_wakes_it() -> None:
    snoozed = after((act("claim", 1), 0), (act("snooze", 2, seconds=120), 0))
    assert (snoozed.holder, snoozed.snooze_until_us) == (None, 2 * MINUTE)
    claimed = fold(snoozed, act("claim", 3, "tom"), 1)
    assert isinstance(claimed, CaseState)
    assert claimed.snooze_until_us == 0


def test_a_lead_hands_a_held_case_over() -> None:
    state = after((act("claim", 1, "mira"), 0), (act("assign", 2, "lea", to="tom", seconds=60, text="off sick"), 1))
    assert state.held_by("tom", 2)


@pytest.mark.parametrize(("kind", "lacks"), [("claim", "seconds"), ("verdict", "reason_code"), ("merge", "into")])
def test_an_act_that_lacks_something_is_refused_by_the_contract(kind: str, lacks: str) -> None:
    with pytest.raises(ValueError, match=lacks):
        act(kind, 1, **{lacks: None})  # type: ignore[arg-type] # a field of the event
