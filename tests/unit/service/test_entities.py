"""Entity look-ups: what the next payment would be scored with, and nothing changed by asking."""

import json
from datetime import datetime

import numpy as np
import pytest

from fraud.decoding.decoder import Decoder
from fraud.features.encoder import SPEC, Encoder
from fraud.history.history import History, HistoryConfig
from fraud.money import Rates
from local.testbed.events import at_us, outcome, raw, transaction
from runtime.clock import SystemClock
from service.observability.entities import EntityLookup
from service.partition import Partition


class Clock(SystemClock):
    def now_us(self) -> int:
        return at_us(60)


def decoder() -> Decoder:
    return Decoder(Rates.default("EUR"), max_ahead_us=0, pan_token=lambda number: f"card-{len(number)}")


@pytest.fixture
def lookup() -> EntityLookup:
    encoder = Encoder(SPEC, History(HistoryConfig(recent_capacity=1 << 10)))
    events = [transaction(n, customer_id="alice", device_id="d1", card_id=f"card{n}", amount="20.00") for n in range(3)]
    events.append(outcome(2, customer_id="alice", device_id="d1", card_id="card2", kind="declined"))
    encoder.encode(decoder().decode([raw(event) for event in events], [at_us(30)] * 4).batch)
    return EntityLookup(decoder(), "EUR", partitions={3: Partition(encoder, 4)}, lag=lambda: {3: 7}, clock=Clock())


def ask(lookup: EntityLookup, rest: str) -> dict[str, object]:
    status, kind, body = lookup.answer(rest)
    assert (status, kind) == (200, "application/json")
    (partition,) = json.loads(body)["partitions"]
    found: dict[str, object] = partition
    return found


def test_it_tells_what_the_history_knows_and_how_fresh_that_is(lookup: EntityLookup) -> None:
    found = ask(lookup, "customer/alice")
    measures = found["measures"]
    assert isinstance(measures, dict)
    assert (measures["attempts_10min"], measures["declines_1h"], measures["second_24h"]) == (3, 1, 3)
    assert (found["known"], found["partition"], found["behind_records"]) == (True, 3, 7)
    assert datetime.fromisoformat(str(found["as_of"])).timestamp() * 1e6 == at_us(60)


def test_a_device_and_a_card_are_known_by_their_ids_and_strangers_are_not(lookup: EntityLookup) -> None:
    assert ask(lookup, "device/d1")["known"]
    assert ask(lookup, "card/card1")["known"]
    assert not ask(lookup, "customer/bob")["known"]
    assert not ask(lookup, "device/alice")["known"]


def test_asking_changes_nothing(lookup: EntityLookup) -> None:
    state = lookup._partitions[3].encoder.history
    before = {name: array.copy() for name, array in state.arrays().items()}
    for rest in ("customer/alice", "customer/bob", "merchant/shop", "bin/411111"):
        ask(lookup, rest)
    assert all(np.array_equal(array, before[name]) for name, array in state.arrays().items())


@pytest.mark.parametrize("rest", ["", "customer", "customer/", "friend/alice", f"customer/{'x' * 257}"])
def test_what_is_no_entity_is_not_found(lookup: EntityLookup, rest: str) -> None:
    assert lookup.answer(rest)[0] == 404


def test_ids_come_percent_encoded(lookup: EntityLookup) -> None:
    assert json.loads(lookup.answer("customer/a%2Fb%20c")[2])["id"] == "a/b c"
