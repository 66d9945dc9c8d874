"""Figures of decisions that were made: what exploration let through stands for what it did not."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from fraud.decoding.decoder import Decoder
from fraud.money import Rates
from local.testbed.events import at_us, outcome, raw, transaction
from training.loop.ledger_view import LedgerView
from training.loop.monitoring.business_figures import business, by_version, quality


def decisions(count: int = 100_000, *, explored: float = 0.01, seed: int = 1) -> tuple[pd.DataFrame, float, float]:
    """(decisions with labels as they became known, true precision, true recall) of a policy that blocks."""
    random = np.random.default_rng(seed)
    fraud = random.random(count) < 0.03
    score = np.where(fraud, random.beta(6, 3, count), random.beta(1, 8, count))
    model = np.select([score > 0.5, score > 0.3], ["block", "review"], "allow")
    lucky = (model == "block") & (random.random(count) < explored)
    action = np.where(lucky, "allow", model)
    propensity = np.select([lucky, model == "block"], [explored, 1 - explored], 1.0)
    label = np.where(action == "block", -1, fraud.astype(int))
    frame = pd.DataFrame({"model_action": model, "action": action, "propensity": propensity, "label": label})
    flagged = model != "allow"
    return frame.assign(version=1), float(fraud[flagged].mean()), float(flagged[fraud].mean())


def test_precision_and_recall_weigh_explored_blocks_by_their_propensity() -> None:
    plain, weighed, recalls = [], [], []
    for seed in range(8):
        frame, precision, recall = decisions(seed=seed)
        figures = quality(frame)
        seen = frame[(frame["model_action"] != "allow") & (frame["label"] >= 0)]
        plain.append(float((seen["label"] == 1).mean()) - precision)
        weighed.append(figures["precision"] - precision)
        recalls.append(figures["recall"] - recall)
        assert figures["effective"] < len(seen)
    assert np.mean(plain) < -0.1  # blocks are surer than reviews, and nobody hears of them
    assert abs(np.mean(weighed)) < 0.05
    assert abs(np.mean(recalls)) < 0.05


def test_verdicts_on_what_stayed_blocked_do_not_count_twice_once_blocks_are_explored() -> None:
    frame, precision, _ = decisions()
    judged = frame.assign(label=frame["label"].where(frame["action"] != "block", 0))  # somebody cleared every block
    assert quality(judged)["precision"] == pytest.approx(quality(frame)["precision"])
    assert quality(frame)["precision"] == pytest.approx(precision, abs=0.15)


def test_without_exploration_every_known_label_counts_alike() -> None:
    frame = pd.DataFrame(
        {"model_action": ["review", "block", "review", "allow"], "action": ["review", "block", "review", "allow"],
         "propensity": [1.0, 1.0, 1.0, 1.0], "label": [1, 1, 0, 1], "version": [1, 1, 2, 2]}
    )  # fmt: skip
    figures = quality(frame)
    assert figures["precision"] == pytest.approx(2 / 3)
    assert figures["recall"] == pytest.approx(2 / 3)
    assert figures["effective"] == pytest.approx(3)
    assert by_version(frame)[2] == {"precision": 0.0, "effective": 1.0, "recall": 0.0}


def test_figures_that_nothing_is_known_about_are_absent() -> None:
    frame = pd.DataFrame({"model_action": ["allow"], "action": ["allow"], "propensity": [1.0], "label": [-1]})
    assert quality(frame) == {}


def test_fraud_that_was_stopped_is_no_loss_and_chargebacks_are_counted_by_number() -> None:
    """Ten payments of 20, the last one declined; 0 and 9 are reported as fraud, 1 is charged back twice over."""
    events = [transaction(i, amount="40.00" if i == 0 else "20.00") for i in range(10)]
    events += [outcome(i, kind="declined" if i == 9 else "authorised") for i in range(10)]
    batch = Decoder(Rates.default("EUR")).decode([raw(event) for event in events], [at_us(60)] * 20).batch
    labels = pd.DataFrame(
        {
            "transaction": batch.transaction[[0, 9, 1, 1]],
            "verdict": ["unauthorised", "unauthorised", "first_party", "first_party"],
            "source": ["analyst", "analyst", "chargeback", "chargeback"],
            "received_at": at_us(30),
        }
    )
    stream = SimpleNamespace(events=SimpleNamespace(batch=batch))
    view = cast("LedgerView", SimpleNamespace(now=at_us(60), stream=stream, labels=labels))
    nothing = pd.DataFrame({"time": [], "action": [], "label": [], "amount": [], "model_action": [], "score": []})
    figures = business(view, nothing, None)
    assert figures["approval_ratio"] == 0.9
    assert figures["fraud_loss_bps"] == pytest.approx(40 / 200 * 10_000)
    assert figures["chargebacks"] == 1
    assert figures["chargeback_bps"] == pytest.approx(1 / 9 * 10_000)
