"""The forecast transfers when that pays, warns when it costs, and says how sure it is and what it assumed."""

from dataclasses import replace

import numpy as np
import pytest

from fraud.decisions.policy import Policy
from tests.support.scored_payments import scored
from training.commands.forecast import show
from training.evaluation.arrival import Arrival
from training.evaluation.forecast import Forecast, Point, decide
from training.evaluation.scores import Scored, at_policy, money_saved

ARRIVAL = Arrival(np.full(200, 60.0), 120.0, 0.0)


def point(
    money: tuple[float, float, float], gain: tuple[float, float, float], *, saved: float = 10.0, alone: bool = True
) -> Point:
    return Point(
        days=30, labels=900, frauds=11, presumed=600, test_frauds=20, recall=0.6, recall_alone=0.5 if alone else None,
        money=saved, money_alone=saved - money[0] if alone else None, gain=gain, money_gain=money,
    )  # fmt: skip


def blurred(rows: Scored, noise: float, seed: int) -> Scored:
    logit = np.log(rows.score / (1 - rows.score)) + np.random.default_rng(seed).normal(0, noise, len(rows))
    return replace(rows, score=np.asarray(1 / (1 + np.exp(-logit))))


def test_a_source_that_pays_is_used() -> None:
    transfer, reason = decide([point((5, 2, 9), (0.1, 0.02, 0.2))])
    assert transfer
    assert reason.startswith("transfer: money +5.0 per 1,000 orders (+2.0 to +9.0)")


def test_a_source_that_ranks_alike_but_loses_money_is_not() -> None:
    """As on a real processor's data: precision -0.002 (-0.007 to +0.001), money -42.6 with and -2.5 without."""
    transfer, reason = decide([point((-42.6, -60, -30), (-0.002, -0.007, 0.001), saved=-42.6)])
    assert not transfer
    assert "save nothing (-42.6 per 1,000 orders against allowing everything)" in reason


def test_a_source_that_earns_less_than_the_target_alone_is_not_used() -> None:
    transfer, reason = decide([point((-4, -6, -1), (0.01, -0.01, 0.02))])
    assert not transfer
    assert reason.startswith("do not transfer: money -4.0")


def test_a_source_that_catches_nothing_is_not_used_even_where_nothing_else_can_be_learnt() -> None:
    transfer, reason = decide([point((0, 0, 0), (0.0, -0.01, 0.01), saved=0.0, alone=False)])
    assert not transfer
    assert "save nothing" in reason


def test_without_labels_of_its_own_transfer_is_compared_with_no_model() -> None:
    transfer, reason = decide([point((8, 3, 12), (0.3, 0.2, 0.4), alone=False)])
    assert transfer
    assert "there were never enough labels to learn alone" in reason


def test_a_gain_over_blind_guesses_does_not_hide_a_loss_against_the_target_alone() -> None:
    cold, warm = point((0, -9, 9), (0.4, 0.3, 0.5), alone=False), point((0, -9, 9), (-0.1, -0.2, -0.05))
    transfer, reason = decide([cold, warm])
    assert not transfer
    assert "average precision -0.100 (-0.200 to -0.050) against the target alone" in reason


@pytest.mark.parametrize(("money", "transfer"), [(0.5, True), (-0.5, False)])
def test_thin_evidence_is_called_thin(money: float, transfer: bool) -> None:
    found, reason = decide([point((money, -3, 3), (0.01, -0.05, 0.06))])
    assert found is transfer
    assert "the evidence is thin" in reason


def test_money_saved_payment_by_payment_is_the_policys_money() -> None:
    rows, policy = scored(2_000, skill=3.0), Policy.default("EUR")
    total = at_policy(rows, policy)["net_money_per_1000"]
    assert money_saved(rows, policy).mean() * 1000 == pytest.approx(total)
    assert money_saved(rows, policy).sum() > money_saved(blurred(rows, 4.0, 1), policy).sum()


def test_a_forecast_is_one_json_document() -> None:
    document = Forecast((point((5, 2, 9), (0.1, 0.02, 0.2)),), True, "transfer", ARRIVAL).as_json()
    assert document["underpowered"] is True
    points, assumed = document["points"], document["assumed"]
    assert isinstance(points, list)
    assert isinstance(assumed, dict)
    assert points[0]["presumed"] == 600
    assert points[0]["money_gain"] == (5, 2, 9)
    assert assumed["presumed_after_days"] == 60.0


def test_the_table_says_how_far_it_can_be_trusted_and_what_it_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    show(Forecast((point((5, -2, 9), (0.1, -0.05, 0.2)),), True, "transfer, though the evidence is thin", ARRIVAL))
    shown = capsys.readouterr().out
    assert "+0.100 (-0.050 to" in shown
    assert "transfer, though the evidence is thin" in shown
    assert "fewer than 600 frauds ahead" in shown
    assert "not a promise" in shown
    assert "half by the age of 60 days" in shown
    assert "silence counts as genuine from the age of 60 days" in shown
    assert "no label is an analyst's verdict" in shown
