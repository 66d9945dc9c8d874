import json

import pyarrow as pa
import pyarrow.compute as pc

from fraud.contracts.inbound import Outcome, Transaction
from runtime.event_tables import to_json
from simulator.config import SimulationConfig
from simulator.event_table import EVENT_SCHEMA
from simulator.simulation import simulate


def test_every_event_satisfies_the_contract_and_carries_the_row() -> None:
    events = simulate(SimulationConfig(transactions=600, days=10, base_rate=0.02)).events
    lines = list(to_json(events))
    assert len(lines) == events.num_rows
    for line, row in zip(lines, events.to_pylist(), strict=True):
        model = Transaction if row["type"] == "transaction" else Outcome
        event = model.model_validate_json(line)
        attributes = row.pop("attributes")
        assert event.attributes == (None if attributes is None else json.loads(attributes))
        for name, value in row.items():
            assert getattr(event, name, None) == value, name


def test_absent_fields_are_left_out() -> None:
    line = next(to_json(_table(transaction_id=["a", "b"], merchant_id=[None, "m"])))
    assert json.loads(line) == {"transaction_id": "a"}


def test_awkward_text_is_escaped() -> None:
    awkward = 'quote " backslash \\ newline \n null \x00 snow ☃ emoji 💳'
    table = _table(transaction_id=[awkward, "plain"], merchant_id=[awkward, None])
    first, second = (json.loads(line) for line in to_json(table))
    assert first == {"transaction_id": awkward, "merchant_id": awkward}
    assert second == {"transaction_id": "plain"}


def test_no_rows_give_no_lines() -> None:
    assert list(to_json(EVENT_SCHEMA.empty_table())) == []


def test_ids_never_contain_digits_that_look_like_a_card_number() -> None:
    events = simulate(SimulationConfig(transactions=500, days=10)).events
    for name in ("transaction_id", "customer_id", "card_id", "card_fingerprint", "device_id", "email_hash"):
        assert not pc.any(pc.match_substring_regex(events[name], r"\d")).as_py(), name


def _table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
