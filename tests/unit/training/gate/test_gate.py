"""The gate lets better candidates through, keeps the champion otherwise, and is not fooled by poisoned labels."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from fraud.decisions.policy import Policy
from tests.support.scored_payments import scored
from training.evaluation.scores import Scored
from training.gate.label_sanity import sane
from training.gate.rule import GateAnswer, GateConfig, Holdout, Judgement, Traffic, judge

POLICY = Policy.default("EUR")
ROWS = scored(8_000, seed=1, skill=2.5)
Floats = npt.NDArray[np.float64]


def noisy(rows: Scored, noise: float, seed: int = 2) -> Floats:
    logit = np.log(rows.score / (1 - rows.score)) + np.random.default_rng(seed).normal(0, noise, len(rows))
    return 1 / (1 + np.exp(-logit))


def judged(rows: Scored, champion: Floats | None, *, frozen: Holdout | None = None, **config: float) -> Judgement:
    holdouts = [Holdout("matured", rows, champion)] + ([frozen] if frozen else [])
    settings = GateConfig.model_validate({"volume_band": 9.0} | config)
    traffic = None if champion is None else Traffic(rows.amount, rows.score, champion)
    return judge(holdouts, candidate_policy=POLICY, champion_policy=POLICY, traffic=traffic, config=settings, seed=1)


def test_a_clearly_better_candidate_is_accepted() -> None:
    assert judged(ROWS, noisy(ROWS, 2.0)).answer is GateAnswer.ACCEPT


def test_an_equal_candidate_is_accepted_within_the_margin() -> None:
    assert judged(ROWS, noisy(ROWS, 0.05)).answer is GateAnswer.ACCEPT


def test_a_clearly_worse_candidate_is_refused_with_the_reason() -> None:
    worse = replace(ROWS, score=noisy(ROWS, 3.0))
    judgement = judged(worse, ROWS.score)
    assert judgement.answer is GateAnswer.REFUSE
    assert "against the champion, matured holdout" in judgement.reason


def test_a_candidate_that_forgot_what_was_known_before_is_refused_on_the_frozen_holdout() -> None:
    old = scored(8_000, seed=7, skill=2.5)
    frozen = Holdout("frozen", replace(old, score=noisy(old, 3.0)), old.score)
    judgement = judged(ROWS, noisy(ROWS, 2.0), frozen=frozen)
    assert judgement.answer is GateAnswer.REFUSE
    assert "frozen holdout" in judgement.reason


def test_few_frauds_keep_the_champion_whatever_they_say() -> None:
    few = scored(300, seed=3, rate=0.02)
    judgement = judged(few, noisy(few, 3.0))
    assert judgement.answer is GateAnswer.TOO_LITTLE_EVIDENCE


def test_the_first_candidate_is_accepted_without_a_champion() -> None:
    assert judged(ROWS, None).answer is GateAnswer.ACCEPT


def test_the_best_baseline_must_be_matched_too() -> None:
    candidate = replace(ROWS, score=noisy(ROWS, 2.0))
    holdout = Holdout("matured", candidate, noisy(ROWS, 4.0), {"trees": ROWS.score, "weak": noisy(ROWS, 4.0)})
    judgement = judge(
        [holdout], candidate_policy=POLICY, champion_policy=POLICY, config=GateConfig(volume_band=9), seed=1
    )
    assert judgement.answer is GateAnswer.REFUSE
    assert "baseline trees" in judgement.reason


def test_a_segment_that_got_clearly_worse_refuses_although_the_whole_got_better() -> None:
    segment = np.where(np.arange(len(ROWS)) % 4 == 0, "new", "returning")
    score = np.where(segment == "new", noisy(ROWS, 4.0), ROWS.score)
    champion = np.where(segment == "new", ROWS.score, noisy(ROWS, 3.0))
    holdout = Holdout("matured", replace(ROWS, score=score), champion, segments={"customer": segment})
    judgement = judge(
        [holdout], candidate_policy=POLICY, champion_policy=POLICY, config=GateConfig(volume_band=9), seed=1
    )
    assert judgement.answer is GateAnswer.REFUSE
    assert "customer new" in judgement.reason


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_alert_volume_outside_its_band_is_refused(factor: float) -> None:
    rows = replace(ROWS, score=ROWS.score * 0.1)
    judgement = judged(rows, rows.score / factor, volume_band=0.2)
    assert judgement.answer is GateAnswer.REFUSE
    assert "alerts where the champion raises" in judgement.reason


def test_a_champion_that_alerts_too_little_does_not_hold_back_a_candidate_within_the_shops_budget() -> None:
    traffic = Traffic(ROWS.amount, ROWS.score * 0.1, ROWS.score * 0.04)
    rows = Holdout("matured", ROWS, None)
    refused = judge([rows], candidate_policy=POLICY, champion_policy=POLICY, traffic=traffic, seed=1)
    assert refused.answer is GateAnswer.REFUSE
    budget = replace(traffic, budget=0.9)
    accepted = judge([rows], candidate_policy=POLICY, champion_policy=POLICY, traffic=budget, seed=1)
    assert accepted.answer is GateAnswer.ACCEPT


def test_a_champion_that_outgrew_the_shops_budget_does_not_hold_back_a_candidate_that_keeps_it() -> None:
    traffic = Traffic(ROWS.amount, ROWS.score * 0.04, ROWS.score * 0.1)
    rows = Holdout("matured", ROWS, None)
    refused = judge([rows], candidate_policy=POLICY, champion_policy=POLICY, traffic=traffic, seed=1)
    assert refused.answer is GateAnswer.REFUSE
    kept = float(POLICY.decide(traffic.candidate, traffic.amount).flagged.mean())
    budget = replace(traffic, budget=kept)
    assert (
        judge([rows], candidate_policy=POLICY, champion_policy=POLICY, traffic=budget, seed=1).answer
        is GateAnswer.ACCEPT
    )


def test_recall_at_the_budget_counts_frauds_above_zero_and_no_order_beyond() -> None:
    fraud = np.arange(len(ROWS)) % 10 == 0
    score = np.where(fraud, 0.1, -0.5)
    champion = np.where(fraud & (np.arange(len(ROWS)) % 20 == 0), -0.1, score)
    rows = Holdout("matured", replace(ROWS, score=score, fraud=fraud), champion)
    config = GateConfig(figure="recall_at_budget")
    judgement = judge([rows], candidate_policy=POLICY, champion_policy=POLICY, config=config, seed=1)
    [better] = [f for f in judgement.findings if f.check == "better.matured.champion"]
    assert better.numbers["value"] == pytest.approx(0.5)
    assert better.text.startswith("recall at budget +0.500")


def labels(n: int, rate: float, seed: int) -> tuple[npt.NDArray[np.int8], Floats]:
    random = np.random.default_rng(seed)
    fraud = random.random(n) < rate
    score = np.where(fraud, random.beta(8, 2, n), random.beta(1, 12, n))
    return fraud.astype(np.int8), score


def answers(new: npt.NDArray[np.int8], score: Floats, seed: int = 1) -> set[GateAnswer]:
    before, before_score = labels(4_000, 0.1, seed)
    findings = sane(new=new, new_score=score, before=before, before_score=before_score)
    return {finding.answer for finding in findings}


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_new_labels_are_sane(seed: int) -> None:
    assert answers(*labels(500, 0.12, seed + 10)) == {GateAnswer.ACCEPT}


@pytest.mark.parametrize("seed", range(5))
def test_a_new_pattern_that_the_champion_does_not_see_is_no_poison(seed: int) -> None:
    new, score = labels(500, 0.1, seed)
    unseen = np.random.default_rng(seed).random(500) < 0.1
    new[unseen] = 1
    assert answers(new, np.where(unseen, 0.02, score)) == {GateAnswer.ACCEPT}


@pytest.mark.parametrize("seed", range(5))
def test_a_window_with_three_labels_in_ten_turned_round_is_refused(seed: int) -> None:
    new, score = labels(500, 0.1, seed)
    turned = np.random.default_rng(seed).random(500) < 0.3
    assert GateAnswer.REFUSE in answers(np.where(turned, 1 - new, new).astype(np.int8), score)


@pytest.mark.parametrize("seed", range(5))
def test_a_ring_that_clears_its_own_orders_is_refused(seed: int) -> None:
    new, score = labels(500, 0.1, seed)
    ring = score > 0.6
    assert GateAnswer.REFUSE in answers(np.where(ring & (np.arange(500) % 2 == 0), 0, new).astype(np.int8), score)


@pytest.mark.parametrize("seed", range(5))
def test_new_labels_need_not_agree_with_a_champion_as_much_as_those_it_learnt_by_heart(seed: int) -> None:
    random = np.random.default_rng(seed)
    score = random.uniform(0.5, 0.9, 200)
    new = (random.random(200) < score).astype(np.int8)
    before = np.ones(200, np.int8)
    for before_score, answer in ((score, GateAnswer.REFUSE), (np.full(200, np.nan), GateAnswer.ACCEPT)):
        findings = {f.check: f for f in sane(new=new, new_score=score, before=before, before_score=before_score)}
        assert findings["labels.contradictions"].answer is answer


def by_source(turned: float, seed: int = 1) -> dict[str, GateAnswer]:
    """Findings about new labels of two sources, of whose chargebacks a share was turned round."""
    random = np.random.default_rng(seed)
    source = np.array(["analyst", "chargeback"])[random.integers(0, 2, 400)]
    label = np.where(source == "chargeback", 1, random.random(400) < 0.4).astype(np.int8)
    new = np.where((source == "chargeback") & (random.random(400) < turned), 0, label).astype(np.int8)
    unsure = np.full(400, 0.2)
    findings = sane(new=new, new_score=unsure, before=label, before_score=unsure, sources=(source, source))
    return {finding.check: finding.answer for finding in findings}


def test_a_source_that_says_genuine_far_more_often_than_it_used_to_is_refused_although_the_champion_was_not_sure() -> (
    None
):
    assert set(by_source(0.0).values()) == {GateAnswer.ACCEPT}
    found = by_source(0.3)
    assert found.pop("labels.source.chargeback") is GateAnswer.REFUSE
    assert set(found.values()) == {GateAnswer.ACCEPT}
