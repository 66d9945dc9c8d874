import numpy as np
import pytest

from fraud.decoding.batch import Batch, Kind
from fraud.features.encoder import SPEC, Encoder, Status, features_crc, features_fingerprint
from fraud.features.phrases import Wording
from fraud.features.spec import Feature, FeatureSpec
from fraud.history.history import AGREEING, History, HistoryConfig
from tests.support.event_columns import DAY, HOUR, MINUTE, event

SMALL = HistoryConfig(max_entities=4096, max_entries=8192, max_bucketed=64, recent_capacity=1024)


def last_row(*events: Batch, config: HistoryConfig = SMALL) -> dict[str, float]:
    """The features of the last event, by name."""
    encoded = Encoder(SPEC, History(config)).encode(Batch.concatenate(events))
    return dict(zip(SPEC.names, encoded.features[-1].tolist(), strict=True))


def test_counts_an_entitys_earlier_attempts_in_each_window_and_never_the_event_itself() -> None:
    row = last_row(
        event("a", at=0),
        event("b", at=2 * HOUR),
        event("c", at=2 * HOUR + 55 * MINUTE),
        event("d", at=3 * HOUR),
    )
    assert row["customer_attempts_10min"] == 1
    assert row["customer_attempts_1h"] == 1, "(t - w, t] is open at its start"
    assert row["customer_attempts_24h"] == 3


def test_a_decline_counts_once_it_is_told_and_approved_spend_too() -> None:
    row = last_row(
        event("a", amount=20.0),
        event("a", kind=Kind.DECLINED, at=1),
        event("b", amount=30.0, at=2),
        event("b", kind=Kind.AUTHORISED, at=3),
        event("c", at=4),
    )
    assert row["customer_declines_1h"] == 1
    assert row["customer_spend_24h"] == 30.0


def test_counts_the_distinct_cards_of_a_device() -> None:
    attempts = [event(f"t{i}", at=i, device="d", card=f"card{i % 8}") for i in range(20)]
    row = last_row(*attempts, event("last", at=MINUTE, device="d", card="new"))
    assert row["device_cards_1h"] == 8
    assert row["device_cards_24h"] == 8
    assert row["customer_card_new"] == 1


def test_an_entity_idle_for_the_whole_horizon_reads_as_unknown() -> None:
    seen = last_row(event("a", card="k"), event("b", at=30 * DAY, card="k"))
    fresh = last_row(event("b", at=30 * DAY, card="k"))
    assert np.array_equal(list(seen.values()), list(fresh.values()), equal_nan=True)


def test_absent_ids_give_missing_features_not_zeros() -> None:
    row = last_row(event("a"))
    assert np.isnan(row["device_attempts_1h"])
    assert row["customer_attempts_1h"] == 0


def test_repeats_are_told_from_conflicts_and_neither_touches_the_history() -> None:
    encoder = Encoder(SPEC, History(SMALL))
    batch = Batch.concatenate([event("a"), event("a"), event("a", amount=11.0), event("b", at=1)])
    encoded = encoder.encode(batch)
    assert encoded.status.tolist() == [Status.SCORE, Status.DUPLICATE, Status.CONFLICT, Status.SCORE]
    assert encoded.features[3, SPEC.names.index("customer_attempts_1h")] == 1
    assert np.isnan(encoded.features[1]).all()


def test_the_model_is_told_of_invalid_fields_and_a_repetition_may_have_others() -> None:
    assert last_row(event("a"))["malformed"] == 0
    assert last_row(event("a", malformed=True))["malformed"] == 1
    both = Batch.concatenate([event("a"), event("a", malformed=True)])
    assert Encoder(SPEC, History(SMALL)).encode(both).status.tolist() == [Status.SCORE, Status.DUPLICATE]


def test_a_repeat_after_the_dedupe_span_is_a_new_transaction() -> None:
    encoder = Encoder(SPEC, History(SMALL))
    later = [event(f"t{i}", at=DAY + 1 + i) for i in range(2 * AGREEING)]
    encoded = encoder.encode(Batch.concatenate([event("a"), *later, event("a", at=DAY + 99)]))
    assert set(encoded.status.tolist()) == {Status.SCORE}


def test_retries_of_one_order_with_one_card_count_in_no_attack_counter() -> None:
    retries = [event(f"t{i}", at=i, order="o", card="k") for i in range(4)]
    row = last_row(*retries, event("next", at=MINUTE, card="k"))
    assert row["card_attempts_1h"] == 1


def test_one_order_tried_with_many_cards_is_counted_in_full() -> None:
    tries = [event(f"t{i}", at=i, order="o", card=f"k{i}", device="d") for i in range(6)]
    row = last_row(*tries, event("next", at=MINUTE, device="d"))
    assert row["device_attempts_10min"] == 6


def test_more_retries_of_an_order_than_allowed_are_counted() -> None:
    tries = [event(f"t{i}", at=i, order="o", card="k") for i in range(10)]
    row = last_row(*tries, event("next", at=MINUTE, card="k"))
    assert row["card_attempts_1h"] == 10 - SMALL.order_retries


def test_payments_the_merchant_initiates_count_in_no_attack_counter() -> None:
    own = [event(f"t{i}", at=i, integers={"is_merchant_initiated": 1}) for i in range(5)]
    assert last_row(*own, event("next", at=MINUTE))["customer_attempts_1h"] == 0


def test_an_entity_of_many_customers_for_days_is_shared_but_a_burst_alone_is_not() -> None:
    def crowd(day: int) -> list[Batch]:
        return [event(f"t{day}-{i}", at=day * DAY + i, ip="campus", customer=f"u{day}-{i}") for i in range(60)]

    burst = last_row(*crowd(0), event("x", at=HOUR, ip="campus"))
    assert burst["ip_shared"] == 0
    assert burst["ip_attempts_24h"] == 60
    campus = last_row(*crowd(0), *crowd(1), *crowd(2), event("x", at=3 * DAY, ip="campus"))
    assert campus["ip_shared"] == 1
    assert np.isnan(campus["ip_attempts_24h"])


def test_late_events_are_flagged_and_see_no_later_dated_attempt() -> None:
    encoder = Encoder(SPEC, History(SMALL))
    encoded = encoder.encode(Batch.concatenate([event("a", at=HOUR), event("b", at=0)]))
    assert encoded.late.tolist() == [False, True]
    assert encoded.features[1, SPEC.names.index("customer_attempts_24h")] == 0


def test_a_feature_that_looks_back_further_than_the_history_is_refused() -> None:
    with pytest.raises(ValueError, match="looks back 30 days; the history remembers 7"):
        Encoder(SPEC, History(HistoryConfig(horizon_days=7, max_entities=16, max_entries=16, recent_capacity=16)))


def test_a_feature_of_an_unknown_source_is_refused() -> None:
    odd = Feature(name="odd", meaning="", source=("merchant", "first_24h"), wording=Wording(""), group="x")
    with pytest.raises(ValueError, match="feature odd reads"):
        FeatureSpec((odd,))


def test_fingerprints_change_with_the_configuration_and_the_features() -> None:
    names = {
        features_fingerprint(SPEC, SMALL),
        features_fingerprint(SPEC, HistoryConfig()),
        features_fingerprint(FeatureSpec(SPEC.features[:-1]), SMALL),
    }
    assert len(names) == 3


def test_the_crc_of_a_row_is_stable() -> None:
    assert features_crc(np.array([1.0, np.nan], np.float32)) == features_crc(np.array([1.0, np.nan, 3.0])[:2])
