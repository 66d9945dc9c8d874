"""Who wins between rules, conditions and the policy, and what happens to a rule that cannot be computed."""

from collections.abc import Sequence

import numpy as np
import pytest

from fraud.contracts.controls import Control
from fraud.controls.conditions import Conditions
from fraud.controls.effects import ActiveRule, Bools, Hits, Payments, Ruled, UInt64s, apply_rules, drawn
from fraud.decisions.policy import ACTIONS
from fraud.decoding.batch import hash_ids
from fraud.decoding.hashing import hash_all
from fraud.money import MICRO

ALLOW, CHALLENGE, REVIEW, BLOCK = range(4)


def payments(
    model: Sequence[int], *, score: float = 0.1, amount: float = 50.0, possible: Sequence[int] = range(4)
) -> Payments:
    n = len(model)
    ids = [f"cu-{row}" for row in range(n)]

    def hashes(field: str) -> UInt64s:
        columns: dict[str, Sequence[str | None]] = {"customer_id": ids, "device_id": [None] * n}
        return hash_all(columns[field])

    return Payments(
        time=np.arange(n, dtype=np.int64) * 1_000,
        amount=np.full(n, round(amount * MICRO)),
        score=np.full(n, score),
        customer=hash_ids(ids, n),
        model_action=np.array(model, np.uint8),
        possible=frozenset(possible),
        hashes=hashes,
    )


def at(*rows: int, n: int = 4, computed: bool = True) -> Hits:
    mask = np.zeros(n, np.bool_)
    mask[list(rows)] = True
    known: Bools = np.full(n, computed)
    return lambda: (mask, known)


def rule(name: str, effect: int, hits: Hits, **facts: object) -> ActiveRule:
    if effect == ALLOW:
        facts = {"max_amount": 100.0, "max_score": 0.5, **facts}
    return ActiveRule(f"{name}@1", name, hits, effect, **facts)  # type: ignore[arg-type]


def actions(ruled: Ruled) -> list[str]:
    return [ACTIONS[action] for action in ruled.action.tolist()]


def test_block_goes_before_allow_and_allow_before_what_raises_and_that_before_the_policy() -> None:
    rules = [
        rule("raise", REVIEW, at(0, 1, 2)),
        rule("let", ALLOW, at(0, 1)),
        rule("stop", BLOCK, at(0)),
    ]
    for order in (rules, rules[::-1]):
        ruled = apply_rules(order, payments([CHALLENGE] * 4))
        assert actions(ruled) == ["block", "allow", "review", "challenge"]
        assert ruled.ruled.tolist() == [True, True, True, False]


def test_a_rule_that_raises_never_lowers() -> None:
    ruled = apply_rules([rule("ask", CHALLENGE, at(0, 1, 2, 3))], payments([ALLOW, CHALLENGE, REVIEW, BLOCK]))
    assert actions(ruled) == ["challenge", "challenge", "review", "block"]


@pytest.mark.parametrize(("score", "amount", "fires"), [(0.1, 50, True), (0.6, 50, False), (0.1, 101, False)])
def test_an_allow_rule_keeps_to_its_ceilings(score: float, amount: float, fires: bool) -> None:
    ruled = apply_rules([rule("let", ALLOW, at(0))], payments([BLOCK] * 4, score=score, amount=amount))
    assert ("let@1" in ruled.fired) == fires
    assert actions(ruled)[0] == ("allow" if fires else "block")


def test_a_payment_without_a_score_is_never_let_through() -> None:
    ruled = apply_rules([rule("let", ALLOW, at(0))], payments([REVIEW] * 4, score=np.nan))
    assert actions(ruled)[0] == "review"


def test_a_rule_that_cannot_be_computed_does_nothing_and_is_counted() -> None:
    ruled = apply_rules([rule("odd", BLOCK, at(0, 1, computed=False))], payments([ALLOW] * 4))
    assert actions(ruled) == ["allow"] * 4
    assert ruled.uncomputed == {"odd@1": 4}


def test_what_the_shop_cannot_do_is_not_done_and_counted() -> None:
    ruled = apply_rules([rule("look", REVIEW, at(0))], payments([ALLOW] * 4, possible=[ALLOW, BLOCK]))
    assert actions(ruled) == ["allow"] * 4
    assert ruled.uncomputed == {"look@1": 4}


def test_a_shadow_rule_is_counted_and_changes_nothing() -> None:
    ruled = apply_rules([rule("try", BLOCK, at(1), shadow=True)], payments([ALLOW] * 4))
    assert actions(ruled) == ["allow"] * 4
    assert not ruled.ruled.any()
    assert ruled.names(shadow=True) == [None, ("try@1",), None, None]
    assert ruled.names() == [None] * 4


def test_a_rule_acts_from_and_until_event_times() -> None:
    ruled = apply_rules([rule("now", BLOCK, at(0, 1, 2, 3), span=(1_000, 3_000))], payments([ALLOW] * 4))
    assert actions(ruled) == ["allow", "block", "block", "allow"]


def test_a_share_is_of_customers_and_the_same_every_time() -> None:
    n = 4_000
    some = apply_rules([rule("half", BLOCK, at(*range(n), n=n), share=0.25)], payments([ALLOW] * n))
    again = apply_rules([rule("half", BLOCK, at(*range(n), n=n), share=0.25)], payments([ALLOW] * n))
    more = apply_rules([rule("half", BLOCK, at(*range(n), n=n), share=0.5)], payments([ALLOW] * n))
    assert some.fired["half@1"].mean() == pytest.approx(0.25, abs=0.03)
    assert (some.action == again.action).all()
    assert (more.fired["half@1"] | ~some.fired["half@1"]).all(), "a larger share takes the same customers in, and more"


def test_shares_of_two_rules_are_drawn_apart() -> None:
    customers = hash_ids([f"cu-{row}" for row in range(4_000)], 4_000)
    both = (drawn("a", customers) < 0.5) & (drawn("b", customers) < 0.5)
    assert both.mean() == pytest.approx(0.25, abs=0.03)


def test_parts_of_a_batch_know_what_fired_in_them() -> None:
    ruled = apply_rules([rule("one", BLOCK, at(0)), rule("odd", BLOCK, at(computed=False))], payments([ALLOW] * 4))
    first, second = ruled.rows(0, 2), ruled.rows(2, 4)
    assert (set(first.fired), set(second.fired)) == ({"one@1"}, set())
    assert (first.uncomputed, second.uncomputed) == ({"odd@1": 4}, {})


def condition(control_id: str, **body: object) -> Control:
    return Control.model_validate(
        {
            "control_id": control_id,
            "version": 1,
            "kind": "condition",
            "status": "live",
            "author": "mira",
            "reason": "why",
            "written_at": "2026-01-05T10:00:00Z",
            "condition": body,
        }
    )


def test_conditions_find_their_entity_and_go_again() -> None:
    conditions = Conditions()
    conditions.put(condition("good", entity="customer_id", id="cu-1", effect="allow", up_to=60.0))
    conditions.put(condition("bad", entity="customer_id", id="cu-2", effect="block"))
    conditions.put(condition("both", entity="customer_id", id="cu-2", effect="review"))
    ruled = apply_rules(conditions.of(payments([CHALLENGE] * 4)), payments([CHALLENGE] * 4))
    assert actions(ruled) == ["challenge", "allow", "block", "challenge"]
    assert ruled.names()[2] == ("bad@1", "both@1")
    dear = payments([CHALLENGE] * 4, amount=61)
    assert actions(apply_rules(conditions.of(dear), dear))[1] == "challenge"
    for control_id in ("good", "bad", "both", "never there"):
        conditions.remove(control_id)
    assert len(conditions) == 0
    assert conditions.of(payments([ALLOW] * 4)) == []


def test_a_condition_on_a_field_that_the_shop_does_not_have_is_counted() -> None:
    conditions = Conditions()
    conditions.put(condition("odd", entity="terminal", id="t-1", effect="block"))
    ruled = apply_rules(conditions.of(payments([ALLOW] * 4)), payments([ALLOW] * 4))
    assert ruled.uncomputed == {"odd@1": 4}
