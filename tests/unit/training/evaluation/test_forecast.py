"""The forecast transfers when that helps, warns when it hurts, and says how sure it is."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.scored_payments import scored
from training.commands.forecast import show
from training.evaluation.bootstrap import Interval, difference
from training.evaluation.forecast import Forecast, Point, decide
from training.evaluation.scores import Scored


def blurred(rows: Scored, noise: float, seed: int) -> np.ndarray:
    logit = np.log(rows.score / (1 - rows.score)) + np.random.default_rng(seed).normal(0, noise, len(rows))
    return np.asarray(1 / (1 + np.exp(-logit)))


def gains(periods: list[tuple[Scored, np.ndarray]]) -> list[Interval]:
    return [difference(rows, alone, "average_precision", seed=1) for rows, alone in periods]


def test_a_source_that_helps_is_used_and_one_that_hurts_is_not() -> None:
    periods = [scored(3_000, seed=seed, skill=2.5) for seed in range(3)]
    helped = [(rows, blurred(rows, 3.0, seed)) for seed, rows in enumerate(periods)]
    transfer, reason = decide(gains(helped))
    assert transfer
    assert reason.startswith("transfer: average precision with transfer minus without: +")
    hurt = [(replace(rows, score=other), rows.score) for rows, other in helped]
    transfer, reason = decide(gains(hurt))
    assert not transfer
    assert reason.startswith("do not transfer")


def test_thin_evidence_is_called_thin() -> None:
    rows = scored(400, seed=5, rate=0.03)
    transfer, reason = decide(gains([(rows, blurred(rows, 0.3, 1))]))
    assert transfer
    assert "the evidence is thin" in reason


def test_without_labels_of_its_own_there_is_nothing_but_transfer() -> None:
    transfer, reason = decide([])
    assert transfer
    assert "never enough labels" in reason


def test_a_forecast_is_one_json_document() -> None:
    point = Point(14, 100, 2, 9, 0.4, None, 12.0, None)
    document = Forecast((point,), True, "transfer").as_json()
    assert document["underpowered"] is True
    assert document["points"] == [
        {
            "days": 14,
            "labels": 100,
            "frauds": 2,
            "test_frauds": 9,
            "recall": 0.4,
            "recall_alone": None,
            "money": 12.0,
            "money_alone": None,
            "gain": None,
        }
    ]


def test_the_table_says_how_far_it_can_be_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    first = Point(14, 100, 2, 9, 0.4, None, 12.0, None)
    later = Point(30, 900, 11, 20, 0.6, 0.5, 14.0, 13.0, (0.1, -0.05, 0.2))
    show(Forecast((first, later), True, "transfer, though the evidence is thin"))
    shown = capsys.readouterr().out
    assert "+0.100 (-0.050 to +0.200)" in shown
    assert "transfer, though the evidence is thin" in shown
    assert "fewer than 600 frauds ahead" in shown
    assert "not a promise" in shown
