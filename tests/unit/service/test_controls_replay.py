"""Drafts judged on past payments, and past decisions made again under the controls of their time."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from fraud.contracts.controls import Control
from fraud.contracts.inbound import SCHEMA_VERSION
from fraud.history.history import History
from local.testbed.bundles import AmountModel
from local.testbed.events import at_us, raw, transaction
from runtime.errors import Misconfigured
from service.bootstrap import build_pipeline, domain
from service.operations.controls.backtest import backtest
from service.operations.controls.decided_again import Made, decide_again, decisions_made
from service.operations.controls.label_verdicts import verdicts
from service.pipeline import Pipeline
from service.ports import Models, Records
from service.settings import Settings
from tests.unit.service.test_controls import CONFIG, COUNT, control, decided

MODELS = Models(AmountModel())


def pipeline() -> Pipeline:
    settings = Settings(decisions="off")
    made = build_pipeline(settings, domain(settings), lambda: 0.0)
    made.adopt(0, History(CONFIG), None)
    return made


def shares(size: int) -> list[Records]:
    """The payments of `decided`: one device and five cards."""
    values = [raw(transaction(i, device_id="shared", card_id=f"card{i % 5}")) for i in range(COUNT)]
    return [
        Records(
            0,
            range(first, min(first + size, COUNT)),
            [at_us(i) for i in range(first, min(first + size, COUNT))],
            [b"c"] * len(values[first : first + size]),
            values[first : first + size],
            [()] * len(values[first : first + size]),
        )
        for first in range(0, COUNT, size)
    ]


def draft(name: str, *, when: str, effect: str) -> Control:
    return Control.model_validate_json(control(name, status="draft", when=when, effect=effect))


def label(transaction_id: str, verdict: str, **facts: object) -> bytes:
    said = {
        "schema_version": SCHEMA_VERSION,
        "label_id": f"{transaction_id}-{verdict}",
        "transaction_id": transaction_id,
        "verdict": verdict,
        "source": "analyst",
        "occurred_at": "2026-02-01T00:00:00Z",
        "received_at": "2026-02-01T00:00:00Z",
    }
    return json.dumps(said | facts).encode()


def test_a_draft_is_judged_by_hits_verdicts_overlap_and_flips() -> None:
    said = verdicts([label("t7", "unauthorised"), label("t8", "genuine"), label("t1", "unauthorised")])
    drafts = [
        draft("cards", when="device_cards_10min >= 5", effect="block"),
        draft("again", when="device_attempts_10min >= 20", effect="review"),
    ]
    found = backtest(shares(7), (pipeline(), pipeline()), drafts, MODELS, said)
    cards, again = found.drafts
    assert (found.transactions, found.frauds) == (COUNT, 2)
    assert (cards.hits, cards.frauds, cards.good, cards.good_customers, cards.with_model) == (COUNT - 5, 1, 1, 1, 0)
    assert (cards.only_here, again.hits, again.with_others) == (1, COUNT - 20, COUNT - 20)
    assert dict(found.flips) == {"allow -> block": COUNT - 5}
    assert len(found.examples) == 20
    assert (found.examples[0].transaction_id, found.examples[0].after) == ("t5", "block")


def test_a_draft_that_changes_nothing_beside_the_present_controls_flips_nothing() -> None:
    pipelines = pipeline(), pipeline()
    for each in pipelines:
        each.rulebook.take(control("all", when="amount > 0", effect="block"), 0)
    found = backtest(
        shares(10), pipelines, [draft("some", when="device_cards_10min >= 5", effect="review")], MODELS, {}
    )
    assert not found.flips
    assert (found.drafts[0].hits, found.drafts[0].with_others) == (COUNT - 5, COUNT - 5)


def test_a_draft_that_cannot_act_is_refused_in_one_line() -> None:
    with pytest.raises(Misconfigured, match=r"odd@1: .*ammount"):
        backtest([], (pipeline(), pipeline()), [draft("odd", when="ammount > 0", effect="block")], MODELS, {})


def made_under(*records: bytes, later: Sequence[bytes] = ()) -> dict[tuple[int, int], Made]:
    return decisions_made(msgspec.json.encode(row) for row in decided(*records, later=tuple(later)))


@pytest.mark.parametrize("size", [3, 7, COUNT])
def test_the_controls_of_the_time_give_the_actions_of_the_time_however_the_log_is_cut(size: int) -> None:
    first = control("cards", when="device_cards_10min >= 5", effect="block")
    second = control("cards", version=2, when="device_cards_10min >= 5", effect="challenge")
    made = made_under(first, later=[second])
    assert {decision.action for decision in made.values()} == {"allow", "block", "challenge"}
    found = decide_again(shares(size), pipeline, MODELS, [(0, first), (1, second)], made)
    assert (found.decisions, found.changed, found.paced, found.unknown) == (COUNT, 0, 0, 0)


def test_other_controls_than_those_of_the_time_are_found_out() -> None:
    made = made_under(control("cards", when="device_cards_10min >= 5", effect="block"))
    other = control("cards", when="device_cards_10min >= 6", effect="block")
    found = decide_again(shares(10), pipeline, MODELS, [(0, other)], made)
    assert (found.decisions, found.changed) == (COUNT, COUNT - 5)
    assert found.examples[0] == ("t5", "block", "allow")


def test_labels_are_resolved_as_the_contract_says() -> None:
    values = [
        label("a", "unauthorised", source="chargeback", label_id="1"),
        label("a", "genuine", source="analyst", label_id="2"),
        label("b", "unauthorised", source="chargeback", label_id="3"),
        label("b", "genuine", source="analyst", label_id="4", supersedes="3"),
        label("b", "unauthorised", label_id="4"),
        b"{",
        None,
    ]
    assert verdicts(values) == verdicts(values[:4]) == {"a": "unauthorised", "b": "genuine"}
