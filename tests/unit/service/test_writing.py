"""What is written is valid under the contracts, and says what was done."""

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from fraud.history import History, HistoryConfig
from fraud.outputs import Alert, Decision, Shadow, Source, alert_id
from service.bootstrap import build_pipeline, domain
from service.metrics import Metrics
from service.ports import Channel, Float32s, Messages, Models, Records
from service.result import Result
from service.settings import Settings
from service.wire import AlertOut, DecisionOut, ShadowOut, SourceOut
from tests.bundles import AmountModel
from tests.events import at_us, raw, transaction

CONFIG = HistoryConfig(max_entities=1 << 10, max_entries=1 << 12, max_bucketed=1 << 8, recent_capacity=1 << 10)


def process(
    events: list[dict[str, object]], *, models: Models | None = None, headers: object = None, **settings: object
) -> Result:
    chosen = Settings(**settings)  # type: ignore[arg-type]
    pipeline = build_pipeline(chosen, domain(chosen), lambda: 0.0)
    pipeline.adopt(0, History(CONFIG), None)
    n = len(events)
    records = Records(
        0,
        range(n),
        [at_us(i) for i in range(n)],
        [b"key"] * n,
        [raw(event) for event in events],
        [headers or ()] * n,  # type: ignore[list-item]
    )
    return pipeline.process([records], models or Models(AmountModel()), at_us(100))


def written(result: Result, channel: Channel) -> Messages:
    found = [messages for messages in result.outputs[0].messages if messages.channel is channel]
    return found[0] if found else Messages(channel, [], [])


@pytest.mark.parametrize(
    ("struct", "contract"), [(AlertOut, Alert), (DecisionOut, Decision), (ShadowOut, Shadow), (SourceOut, Source)]
)
def test_the_structs_have_the_contracts_fields(struct: type, contract: type) -> None:
    assert set(struct.__struct_fields__) == set(contract.model_fields)  # type: ignore[attr-defined]


def test_alerts_and_decisions_are_valid_and_agree() -> None:
    models = Models(AmountModel(1), AmountModel(2, half=1.0))
    result = process([transaction(0), transaction(1, amount="900.00")], models=models)
    decisions = [Decision.model_validate_json(value) for value in written(result, Channel.DECISIONS).values]
    (alert,) = [Alert.model_validate_json(value) for value in written(result, Channel.ALERTS).values]
    assert [decision.action for decision in decisions] == ["allow", alert.action]
    assert decisions[0].alert_id is None
    assert decisions[1].alert_id == alert.alert_id
    assert alert.score == decisions[1].score
    assert decisions[0].shadow is not None


def test_decisions_can_be_left_out() -> None:
    result = process([transaction(1, amount="900.00")], decisions="off")
    assert len(written(result, Channel.DECISIONS)) == 0
    assert len(written(result, Channel.ALERTS)) == 1


def test_pseudonyms_replace_ids_in_key_body_and_transaction_alike() -> None:
    event = transaction(1, amount="900.00", customer_id="alice", card_id="card-9")
    messages = written(process([event], pseudonyms=True, secret="s"), Channel.ALERTS)  # noqa: S106 - a test's
    alert = Alert.model_validate_json(messages.values[0])
    for id_ in (b"alice", b"card-9", b'"t1"'):
        assert id_ not in messages.values[0]
    assert messages.keys[0] == alert.customer_id.encode() == alert.transaction.customer_id.encode()
    assert alert.transaction_id == alert.transaction.transaction_id
    assert alert.alert_id == alert_id(alert.transaction_id, "pre_auth")


def test_a_card_number_is_scored_under_its_token() -> None:
    pan = "4111111111111111"
    result = process([transaction(1, amount="900.00", card_id=pan)], secret="s")  # noqa: S106 - a test's
    for messages in result.outputs[0].messages:
        assert all(pan.encode() not in value for value in messages.values)
    assert result.parts[0].decoded.masked == 1


def test_a_dead_letter_masks_card_numbers_and_says_so() -> None:
    broken = {**transaction(1, card_id="4111111111111111"), "amount": "nothing"}
    messages = written(process([broken], secret="s"), Channel.DEAD_LETTERS)  # noqa: S106 - a test's
    assert b"4111111111111111" not in messages.values[0]
    assert dict(messages.headers[0])["masked"] == b"1"


def test_a_dead_letter_too_large_to_send_is_cut_and_says_so() -> None:
    huge = {**transaction(1), "junk": "x" * 2_000_000}
    messages = written(process([huge]), Channel.DEAD_LETTERS)
    assert len(messages.values[0]) == 1_000_000
    assert dict(messages.headers[0])["truncated"] == b"true"


def test_headers_that_pose_as_ours_are_dropped_and_the_others_kept() -> None:
    headers = [("reason", b"none"), ("trace", b"7"), ("redrive_attempt", b"2")]
    messages = written(process([{"type": "x"}], headers=headers), Channel.DEAD_LETTERS)
    assert [value for name, value in messages.headers[0] if name == "reason"] == [b"unknown_type"]
    assert dict(messages.headers[0])["trace"] == b"7"
    assert dict(messages.headers[0])["attempt"] == b"2"


def test_explored_blocks_are_let_through_with_their_propensity() -> None:
    events = [transaction(i, amount="99000.00", customer_id=f"c{i}") for i in range(400)]
    settings = {"secret": "s", "explore_share": 0.05, "explore_budget": 1e9}
    result = process(events, models=Models(AmountModel(half=1.0)), **settings)
    decisions = [Decision.model_validate_json(value) for value in written(result, Channel.DECISIONS).values]
    let = [d for d in decisions if d.model_action == "block" and d.action == "allow"]
    assert 5 <= len(let) <= 40
    assert {d.propensity for d in let} == {0.05}
    assert all(d.alert_id is None for d in let)
    registry = CollectorRegistry()
    Metrics(registry).batch(result, committed_us=at_us(100), seconds={})
    assert registry.get_sample_value("fraud_explored_total") == len(let)


def test_the_same_events_give_the_same_features_however_they_are_cut() -> None:
    events = [raw(transaction(i)) for i in range(60)]
    found = []
    for size in (1, 7, 60):
        pipeline = build_pipeline(Settings(), domain(Settings()), lambda: 0.0)
        pipeline.adopt(0, History(CONFIG), None)
        crcs = []
        for first in range(0, 60, size):
            share = range(first, min(first + size, 60))
            n = len(share)
            records = Records(0, share, [at_us(i) for i in share], [None] * n, [events[i] for i in share], [()] * n)
            messages = pipeline.process([records], Models(AmountModel()), 0).outputs[0].messages
            crcs += [msgspec.json.decode(value)["features_crc"] for value in messages[0].values]
        found.append(crcs)
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) > 10


class Mute(AmountModel):
    """A model that gives the first payment of a batch no score, and cannot say why."""

    def score(self, features: Float32s) -> tuple[Float32s, Float32s]:
        calibrated, raw = super().score(features)
        calibrated, raw = calibrated.copy(), raw.copy()
        calibrated[0] = raw[0] = np.nan
        return calibrated, raw

    def explain(self, features: Float32s) -> Float32s:
        return np.full_like(features, np.nan)


def test_a_payment_without_a_score_goes_to_review_under_valid_contracts_and_is_counted() -> None:
    result = process([transaction(0), transaction(1)], models=Models(Mute(), Mute(2)))
    first, second = [Decision.model_validate_json(value) for value in written(result, Channel.DECISIONS).values]
    (alert,) = [Alert.model_validate_json(value) for value in written(result, Channel.ALERTS).values]
    assert (first.action, first.model_action, second.action) == ("review", "review", "allow")
    assert first.score == first.raw_score == first.threshold
    assert first.shadow is not None
    assert first.shadow.action == "review"
    assert alert.alert_id == first.alert_id
    assert [reason.code for reason in alert.reasons] == ["no_score"]
    registry = CollectorRegistry()
    Metrics(registry).batch(result, committed_us=at_us(200), seconds={})
    for role in ("champion", "shadow"):
        assert registry.get_sample_value("fraud_scores_not_finite_total", {"role": role}) == 1
