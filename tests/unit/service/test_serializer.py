"""Alerts, decisions and dead letters are valid under the contracts, and say what was done."""

import hashlib
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from fraud.contracts.inbound import Reason
from fraud.contracts.outbound import Alert, Decision, Shadow, Source, alert_id
from fraud.decoding.careful_reader import Reject
from fraud.history.history import History, HistoryConfig
from fraud.privacy.card_numbers import tokeniser
from fraud.privacy.keys import CARD_NUMBERS, derived
from local.testbed.bundles import AmountModel
from local.testbed.events import at_us, raw, transaction
from service.batch import ProcessedBatch
from service.bootstrap import build_pipeline, domain
from service.observability.metrics import Metrics
from service.outputs.dead_letters import MARGIN, MAX_KEY, MAX_VALUE, MOST_SEARCHED, DeadLetters
from service.outputs.structs import AlertOut, DecisionOut, ShadowOut, SourceOut
from service.ports import Channel, Float32s, Messages, Models, Records
from service.settings import Settings

CONFIG = HistoryConfig(max_entities=1 << 10, max_entries=1 << 12, max_bucketed=1 << 8, recent_capacity=1 << 10)


def process(
    events: list[dict[str, object]],
    *,
    models: Models | None = None,
    headers: object = None,
    key: bytes = b"key",
    **settings: object,
) -> ProcessedBatch:
    chosen = Settings(**settings)  # type: ignore[arg-type]
    pipeline = build_pipeline(chosen, domain(chosen), lambda: 0.0)
    pipeline.adopt(0, History(CONFIG), None)
    n = len(events)
    records = Records(
        0,
        range(n),
        [at_us(i) for i in range(n)],
        [key] * n,
        [raw(event) for event in events],
        [headers or ()] * n,  # type: ignore[list-item]
    )
    return pipeline.process([records], models or Models(AmountModel()), at_us(100))


def written(result: ProcessedBatch, channel: Channel) -> Messages:
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


def test_outputs_name_their_own_record_whatever_is_not_scored_between_them() -> None:
    broken = {**transaction(0), "amount": "nothing"}
    repeated = transaction(1, amount="900.00", ip="")
    late = transaction(0, amount="900.00", tz_offset_min=9999)
    result = process([broken, repeated, broken, repeated, late, transaction(5)])
    decisions = [Decision.model_validate_json(value) for value in written(result, Channel.DECISIONS).values]
    alerts = [Alert.model_validate_json(value) for value in written(result, Channel.ALERTS).values]
    facts = [(d.source.offset, d.transaction_id, d.late, d.ignored) for d in decisions]
    assert facts == [(1, "t1", False, ["ip"]), (4, "t0", True, ["tz_offset_min"]), (5, "t5", False, None)]
    assert [(a.source.offset, a.transaction_id, a.ignored) for a in alerts] == [
        (1, "t1", ["ip"]),
        (4, "t0", ["tz_offset_min"]),
    ]
    assert [reject.row for reject in result.parts[0].dead] == [0, 2]


def test_decisions_can_be_left_out() -> None:
    result = process([transaction(1, amount="900.00")], decisions="off")
    assert len(written(result, Channel.DECISIONS)) == 0
    assert len(written(result, Channel.ALERTS)) == 1


def test_pseudonyms_replace_ids_in_key_body_and_transaction_alike() -> None:
    event = transaction(1, amount="900.00", customer_id="alice", card_id="card-9")
    messages = written(process([event], pseudonyms=True, secret="s" * 16), Channel.ALERTS)
    alert = Alert.model_validate_json(messages.values[0])
    for id_ in (b"alice", b"card-9", b'"t1"'):
        assert id_ not in messages.values[0]
    assert messages.keys[0] == alert.customer_id.encode() == alert.transaction.customer_id.encode()
    assert alert.transaction_id == alert.transaction.transaction_id
    assert alert.alert_id == alert_id(alert.transaction_id, "pre_auth")


def test_a_card_number_is_scored_under_its_token() -> None:
    pan = "4111111111111111"
    result = process([transaction(1, amount="900.00", card_id=pan)], secret="s" * 16)
    for messages in result.outputs[0].messages:
        assert all(pan.encode() not in value for value in messages.values)
    assert result.parts[0].decoded.masked == 1


def test_a_dead_letter_masks_card_numbers_and_says_so() -> None:
    broken = {**transaction(1, card_id="4111111111111111"), "amount": "nothing"}
    messages = written(process([broken], secret="s" * 16), Channel.DEAD_LETTERS)
    assert b"4111111111111111" not in messages.values[0]
    assert dict(messages.headers[0])["masked"] == b"1"


def test_a_dead_letter_too_large_to_send_is_cut_and_says_so() -> None:
    huge = {**transaction(1), "junk": "x" * 2_000_000}
    messages = written(process([huge]), Channel.DEAD_LETTERS)
    assert len(messages.values[0]) == MAX_VALUE - MARGIN
    facts = dict(messages.headers[0])
    assert facts["truncated"] == b"true"
    assert (facts["size"], facts["sha256"]) == (
        str(len(raw(huge))).encode(),
        hashlib.sha256(raw(huge)).hexdigest().encode(),
    )


def test_no_part_of_a_card_number_is_left_where_a_dead_letter_is_cut() -> None:
    for filled in range(MAX_VALUE - 20, MAX_VALUE + 2):
        broken = b"{" + b" " * (filled - 1) + b"4111 1111 1111 1111" + b"x" * 1000
        letters = DeadLetters("topic", tokeniser(b"secret"))
        records = Records(0, range(1), [at_us()], [b"key"], [broken], [()])
        messages = letters.messages(records, [Reject(0, Reason.TOO_LARGE, "")], datetime.now(UTC))
        assert b"4111" not in messages.values[0]


def test_of_a_long_key_the_beginning_is_searched_and_nothing_else_is_kept() -> None:
    key = b"4111 1111 1111 1111 " * 50_000
    records = Records(0, range(2), [0] * 2, [key, key + b"x"], [b"{"] * 2, [()] * 2)
    rejects = [Reject(row, Reason.NOT_JSON, "") for row in range(2)]
    messages = DeadLetters("topic", tokeniser(b"secret")).messages(records, rejects, datetime.now(UTC))
    one, two = messages.keys
    assert one != two
    assert all(key is not None and len(key) == MAX_KEY and b"4111" not in key[:-64] for key in (one, two))
    assert int(dict(messages.headers[0])["masked"]) < 4 * MAX_KEY // 16


def test_there_is_a_sign_of_life_for_each_dead_letter() -> None:
    beats: list[int] = []
    records = Records(0, range(3), [0] * 3, [b"key"] * 3, [b"{"] * 3, [()] * 3)
    rejects = [Reject(row, Reason.NOT_JSON, "") for row in range(3)]
    DeadLetters("topic", None).messages(records, rejects, datetime.now(UTC), lambda: beats.append(1))
    assert len(beats) == 3


def test_the_search_for_card_numbers_is_bounded_in_each_batch_and_what_is_beyond_keeps_its_hash() -> None:
    count = MOST_SEARCHED // MAX_VALUE + 2
    records = Records(0, range(count), [0] * count, [b"key"] * count, [b"x" * 2 * MAX_VALUE] * count, [()] * count)

    def token(digits: str) -> str:
        raise AssertionError(digits)

    letters = DeadLetters("topic", token)
    rejects = [Reject(row, Reason.TOO_LARGE, "") for row in range(count)]
    messages = letters.messages(records, rejects, datetime.now(UTC))
    searched = sum(map(len, messages.values))
    assert MOST_SEARCHED // 2 < searched <= MOST_SEARCHED
    assert messages.values[-1] == b""
    assert all(dict(headers)["sha256"] for headers in messages.headers)


def test_keys_and_headers_of_dead_letters_and_headers_of_alerts_are_masked() -> None:
    pan = "4111111111111111"
    headers = [("note", pan.encode()), (f"x-{pan}", b"1"), ("x-datadog-trace-id", pan.encode())]
    token = tokeniser(derived("s" * 16, CARD_NUMBERS))(pan)
    shown = [("note", token.encode()), (f"x-{token}", b"1"), headers[2]]
    alerts = written(process([transaction(1, amount="900.00")], headers=headers, secret="s" * 16), Channel.ALERTS)
    assert alerts.headers[0] == shown
    letters = written(
        process([{"type": "x"}], key=pan.encode(), headers=headers, secret="s" * 16), Channel.DEAD_LETTERS
    )
    assert letters.keys[0] == token.encode()
    assert letters.headers[0][-3:] == shown
    assert dict(letters.headers[0])["masked"] == b"3"


def test_a_numeric_customer_keeps_the_key_of_a_dead_letter() -> None:
    pan = "4111111111111111"
    broken = {**transaction(1, customer_id=pan), "amount": "nothing"}
    letters = written(process([broken], key=pan.encode(), secret="s" * 16), Channel.DEAD_LETTERS)
    assert letters.keys[0] == pan.encode()


def test_headers_that_pose_as_ours_are_dropped_and_the_others_kept() -> None:
    headers = [("reason", b"none"), ("trace", b"7"), ("redrive_attempt", b"2")]
    messages = written(process([{"type": "x"}], headers=headers), Channel.DEAD_LETTERS)
    assert [value for name, value in messages.headers[0] if name == "reason"] == [b"unknown_type"]
    assert dict(messages.headers[0])["trace"] == b"7"
    assert dict(messages.headers[0])["attempt"] == b"2"


def test_explored_blocks_are_let_through_with_their_propensity() -> None:
    events = [transaction(i, amount="99000.00", customer_id=f"c{i}") for i in range(400)]
    settings = {"secret": "s" * 16, "explore_share": 0.05, "explore_budget": 1e9}
    result = process(events, models=Models(AmountModel(half=1.0)), **settings)  # type: ignore[arg-type]
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
