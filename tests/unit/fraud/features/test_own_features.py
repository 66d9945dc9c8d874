"""What the features of a shop's own fields say of its payments."""

from dataclasses import replace

import numpy as np
import pytest

from fraud.decoding.batch import Batch, Kind, hash_id
from fraud.features.catalogue import SPEC, history_config, spec_of
from fraud.features.encoder import Encoder
from fraud.features.platform import parse_platform
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskTable, RiskTables
from fraud.history.history import History
from fraud.history.kernel.layout import VALUE_PLACES, VALUE_WAYS
from tests.support.event_columns import DAY, HOUR, MINUTE, START, event

SHOP = parse_platform(
    """
    fields.level.kind = "number"
    fields.gift.kind = "flag"
    fields.tier.kind = "category"
    fields.store.kind = "entity"
    """,
    where="test",
)
SPEC_OF_SHOP = spec_of(SHOP)
NAN = float("nan")


def encoder() -> Encoder:
    return Encoder(SPEC_OF_SHOP, History(replace(history_config(SHOP), max_entities=4096, max_entries=8192)))


def last(*events: Batch, risk: RiskTables | None = None) -> dict[str, float]:
    features = encoder().encode(Batch.concatenate(events), risk).features
    return {n.removeprefix("attribute_"): v for n, v in zip(SPEC_OF_SHOP.names, features[-1].tolist(), strict=True)}


def pay(name: str, *, at: int, tier: float = 7, store: str | None = "s", **more: object) -> Batch:
    return event(name, at=at, attributes=[1.5, 1, tier], own=[store], **more)  # type: ignore[arg-type]


def outcome(of: Batch, kind: Kind, *, at: int) -> Batch:
    """Without own fields, as producers send them."""
    told = replace(of, kind=np.array([kind], np.uint8), time=np.array([START + at]))
    return replace(told, attributes=told.attributes * np.float32(NAN), own_ids=told.own_ids * 0)


def test_values_are_features_as_they_come() -> None:
    row = last(pay("a", at=0))
    assert (row["level"], row["gift"], row["tier"]) == (1.5, 1, 7)


def test_how_often_a_value_was_seen_counts_every_earlier_payment_with_it_by_whoever() -> None:
    others = [pay(f"t{i}", at=i * MINUTE, tier=7 + i % 2, customer=f"c{i}", store=None) for i in range(10)]
    row = last(*others, pay("x", at=HOUR))
    assert (row["tier_seen_24h"], row["tier_seen_30d"]) == (5, 5)
    row = last(*others, pay("x", at=3 * DAY))
    assert (row["tier_seen_24h"], row["tier_seen_30d"]) == (0, 5)
    row = last(*others, pay("x", at=40 * DAY))
    assert (row["tier_seen_24h"], row["tier_seen_30d"]) == (0, 0)
    row = last(*others, pay("x", at=HOUR, tier=99))
    assert (row["tier_seen_24h"], row["tier_seen_30d"]) == (0, 0)
    assert np.isnan(last(*others, pay("x", at=HOUR, tier=NAN))["tier_seen_24h"])


def test_a_value_that_needs_room_takes_that_of_the_one_not_seen_for_longest() -> None:
    sets = VALUE_PLACES // VALUE_WAYS
    rivals = [5 + sets * i for i in range(VALUE_WAYS + 1)]  # all in one set
    crowd = [pay(f"t{i}", at=i * MINUTE, tier=value) for i, value in enumerate(rivals[:-1])]
    again = pay("again", at=HOUR, tier=rivals[0])
    newcomer = pay("new", at=HOUR + 1, tier=rivals[-1])
    assert last(*crowd, again, newcomer, pay("x", at=2 * HOUR, tier=rivals[0]))["tier_seen_24h"] == 2
    assert last(*crowd, again, newcomer, pay("x", at=2 * HOUR, tier=rivals[1]))["tier_seen_24h"] == 0
    assert last(*crowd, again, newcomer, pay("x", at=2 * HOUR, tier=rivals[2]))["tier_seen_24h"] == 1


def test_an_own_entity_has_counters_like_a_merchant_and_partners_like_a_device() -> None:
    crowd = [pay(f"t{i}", at=i * MINUTE, customer=f"c{i % 3}", card=f"k{i}", amount=1) for i in range(100)]
    row = last(*crowd, pay("x", at=100 * MINUTE, customer="c", card="k"))
    assert (row["store_attempts_24h"], row["store_small_24h"]) == (100, 100)  # a ring alone would saturate
    assert (row["store_cards_24h"], row["store_customers_24h"]) == (64, 3)
    assert row["store_hours_since_last"] == pytest.approx(1 / 60)
    assert row["store_declines_24h"] == row["store_spend_24h"] == 0


def test_a_busy_own_entity_is_never_taken_for_shared() -> None:
    crowd = [pay(f"t{day}-{i}", at=day * DAY + i, customer=f"c{day}-{i}") for day in range(5) for i in range(60)]
    assert last(*crowd, pay("x", at=5 * DAY))["store_attempts_30d"] == 300


def test_outcomes_that_repeat_no_own_field_still_tell_what_became_of_an_own_entitys_attempts() -> None:
    one, two = pay("one", at=0, amount=30), pay("two", at=1, amount=40)
    told = [outcome(one, Kind.DECLINED, at=2), outcome(two, Kind.AUTHORISED, at=3)]
    row = last(one, two, *told, pay("x", at=HOUR))
    assert (row["store_declines_24h"], row["store_spend_24h"]) == (1, 40)
    row = last(one, two, *told, outcome(two, Kind.REFUNDED, at=4), pay("x", at=HOUR))
    assert row["store_spend_24h"] == 0


def test_an_outcome_after_its_attempt_was_forgotten_changes_nothing() -> None:
    one = pay("one", at=0, amount=30)
    fill = [pay(f"t{i}", at=2 * DAY + i, store="other") for i in range(10)]
    row = last(one, *fill, outcome(one, Kind.AUTHORISED, at=2 * DAY + 100), pay("x", at=2 * DAY + 200))
    assert row["store_spend_24h"] == 0
    assert row["store_attempts_30d"] == 1


def test_without_an_id_nothing_is_said_of_an_own_entity_and_a_new_one_starts_at_zero() -> None:
    missing, new = last(pay("x", at=0, store=None)), last(pay("x", at=0, card="k"))
    names = [name for name in missing if name.startswith("store_")]
    assert all(np.isnan(missing[name]) for name in names)
    assert new["store_attempts_24h"] == new["store_cards_24h"] == 0
    assert np.isnan(new["store_hours_since_last"])


def test_risks_of_own_categories_and_entities_are_read_from_dated_tables() -> None:
    high = np.full((1, len(RISK_WINDOWS_DAYS)), 9, np.float32)
    tables = RiskTables(
        [
            RiskTable("attribute_tier", START, np.array([7], np.uint64), high),
            RiskTable("attribute_store", START, np.array([hash_id("s")], np.uint64), high),
        ]
    )
    row = last(pay("x", at=HOUR), risk=tables)
    assert [row["tier_risk_1d"], row["tier_risk_30d"], row["store_risk_7d"]] == [9, 9, 9]
    row = last(pay("x", at=HOUR, tier=8, store="t"), risk=tables)
    assert [row["tier_risk_1d"], row["store_risk_7d"]] == [1, 1]
    row = last(pay("x", at=HOUR, tier=NAN, store=None), risk=tables)
    assert np.isnan([row["tier_risk_1d"], row["store_risk_7d"]]).all()


def test_one_own_entitys_flood_of_ids_pushes_out_no_merchant() -> None:
    config = replace(history_config(SHOP), max_entities=4096, max_entries=8192, max_bucketed=8, tidy_every=16)
    code = Encoder(SPEC_OF_SHOP, History(config))
    shop = [pay(f"m{i}", at=i, merchant="m", store=None) for i in range(3)]
    flood = [pay(f"t{i}", at=10 + i, store=f"s{i}") for i in range(200)]
    code.encode(Batch.concatenate([*shop, *flood]))
    row = code.encode(pay("x", at=HOUR, merchant="m")).features[0]
    assert row[SPEC_OF_SHOP.names.index("merchant_attempts_24h")] == 3
    assert code.history.evictions["store"] > 0
    assert code.history.evictions["merchant"] == 0
    assert code.history.state.counters[9] <= 8 + 16 + 3  # rows of buckets in use


def test_a_repetition_with_another_own_field_is_a_conflict() -> None:
    code = encoder()
    one = pay("one", at=0)
    others = [pay("one", at=0, store="t"), pay("one", at=0, tier=8)]
    assert code.encode(Batch.concatenate([one, one, *others])).status.tolist() == [0, 2, 3, 3]


def test_a_history_of_other_own_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="make both from one platform"):
        Encoder(SPEC_OF_SHOP, History())
    with pytest.raises(ValueError, match="make both from one platform"):
        Encoder(SPEC, History(history_config(SHOP)))


def test_arrays_of_own_fields_from_outside_are_looked_at() -> None:
    code = encoder()
    code.encode(Batch.concatenate([pay(f"t{i}", at=i, tier=i + 1, store=f"s{i}") for i in range(20)]))
    held = {name: array.copy() for name, array in code.history.arrays().items()}
    again = History.from_arrays(code.history.config, held)
    assert all(np.array_equal(held[name], array) for name, array in again.arrays().items())
    for name, wrong in (
        ("value_places", held["value_places"] + np.uint32(VALUE_PLACES)),
        ("value_counts", held["value_counts"][:-1]),
        ("value_keys", held["value_keys"].astype(np.int64)),
        ("recent_own", held["recent_own"][:, :0]),
    ):
        with pytest.raises(ValueError, match=f"array {name}"):
            History.from_arrays(code.history.config, held | {name: wrong})
    astray = held["slots"].copy()
    astray["kind"][astray["kind"] == 14] = 15  # an own entity that is not declared
    with pytest.raises(ValueError, match="a slot holds what no entity has"):
        History.from_arrays(code.history.config, held | {"slots": astray})


def test_keys_of_recent_transactions_that_name_something_else_are_not_followed() -> None:
    code = encoder()
    one = pay("one", at=0, amount=30)
    code.encode(one)
    held = {name: array.copy() for name, array in code.history.arrays().items()}
    held["recent_own"][:] = held["slots"]["key"][0]  # the customer's, which has no row of buckets
    again = Encoder(SPEC_OF_SHOP, History.from_arrays(code.history.config, held))
    again.encode(outcome(one, Kind.DECLINED, at=1))
    assert not again.history.state.buckets["declines"][:1].any()
