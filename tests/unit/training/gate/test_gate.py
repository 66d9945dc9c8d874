"""The gate lets better candidates through, keeps the champion otherwise, and is not fooled by poisoned labels."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from fraud.decisions.policy import Policy
from tests.support.scored_payments import scored
from training.evaluation.scores import Scored
from training.gate.label_sanity import sane
from training.gate.rule import BEST, CHAMPION, CHANCE, UNCHOSEN, GateAnswer, GateConfig, Holdout, Judgement, judge
from training.gate.volume import Traffic, at_rate, volume

POLICY = Policy.default("EUR")
ROWS = scored(8_000, seed=1, skill=2.5)
CONFIG = GateConfig(figure="average_precision", repeats=200)
Floats = npt.NDArray[np.float64]


def noisy(rows: Scored, noise: float, seed: int = 2) -> Floats:
    logit = np.log(rows.score / (1 - rows.score)) + np.random.default_rng(seed).normal(0, noise, len(rows))
    return 1 / (1 + np.exp(-logit))


def against(rows: Scored, scores: Floats, rival: str = CHAMPION, name: str = "matured") -> Holdout:
    return Holdout(name, rival, rows, scores)


def judged(*holdouts: Holdout, learnt: tuple[int, int] = (0, 0), config: GateConfig = CONFIG) -> Judgement:
    return judge(holdouts, candidate_policy=POLICY, champion_policy=POLICY, learnt=learnt, config=config, seed=1)


def test_a_clearly_better_candidate_is_accepted() -> None:
    judgement = judged(against(ROWS, noisy(ROWS, 3.0)))
    assert judgement.answer is GateAnswer.ACCEPT
    assert judgement.raises


def test_an_equal_candidate_is_not() -> None:
    judgement = judged(against(ROWS, noisy(ROWS, 0.05)))
    assert (judgement.answer, judgement.due) == (GateAnswer.TOO_LITTLE_EVIDENCE, False)


def test_a_shop_that_asks_for_no_proof_takes_an_equal_candidate_and_none_that_is_worse_by_the_margin() -> None:
    follows = GateConfig(figure="average_precision", repeats=200, demand="no_worse", margin=0.05)
    assert judged(against(ROWS, noisy(ROWS, 0.05)), config=follows).answer is GateAnswer.ACCEPT
    worse = against(replace(ROWS, score=noisy(ROWS, 3.0)), ROWS.score)
    assert judged(worse, config=follows).answer is GateAnswer.REFUSE


def test_a_clearly_worse_candidate_is_refused_with_the_reason() -> None:
    judgement = judged(against(replace(ROWS, score=noisy(ROWS, 3.0)), ROWS.score))
    assert judgement.answer is GateAnswer.REFUSE
    assert "against the champion, matured holdout of" in judgement.reason


def test_a_candidate_that_learnt_from_twice_the_frauds_and_looks_no_worse_is_due() -> None:
    slightly = (against(ROWS, noisy(ROWS, 0.1)), against(ROWS, noisy(ROWS, 0.1), name=UNCHOSEN))
    assert judged(*slightly, learnt=(80, 40)).due
    assert not judged(*slightly, learnt=(79, 40)).due
    worse = against(replace(ROWS, score=noisy(ROWS, 0.3)), ROWS.score)
    assert not judged(worse, slightly[1], learnt=(80, 40)).due
    few = scored(120, seed=3, rate=0.05)
    assert not judged(against(few, noisy(few, 3.0)), slightly[1], learnt=(80, 40)).due


def test_what_analysts_were_shown_does_not_make_it_due_nor_better_where_it_finds_less_of_what_nobody_chose() -> None:
    better = against(ROWS, noisy(ROWS, 3.0))
    assert not judged(against(ROWS, noisy(ROWS, 0.1)), learnt=(80, 40)).due
    worse = against(replace(ROWS, score=noisy(ROWS, 0.3)), ROWS.score, name=UNCHOSEN)
    assert not judged(against(ROWS, noisy(ROWS, 0.1)), worse, learnt=(80, 40)).due
    assert judged(better, worse).answer is GateAnswer.REFUSE


def test_one_that_fell_behind_the_best_champion_so_far_is_neither_accepted_nor_due() -> None:
    champion = against(ROWS, noisy(ROWS, 3.0))
    best = replace(ROWS, score=noisy(ROWS, 0.3))
    gap = judged(champion, against(best, ROWS.score, BEST)).findings[-1].numbers
    assert -0.2 < gap["value"] < -0.02
    fallen = judged(champion, against(best, ROWS.score, BEST), learnt=(80, 1))
    assert fallen.answer is not GateAnswer.ACCEPT
    assert not fallen.due
    lenient = GateConfig(figure="average_precision", repeats=200, margin=0.2)
    within = judged(champion, against(best, ROWS.score, BEST), config=lenient)
    assert within.answer is GateAnswer.ACCEPT
    assert not within.raises


def test_a_candidate_that_forgot_what_was_known_before_is_refused_on_the_frozen_holdout() -> None:
    old = scored(8_000, seed=7, skill=2.5)
    frozen = against(replace(old, score=noisy(old, 3.0)), old.score, name="frozen")
    judgement = judged(against(ROWS, noisy(ROWS, 3.0)), frozen)
    assert judgement.answer is GateAnswer.REFUSE
    assert "frozen holdout" in judgement.reason


def test_few_frauds_keep_the_champion_whatever_they_say() -> None:
    few = scored(120, seed=3, rate=0.05)
    assert judged(against(few, noisy(few, 3.0))).answer is GateAnswer.TOO_LITTLE_EVIDENCE


def test_frauds_of_one_ring_are_one_observation() -> None:
    fraud = ROWS.fraud
    ring = replace(ROWS, component=np.where(fraud, 0, np.arange(len(ROWS))))
    assert judged(against(ring, noisy(ROWS, 3.0))).answer is GateAnswer.TOO_LITTLE_EVIDENCE


def test_the_first_candidate_needs_no_champion_but_must_be_better_than_chance() -> None:
    assert judged().answer is GateAnswer.ACCEPT
    chance = np.random.default_rng(3).random(len(ROWS))
    assert judged(against(ROWS, chance, CHANCE)).answer is GateAnswer.ACCEPT
    blind = replace(ROWS, score=np.random.default_rng(4).random(len(ROWS)))
    assert judged(against(blind, chance, CHANCE)).answer is not GateAnswer.ACCEPT


def test_no_baseline_may_be_shown_to_be_better() -> None:
    candidate = replace(ROWS, score=noisy(ROWS, 2.0))
    champion = against(candidate, noisy(ROWS, 9.0))
    judgement = judged(champion, against(candidate, ROWS.score, "baseline trees"))
    assert judgement.answer is GateAnswer.REFUSE
    assert "baseline trees" in judgement.reason
    assert judged(champion, against(candidate, noisy(ROWS, 4.0), "baseline weak")).answer is GateAnswer.ACCEPT


def test_a_segment_that_got_clearly_worse_refuses_although_the_whole_got_better() -> None:
    segment = np.where(np.arange(len(ROWS)) % 4 == 0, "new", "returning")
    score = np.where(segment == "new", noisy(ROWS, 4.0), ROWS.score)
    champion = np.where(segment == "new", ROWS.score, noisy(ROWS, 5.0))
    judgement = judged(Holdout("matured", CHAMPION, replace(ROWS, score=score), champion, {"customer": segment}))
    assert judgement.answer is GateAnswer.REFUSE
    assert "customer new" in judgement.reason


def alerts(traffic: Traffic) -> bool:
    return volume(traffic, POLICY, POLICY, band=0.2, least=50).within


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_alert_volume_outside_its_band_is_refused(factor: float) -> None:
    low = ROWS.score * 0.1
    traffic = Traffic(ROWS.amount, low, low / factor)
    judgement = judge([], candidate_policy=POLICY, champion_policy=POLICY, traffic=traffic, config=CONFIG, seed=1)
    assert judgement.answer is GateAnswer.REFUSE
    assert "alerts where the champion raises" in judgement.reason


def test_a_champion_that_alerts_too_little_does_not_hold_back_a_candidate_within_the_shops_budget() -> None:
    traffic = Traffic(ROWS.amount, ROWS.score * 0.1, ROWS.score * 0.04)
    assert not alerts(traffic)
    assert alerts(replace(traffic, budget=0.9))


def test_a_champion_that_outgrew_the_shops_budget_does_not_hold_back_a_candidate_that_keeps_it() -> None:
    traffic = Traffic(ROWS.amount, ROWS.score * 0.04, ROWS.score * 0.1)
    assert not alerts(traffic)
    kept = float(POLICY.decide(traffic.candidate, traffic.amount).flagged.mean())
    assert alerts(replace(traffic, budget=kept))


@pytest.mark.parametrize("over", [0.2, 5.0])
def test_a_champion_whose_scores_do_not_stand_at_the_rate_of_fraud_is_no_measure(over: float) -> None:
    true = at_rate(ROWS.score, 0.01)
    wrong = at_rate(ROWS.score, 0.01 * over)
    assert not alerts(Traffic(ROWS.amount, true, wrong))
    assert alerts(Traffic(ROWS.amount, true, wrong, rate=(0.009, 0.011)))
    assert not alerts(Traffic(ROWS.amount, at_rate(ROWS.score, 0.2), wrong, rate=(0.009, 0.011)))


def test_recall_at_the_budget_counts_frauds_above_zero_and_no_order_beyond() -> None:
    fraud = np.arange(len(ROWS)) % 10 == 0
    score = np.where(fraud, 0.1, -0.5)
    champion = np.where(fraud & (np.arange(len(ROWS)) % 20 == 0), -0.1, score)
    [better] = judged(against(replace(ROWS, score=score, fraud=fraud), champion), config=GateConfig()).findings
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
