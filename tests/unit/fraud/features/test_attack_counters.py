"""What is no attack counts in no counter of attacks, of no entity; and ids may be written in any script."""

from typing import Any

import numpy as np
import pytest

from fraud.decoding.batch import ENTITIES, Batch, Kind
from fraud.features.encoder import SPEC, Encoder
from fraud.features.phrases import Wording
from fraud.features.spec import Feature, FeatureSpec, valid_source
from fraud.history.history import History, HistoryConfig
from fraud.history.kernel.measures import MEASURES
from tests.support.event_columns import MINUTE, event

SMALL = HistoryConfig(max_entities=4096, max_entries=8192, max_bucketed=64, recent_capacity=1024)
ATTACK = ("attempts_", "declines_", "first_", "second_", "small_")
COUNTERS = FeatureSpec(
    tuple(
        Feature(name=f"{entity}.{measure}", meaning="", source=(entity, measure), wording=Wording(""), group=entity)
        for entity in ENTITIES
        for measure in MEASURES
        if measure.startswith(ATTACK) and valid_source((entity, measure))
    )
)
EVERYONE: dict[str, Any] = {entity: f"the {entity}" for entity in ENTITIES}


def counted(*events: Batch) -> dict[str, float]:
    """The attack counters of all entities that the last of these events reads."""
    encoded = Encoder(COUNTERS, History(SMALL)).encode(Batch.concatenate(events))
    return dict(zip(COUNTERS.names, encoded.features[-1].tolist(), strict=True))


def declined(transaction: str, at: int, *, merchant: bool = False, order: str | None = None) -> list[Batch]:
    """A small attempt of everyone and its decline."""
    flags = {"is_merchant_initiated": int(merchant)}
    return [
        event(transaction, at=at, amount=1.0, order=order, integers=flags, **EVERYONE),
        event(transaction, at=at + 1, kind=Kind.DECLINED, **EVERYONE),
    ]


def test_declined_payments_of_the_merchants_own_count_in_no_attack_counter_of_anything() -> None:
    own = [one for i in range(9) for one in declined(f"t{i}", i * 10, merchant=True)]
    found = counted(*own, event("next", at=MINUTE, **EVERYONE))
    assert {name for name, value in found.items() if value != 0} == set()


def test_declined_retries_of_an_order_count_once_in_every_attack_counter_of_everything() -> None:
    tries = [one for i in range(1 + SMALL.order_retries) for one in declined(f"t{i}", i * 10, order="o")]
    found = counted(*tries, event("next", at=MINUTE, **EVERYONE))
    assert {name for name, value in found.items() if value != 1} == set()


def test_the_same_tries_for_different_orders_count_in_full() -> None:
    tries = [one for i in range(4) for one in declined(f"t{i}", i * 10, order=f"o{i}")]
    found = counted(*tries, event("next", at=MINUTE, **EVERYONE))
    assert found["card.attempts_10min"] == found["merchant.declines_1h"] == found["ip.small_24h"] == 4
    assert found["device.first_10min"] == 1


@pytest.mark.parametrize(
    "name",
    ["7", "é", "e\u0301", "顧客", "لزبون", "😀" * 64, "x" * 256, "x" * 100_000, "a\0b", " ", "\u200b"],
    ids=["digit", "composed", "decomposed", "han", "arabic", "emoji", "longest", "longer", "null", "space", "no_width"],
)
def test_an_id_of_any_length_and_script_is_one_entity_and_no_other(name: str) -> None:
    others = [
        event(f"o{i}", at=i, card=other) for i, other in enumerate((name + name, name[:-1] + "~", "e", "x" * 255))
    ]
    mine = [event(f"t{i}", at=10 + i, card=name) for i in range(3)]
    row = Encoder(SPEC, History(SMALL)).encode(Batch.concatenate([*others, *mine, event("last", at=20, card=name)]))
    assert row.features[-1, SPEC.names.index("card_attempts_10min")] == 3
    assert row.features[-1, SPEC.names.index("customer_cards_30d")] == len(
        {name, name + name, name[:-1] + "~", "e", "x" * 255}
    )
    assert np.isnan(row.features[-1, SPEC.names.index("device_attempts_10min")])
